"""Which cluster an input belongs to: flags, the input itself, and every way they can disagree."""

from __future__ import annotations

from typing import Any

import pytest

from podledger.errors import BadInput
from podledger.ingest.addressing import Address, find, settle
from podledger.pods.identity import parse_uuid
from podledger.store.contract import Cluster, Store

FIRST = "11111111-1111-4111-8111-111111111111"
SECOND = "22222222-2222-4222-8222-222222222222"
PATHS = ["my dump/pods.json"]


async def settled(store: Store, *found: str, **flags: Any) -> Cluster:
    address = Address(**flags)
    told = await find(store, address, paths=PATHS)
    return await settle(store, address, told=told, found=found, paths=PATHS)


async def registered(store: Store, *, demo: bool = False) -> None:
    await store.put_cluster(Cluster(parse_uuid(FIRST), "first", {"team": "a"}, demo=demo))


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ({"cluster": "first"}, []),
        ({"cluster": "first"}, [FIRST]),
        ({"cluster_id": FIRST}, []),
        ({"cluster_id": FIRST.upper()}, [FIRST]),
        ({"cluster_id": FIRST, "register": "first"}, []),
        ({"register": "first"}, [FIRST]),
        ({}, [FIRST]),
        ({}, [FIRST, FIRST.upper()]),
        ({}, [FIRST, "no-uuid"]),
        ({"cluster": "first", "ignore_identity": True}, [SECOND]),
        ({"cluster_id": FIRST, "ignore_identity": True}, [FIRST, SECOND]),
    ],
)
async def test_a_registered_cluster_is_found(flags: dict[str, Any], found: list[str], store: Store) -> None:
    await registered(store)

    cluster = await settled(store, *found, **flags)

    assert Cluster(parse_uuid(FIRST), "first", {"team": "a"}) == cluster
    assert [cluster] == [status.cluster for status in await store.clusters()]


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ({"cluster_id": SECOND, "register": "second"}, []),
        ({"cluster_id": SECOND, "register": "second"}, [SECOND]),
        ({"register": "second"}, [SECOND]),
    ],
)
async def test_a_new_cluster_is_registered_under_the_name_given(
    flags: dict[str, Any], found: list[str], store: Store
) -> None:
    await registered(store)

    cluster = await settled(store, *found, **flags)

    assert Cluster(parse_uuid(SECOND), "second") == cluster
    assert [status.cluster.name for status in await store.clusters()] == ["first", "second"]


@pytest.mark.parametrize(
    ("flags", "found", "expected"),
    [
        (
            {},
            [],
            (
                "the input does not tell which cluster it belongs to: give --cluster-id UUID, or --cluster NAME of a"
                " registered one, or add its namespaces (kubectl get namespaces -o json)"
            ),
        ),
        ({"register": "second"}, [], "the input does not tell which cluster it belongs to: give --cluster-id UUID, "),
        ({}, [FIRST, SECOND], f"the input holds several clusters ({FIRST}, {SECOND}); import them one by one"),
        (
            {"cluster": "first"},
            [SECOND],
            f"the input belongs to cluster {SECOND}, not to {FIRST}; give the right one, or --ignore-identity",
        ),
        ({"cluster_id": FIRST}, [FIRST, SECOND], f"the input belongs to cluster {FIRST}, {SECOND}, not to {FIRST}; "),
        ({"cluster": "third"}, [], 'no cluster is registered as "third"; `podledger clusters list` shows them all'),
        (
            {},
            [SECOND],
            (
                f"cluster {SECOND} is not registered; choose a name for it:"
                " podledger import --register NAME 'my dump/pods.json'"
            ),
        ),
        (
            {"cluster_id": SECOND},
            [],
            (
                f"cluster {SECOND} is not registered; choose a name for it:"
                f" podledger import --cluster-id {SECOND} --register NAME 'my dump/pods.json'"
            ),
        ),
        ({"register": "other"}, [FIRST], f'cluster {FIRST} is registered as "first"; leave --register out'),
        ({"register": "first"}, [SECOND], f'the name "first" belongs to cluster {FIRST}; choose another one'),
        ({"cluster_id": SECOND, "register": "first"}, [], f'the name "first" belongs to cluster {FIRST}; '),
        ({"cluster_id": "prod"}, [], '--cluster-id "prod" is no UUID of a cluster'),
        ({"cluster_id": "00000000-0000-0000-0000-000000000000"}, [], "--cluster-id "),
        ({"register": " x"}, [FIRST], "a cluster name has at most 253 printable characters and no spaces around it"),
        ({"register": "a\nb"}, [FIRST], "a cluster name has at most 253 printable characters"),
        ({"cluster": "first", "register": "x"}, [], "--cluster names a registered cluster; it goes with neither"),
        ({"cluster": "first", "cluster_id": FIRST}, [], "--cluster names a registered cluster; it goes with neither"),
    ],
)
async def test_what_does_not_fit_is_refused_and_changes_nothing(
    flags: dict[str, Any], found: list[str], expected: str, store: Store
) -> None:
    await registered(store)

    with pytest.raises(BadInput) as caught:
        await settled(store, *found, **flags)

    assert expected == caught.value.message[: len(expected)]
    assert [status.cluster.name for status in await store.clusters()] == ["first"]


@pytest.mark.parametrize("flags", [{"cluster": "first"}, {"cluster_id": FIRST}, {}])
async def test_a_demo_cluster_takes_no_import(flags: dict[str, Any], store: Store) -> None:
    await registered(store, demo=True)

    with pytest.raises(BadInput, match=r'^"first" is a cluster of the demo fleet; remove that first: podledger demo'):
        await settled(store, FIRST, **flags)
