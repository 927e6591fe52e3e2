"""Random fleets of rows, and random queries over them by the grammar of the search language.

Values of both come from the same small pools, so that queries find something. The letters are those on
which engines disagree: Turkish i, sharp s, long s, the Kelvin sign, sigma, combining marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from podledger.errors import InvalidRequest
from podledger.pods.identity import uuid_text
from podledger.query import parsing
from podledger.query.fields import ENUMS, FIELDS, Field, field
from podledger.query.paging import SortKey
from podledger.query.syntax import Query
from tests.fakes.query_fixture import Tables, instant

LETTERS = "aAbBkK\u212a sS\u017f iI\u0130\u0131 \u00df\u1e9e \u03c3\u03a3\u03c2 \u00e9e\u0301 \u65e5\U0001f600 019-."
"""Letter case beyond ASCII; white space; a character of four bytes."""
LIVE = "%_\\*\"'!+:,=/r\n\t"
"""What the grammar or a pattern gives a meaning."""

NOW = instant("2024-06-11T12:34:56.789012Z")
DAY = 86_400_000_000

CLUSTERS = [bytes([0xC0 + n]) + bytes(14) + bytes([n]) for n in range(3)]
DEPLOYMENTS = [bytes([0xD0 + n]) + bytes(14) + bytes([n]) for n in range(4)]
NAMESPACES = [bytes([0xF0 + n]) + bytes(14) + bytes([n]) for n in range(3)]
PODS = [bytes([0xE0 + n]) + bytes(14) + bytes([n]) for n in range(6)]
WORDS = [
    "web",
    "WEB-1",
    "web_2",
    "\u0130stanbul",
    "istanbul",
    "stra\u00dfe",
    "STRASSE",
    "\u212aelvin",
    "kelvin",
    "100%",
    "a\\b",
    "-",
    "*",
    "",
]
IMAGES = ["sha256:aa", "SHA256:AA", "sha256:bb", "", "a%b"]
NUMBERS = [0, 0.1, 0.25, 1, 2.5, -1, 7.125, 1e6]
TIMES = [NOW, NOW - DAY, NOW - 5 * DAY - 1, NOW // 1_000_000 * 1_000_000, instant("2024-05-10T08:00:00Z")]

texts = st.one_of(st.sampled_from(WORDS), st.text(alphabet=LETTERS + LIVE, max_size=6))
"""Texts of cells and of values."""
any_text = st.text(
    alphabet=st.one_of(st.sampled_from(LETTERS + LIVE), st.characters(exclude_categories=["Cs"])), max_size=40
)
"""Any text that a message can carry."""


# -------------------------------------------------------------------------------------------- fleets


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


maps = st.dictionaries(st.sampled_from(["app", "App", "tier", "", "\u212aey"]) | texts, texts, max_size=3)
arrays = _maybe(st.lists(texts, max_size=3).map(tuple))


def workloads(identity: bytes) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "id": st.just(identity),
            "name": texts,
            "type": st.sampled_from(["Deployment", "DaemonSet", "Pod"]),
            "clustername": texts,
            "namespaceid": _maybe(st.sampled_from(NAMESPACES)),
            "labels": _maybe(maps),
            "podlabels": maps,
            "annotations": maps,
            "created": _maybe(st.sampled_from(TIMES)),
            "riskscore": _maybe(st.sampled_from(NUMBERS)),
            "serviceaccount": _maybe(texts),
            "serviceaccountpermissionlevel": _maybe(st.integers(0, 6)),
            "orchestratorcomponent": _maybe(st.booleans()),
            "imagepullsecrets": arrays,
        }
    )


def containers(identity: bytes, index: int) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "deployments_id": st.just(identity),
            "idx": st.just(index),
            "image_name_tag": texts,
            "image_id": _maybe(st.sampled_from(IMAGES)),
            "securitycontext_privileged": _maybe(st.booleans()),
            "type": st.integers(0, 1),
            "resources_cpucoreslimit": st.sampled_from(NUMBERS),
        }
    )


def environments(identity: bytes, index: int) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "deployments_id": st.just(identity),
            "deployments_containers_idx": st.just(index),
            "key": st.sampled_from(["DEBUG", "debug", "PATH"]),
            "value": texts,
        }
    )


@st.composite
def fleets(draw: st.DrawFn, *, children: bool = True) -> Tables:
    """Pods, some of one id in two clusters, with or without workload, live instances and child rows.

    With `children` false only tables are filled that hang on a pod itself, and workloads.
    """
    tables = Tables()
    for cluster, pod in draw(
        st.lists(
            st.tuples(_maybe(st.sampled_from(CLUSTERS)), st.sampled_from(PODS)), unique=True, min_size=1, max_size=8
        )
    ):
        row = {
            "id": pod,
            "clusterid": cluster,
            "name": draw(texts),
            "namespace": draw(texts),
            "deploymentid": draw(st.sampled_from([*DEPLOYMENTS, None])),
        }
        tables.add_pod(row, draw(st.lists(st.sampled_from(IMAGES), max_size=3)))
    for identity in DEPLOYMENTS[: draw(st.integers(1, 4))]:
        tables.add("deployments", draw(workloads(identity)))
    if children:
        _add_children(draw, tables)
    return tables


def _add_children(draw: st.DrawFn, tables: Tables) -> None:
    for identity in NAMESPACES[:2]:
        cluster = draw(_maybe(st.sampled_from(CLUSTERS)))
        tables.add("namespaces", {"id": identity, "clusterid": cluster, "labels": draw(maps), "annotations": {}})
    for identity in CLUSTERS[:2]:
        tables.add("clusters", {"id": identity, "labels": draw(maps), "type": draw(_maybe(st.integers(0, 3)))})
    for identity in DEPLOYMENTS[1:]:  # some without workload row: containers need none
        for index in range(draw(st.sampled_from([1, 2, 0]))):
            tables.add("deployments_containers", draw(containers(identity, index)))
            for _ in range(draw(st.sampled_from([1, 2, 0]))):
                tables.add("deployments_containers_envs", draw(environments(identity, index)))


# -------------------------------------------------------------------------------------------- queries

HELD = [
    "Pod ID",
    "Pod Name",
    "Deployment ID",
    "Namespace",
    "Cluster ID",
    "Container Image Digest",
    "Cluster",
    "Deployment",
    "Deployment Type",
    "Namespace ID",
    "Deployment Label",
    "Pod Label",
    "Deployment Annotation",
    "Created",
    "Deployment Risk Score",
    "Service Account",
    "Service Account Permission Level",
    "Orchestrator Component",
    "Image Pull Secret",
    "Image Tag",
    "Image ID",
    "Privileged",
    "Container Type",
    "CPU Cores Limit",
    "Environment Key",
    "Environment Value",
    "Namespace Label",
    "Cluster Label",
    "Cluster Type",
]
"""Labels whose columns `fleets` fills."""
EMPTY = ["CVE", "Node", "Port", "Cluster Status"]
CONDITIONS = [entry.label for entry in FIELDS.values() if entry.condition]
NOT_CONDITIONS = ["Policy", "Replicas", "Secret ID", "Nmespace", "foo"]
ANY_LABEL = [*HELD, *HELD, *HELD, *EMPTY, *NOT_CONDITIONS]
"""Mostly labels that find something."""

WIDE = ["w", "i", "k", "s", "1", "_", "%a", "%1%", "__", "sha"]
"""Plain values that find much."""

patterns = st.sampled_from(["^web", "b$", "[a-z]+_?\\d", ".", "\u017f", "k", "(?i)WEB|\u00df", "^$", "\\bi", "\\pL{2}"])
signs = st.sampled_from(["", "", ">", ">=", "<", "<=", "=", "=="])
uuids = st.sampled_from([uuid_text(each) for each in (*CLUSTERS, *DEPLOYMENTS, *NAMESPACES, *PODS)])


def _quoted(text: str) -> str:
    return f'"{text}"'


def _text_value() -> st.SearchStrategy[str]:
    plain = texts.map(lambda text: text.replace('"', ""))
    body = st.one_of(plain, st.sampled_from(WIDE), plain.map(_quoted), patterns.map(lambda pattern: f"r/{pattern}"))
    return st.builds(lambda negation, text: negation + text, st.sampled_from(["", "", "!"]), body)


def _map_value() -> st.SearchStrategy[str]:
    keys = st.sampled_from(["app", "App", "", "!app", '"app"', "r/^a", "t"])
    return st.one_of(keys, st.builds(lambda key, value: f"{key}={value}", keys, st.one_of(_text_value(), st.just(""))))


def _number_value() -> st.SearchStrategy[str]:
    number = st.sampled_from(NUMBERS).map(lambda found: f"{found:g}")
    ranges = st.builds(lambda low, high: f"{low}-{high}", number, number)
    return st.one_of(
        st.builds(lambda sign, text: sign + text, signs, st.one_of(number, st.sampled_from(["nan", "inf", "-inf"]))),
        ranges,
    )


def _time_value() -> st.SearchStrategy[str]:
    days = st.integers(-1, 40).map(lambda number: f"{number}d")
    dates = st.sampled_from(
        ["05/10/2024", "05/10/2024 8:00 AM", "06/06/2024 12:34:55 PM", "06/11/2024 12:34:56 PM GMT-1"]
    )
    ranges = st.sampled_from(["1d-10d", "tr/1715328000000-1718109296789"])
    return st.one_of(st.builds(lambda sign, text: sign + text, signs, st.one_of(days, dates)), ranges)


def _enum_value(path: str) -> st.SearchStrategy[str]:
    names = st.sampled_from([*ENUMS[path], "e", "un", "x"]).map(str.lower)
    return st.one_of(
        st.builds(lambda sign, name: sign + name, signs, names),
        st.builds(lambda negation, name: negation + name, st.sampled_from(["!", '!"', '"', "r/"]), names).map(
            lambda text: text + '"' if '"' in text else text
        ),
    )


def values(asked: Field) -> st.SearchStrategy[str]:
    """Raw values for a column, most of them acceptable to its type."""
    typed: st.SearchStrategy[str]
    match asked.kind:
        case "uuid":
            typed = st.one_of(
                st.builds(lambda prefix, text: prefix + text, st.sampled_from(["", "!"]), uuids),
                st.sampled_from(["r/^e0", "!r/0[01]$", '"*"', "!-"]),
            )
        case "numeric" | "integer" | "biginteger":
            typed = _number_value()
        case "datetime":
            typed = _time_value()
        case "bool":
            typed = st.sampled_from(["true", "fal", "1", "F"])
        case "enum":
            typed = _enum_value(asked.enum)
        case "map":
            typed = _map_value()
        case _:
            typed = _text_value()
    return st.one_of(typed, typed, st.sampled_from(["*", "-", ""]))


@st.composite
def parts(draw: st.DrawFn, labels: Sequence[str]) -> str:
    """One part: a label in some letter case, and values."""
    label = draw(st.sampled_from(labels))
    key = draw(st.sampled_from([label, label, label.lower(), label.upper()]))
    found = FIELDS.get(label.lower())
    asked = found if found is not None and found.condition else field("Pod Name")
    return f"{key}:{','.join(draw(st.lists(values(asked), min_size=1, max_size=3)))}"


def query_texts(labels: Sequence[str] = ANY_LABEL) -> st.SearchStrategy[str]:
    """Query texts by the grammar; some are refused, because a value does not suit its column."""
    return st.lists(parts(labels), min_size=1, max_size=4).map("+".join)


def queries(labels: Sequence[str] = ANY_LABEL) -> st.SearchStrategy[Query]:
    """Meanings of the query texts that are accepted."""
    return query_texts(labels).map(_meaning).filter(lambda query: query is not None)


def _meaning(text: str) -> Query | None:
    try:
        return parsing.parse(text, now=NOW)
    except InvalidRequest:
        return None


def orders(labels: Sequence[str] = HELD) -> st.SearchStrategy[tuple[SortKey, ...]]:
    """Up to three sort keys, of sortable fields."""
    sortable = [entry for entry in map(field, labels) if entry.sortable]
    return st.lists(st.builds(SortKey, st.sampled_from(sortable), st.booleans()), max_size=3).map(tuple)
