"""Which label a mistyped one was meant to be (pod-service 3.5)."""

from __future__ import annotations

from podledger.query.fields import FIELDS
from podledger.query.texts import fold

_LABELS = {folded: field.label for folded, field in FIELDS.items() if field.condition}


def hint(key: str) -> str:
    """The nearest label that can carry a condition; empty when none is near.

    Near is a distance of at most a third of the key's length, rounded up; of equally near labels the
    bytewise smaller one is given.
    """
    folded = fold(key)
    most = -(-len(folded) // 3)
    near = (
        (distance, label)
        for other, label in _LABELS.items()
        if abs(len(other) - len(folded)) <= most  # the difference alone needs that many steps
        and (distance := edit_distance(folded, other)) <= most
    )
    return min(near, default=(0, ""))[1]


def edit_distance(one: str, other: str) -> int:
    """The least number of steps (insert, delete, replace, swap of neighbours) from one text to the other.

    Damerau and Levenshtein's distance by the recurrence of Lowrance and Wagner, in which letters may
    also come between the two that were swapped.
    """
    far = len(one) + len(other)
    rows: list[list[int]] = [[far] * (len(other) + 2), [far, *range(len(other) + 1)]]
    row_of: dict[str, int] = {}
    for i, character in enumerate(one, 1):
        row = [far, i]
        column_of_match = 0
        for j, wanted in enumerate(other, 1):
            above, swapped_row, swapped_column = rows[i], row_of.get(wanted, 0), column_of_match
            if character == wanted:
                column_of_match = j
            row.append(
                min(
                    above[j] + (character != wanted),
                    row[j] + 1,
                    above[j + 1] + 1,
                    rows[swapped_row][swapped_column] + (i - swapped_row - 1) + 1 + (j - swapped_column - 1),
                )
            )
        rows.append(row)
        row_of[character] = i
    return rows[-1][-1]
