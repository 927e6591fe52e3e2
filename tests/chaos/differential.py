"""Both stores give the same answers (operations 8; pod-service 3.8 and 5.2).

Random fleets with everything that a row can hold are written to the store in memory, which asks the plain predicate
of the language, and to SQLite. Then both are asked the same questions: pages in every order, windows, scans from
anywhere, counts, in every scope, by indexes and without. A difference is printed with its seed.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from podledger.query import patterns
from podledger.store import sql, sqlite_connecting, sqlite_paths, sqlite_reading
from podledger.store.contract import Store
from podledger.store.memory import MemoryStore
from podledger.store.sqlite import SqliteStore
from tests.chaos.folders import folder
from tests.chaos.judging import Findings, Mutant, Options, command, leave
from tests.fakes.dice import Dice, Question, answers

QUESTIONS = 50
"""Asked of one fleet."""
TRIAL = 6000
"""Questions within which a mutant must be convicted."""
SHOWN = 3
"""Differences that are printed."""

AGREE = "stores agree"


async def compare(file: Path, *, number: int, seed: int, stop: int | None = None) -> tuple[int, list[str]]:
    """Ask so many questions; gives how many were asked, and what differed. `stop` ends after so many differences."""
    memory, other = MemoryStore(), SqliteStore(file, synchronous="NORMAL", readers=1)
    stores: Sequence[Store] = (memory, other)
    for store in stores:
        await store.open()
    asked, differences = 0, list[str]()
    try:
        while asked < number and (stop is None or len(differences) < stop):
            dice = Dice(seed + asked)
            with _paths(dice.often(0.5)):
                found = await _fleet(stores, dice, min(QUESTIONS, number - asked))
            differences += [f"seed {seed + asked}: {each}" for each in found]
            asked += QUESTIONS
    finally:
        for store in stores:
            await store.close()
    return min(asked, number), differences


def _paths(narrow: bool) -> ExitStack:
    """By indexes to few pods, or walking in small steps."""
    stack = ExitStack()
    stack.enter_context(patch.object(sqlite_paths, "FEW", 4096 if narrow else 1))
    stack.enter_context(patch.object(sqlite_reading, "SLICE_ROWS", 16384 if narrow else 3))
    return stack


async def _fleet(stores: Sequence[Store], dice: Dice, number: int) -> list[str]:
    fleet = dice.fleet()
    for store in stores:
        await fleet.write(store)
    questions = [dice.question() for _ in range(number)]
    return [different for question in questions if (different := await _difference(stores, question))]


async def _difference(stores: Sequence[Store], question: Question) -> str:
    """What differs; empty when nothing does."""
    expected, actual = [await _answers(store, question) for store in stores]
    if expected == actual:
        return ""
    parts = [name for name in expected if expected.get(name) != actual.get(name)]
    order = [(key.field.label, key.descending) for key in question.order]
    return f"{question.text!r} by {order} in {question.scope}: {', '.join(parts)} {actual.get('error', '')}"


async def _answers(store: Store, question: Question) -> dict[str, Any]:
    try:
        return await answers(store, question)
    except Exception as error:  # noqa: BLE001 - an error of one store is a difference
        return {"error": repr(error)}


# ----------------------------------------------------------------------------------------------- command


def judge(given: Options, number: int, stop: int | None = None) -> Findings:
    """Compare; the figures tell how much and how often."""
    with folder() as place:
        asked, differences = asyncio.run(compare(place / "store.db", number=number, seed=given.seed, stop=stop))
    for each in differences[: SHOWN if stop is None else 0]:
        print(each, file=sys.stderr)
    findings = Findings({"n": asked, "differences": len(differences)})
    findings.require(AGREE, not differences)
    return findings


def _mutant(owner: Any, name: str, broken: Any) -> Mutant:
    def trial(given: Options) -> Findings:
        with patch.object(owner, name, broken):
            return judge(given, TRIAL, stop=1)

    return Mutant(trial, frozenset({AGREE}))


def _backspace(pattern: str) -> Callable[[str], bool]:
    r"""As other engines read `\b`."""
    regex = patterns.compile_regex(pattern.replace("\\b", "\x08"))
    return lambda text: patterns.regex_search(regex, text)


def _full_lower(pattern: str) -> Callable[[str], bool]:
    """ILIKE by `str.lower`, which makes two characters of one and looks at the neighbours of a sigma."""
    text = "".join(
        ".*" if each == "%" else "." if each == "_" else re.escape(each[-1])
        for each in re.findall(r"\\.|.", pattern.lower() + "%", re.DOTALL)
    )
    regex = re.compile(text, re.DOTALL)
    return lambda cell: regex.fullmatch(cell.lower()) is not None


MUTANTS = {
    "\\b is a backspace": _mutant(sqlite_connecting, "_regexp", _backspace),
    "letter case by str.lower": _mutant(sqlite_connecting, "like", _full_lower),
    "a dash joins inner": _mutant(sql, "_null_holds", lambda _: False),
}


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--n", type=int, default=200_000, help="questions")


def main(argv: Sequence[str] | None = None) -> int:
    """Compare the stores."""
    return command(
        "differential",
        argv,
        describe="Compare the answers of the stores.",
        options=_options,
        mutants=MUTANTS,
        judge=lambda given: judge(given, given.n),
    )


if __name__ == "__main__":
    leave(main())
