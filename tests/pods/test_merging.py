"""Merging an event into the stored pod: both modes, rule by rule (pod-service 11, 15.5)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podledger.pods.identity import RunKey, run_key
from podledger.pods.merging import VISIBLE_RUNS, Merged, merge
from podledger.pods.times import YEAR_ONE
from podledger_protos.podledger.ingest.v1.record_pb2 import Container, LastTerminated, PodRecord
from podledger_protos.storage.container_runtime_pb2 import ContainerRuntime
from podledger_protos.storage.deployment_pb2 import ContainerInstance, Pod
from tests.fakes.store_pods import instance

CONTAINERD = ContainerRuntime.UNKNOWN_CONTAINER_RUNTIME
CRIO = ContainerRuntime.CRIO_CONTAINER_RUNTIME
YEAR_1 = YEAR_ONE.seconds


def runs(text: str) -> list[ContainerInstance]:
    """Instances as the specification writes them: `a1†` is one of `a` that has finished, `a1` one that runs.

    `a1?` waits: it has the id and no start.
    """
    return [_run(word) for word in text.split()]


def _run(word: str) -> ContainerInstance:
    run = word.rstrip("†?")
    return instance(run[0], run, started=0 if word.endswith("?") else 100, finished=200 if word.endswith("†") else 0)


def bucket(*instances: ContainerInstance) -> Pod.ContainerInstanceList:
    return Pod.ContainerInstanceList(instances=instances)


def pod(live: str = "", *buckets: str, **fields) -> Pod:
    return Pod(live_instances=runs(live), terminated_instances=[bucket(*runs(each)) for each in buckets], **fields)


def record(event: Pod, *containers: Container) -> PodRecord:
    return PodRecord(pod=event, uid="u-1", node="n1", containers=containers)


def stackrox(stored: Pod | None, event: Pod, *, known: Collection[RunKey] = ()) -> Merged:
    return merge(stored, record(event), known=known, mode="stackrox")


def dedupe(
    stored: Pod | None,
    event: Pod,
    *containers: Container,
    known: Collection[RunKey] = (),
    carried: Sequence[ContainerInstance] = (),
) -> Merged:
    return merge(stored, record(event, *containers), known=known, carried=carried, mode="dedupe")


def remembers(name: str, last: LastTerminated, *, kind: str = "regular", runtime: str = "containerd") -> Container:
    """Side data of a container whose run before the current one is `last`."""
    return Container(name=name, kind=kind, runtime=runtime, last_terminated=last)


def last(run: str, *, started: int = 100, finished: int = 200, code: int = 1, reason: str = "Error") -> LastTerminated:
    told = LastTerminated(id=run, exit_code=code, reason=reason)
    told.started.seconds = started
    told.finished.seconds = finished
    return told


def keys(text: str) -> tuple[RunKey, ...]:
    return tuple(run_key(each) for each in runs(text))


def terminated(holder: Pod) -> list[ContainerInstance]:
    """The instances of all buckets."""
    return [each for filled in holder.terminated_instances for each in filled.instances]


def ten(name: str = "a") -> str:
    return " ".join(f"{name}{number}†" for number in range(1, 11))


# --------------------------------------------------------------------------------- the table of 15.5


@dataclass(frozen=True)
class Row:
    """A row of the table: what is stored, live instances of the event, and live and buckets afterwards."""

    mode: str
    stored: Pod | None
    event: str
    afterwards: Pod


TABLE = [
    Row("stackrox", None, "a1†", pod("a1†")),
    Row("dedupe", None, "a1†", pod("", "a1†")),
    Row("stackrox", pod("a1"), "a1† a2†", pod("", "a1†", "a2†")),
    Row("dedupe", pod("a1"), "a1† a2†", pod("", "a1† a2†")),
    Row("stackrox", pod("", "a1†"), "a1†", pod("", "a1† a1†")),
    Row("dedupe", pod("", "a1†"), "a1†", pod("", "a1†")),
    Row("stackrox", pod("", ten()), "a11†", pod("", ten().removeprefix("a1† ") + " a11†")),
    Row("dedupe", pod("", ten()), "a11†", pod("", ten().removeprefix("a1† ") + " a11†")),
    Row("dedupe", pod("", "a1†"), "a1?", Pod(live_instances=[instance("a")], terminated_instances=[bucket(*runs("a1†"))])),
    Row("dedupe", pod("", "a1†"), "a2", pod("a2", "a1†")),
    Row("stackrox", pod("a1 b1"), "b1", pod("b1")),
    Row("dedupe", pod("a1 b1"), "b1", pod("b1")),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=[f"{row.mode}-{row.event}" for row in TABLE])
def test_the_worked_examples_hold(row):
    """Pod-service 15.5."""
    known = [run_key(each) for each in terminated(row.stored)] if row.stored else ()
    merged = merge(row.stored, record(pod(row.event)), known=known, mode=row.mode)

    assert row.afterwards == merged.pod


def test_the_ledger_holds_the_eleventh_run():
    """Only the view is cut (pod-service 15.5)."""
    merged = dedupe(pod("", ten()), pod("a11†"), known=keys(ten()))

    assert keys("a11†") == merged.finished


# --------------------------------------------------------------------------------------- both modes


@pytest.mark.parametrize("mode", ["stackrox", "dedupe"])
def test_other_fields_come_from_the_event_empty_ones_too(mode):
    """Nothing of the stored pod shines through (pod-service 11)."""
    stored = pod("a1", "b1†", name="old", namespace="x", deployment_id="d1", cluster_id="c")
    event = pod("a2", name="new", started={"seconds": 5})
    merged = merge(stored, record(event), known=keys("b1†"), mode=mode)

    assert pod("a2", "b1†", name="new", started={"seconds": 5}) == merged.pod


instances = st.builds(
    instance,
    st.sampled_from("ab"),
    st.sampled_from(["", "1", "2", "3"]),
    started=st.sampled_from([0, YEAR_1, 100, 101]),
    finished=st.sampled_from([0, YEAR_1, 200, 201]),
    exit_code=st.sampled_from([0, 1]),
    termination_reason=st.sampled_from(["", "Error"]),
    digest=st.sampled_from(["", "sha256:1"]),
)
finished_instances = instances.filter(lambda each: each.HasField("finished"))
any_pods = st.builds(
    Pod,
    live_instances=st.lists(instances, max_size=4),
    terminated_instances=st.lists(
        st.lists(finished_instances, max_size=12).map(lambda some: bucket(*some)), max_size=3
    ),
)
memories = st.builds(
    remembers,
    st.sampled_from("ab"),
    st.builds(
        last,
        st.sampled_from(["", "1", "4"]),
        started=st.sampled_from([YEAR_1, 100]),
        reason=st.sampled_from(["", "Error"]),
    ),
    kind=st.sampled_from(["regular", "init"]),
)
records = st.builds(lambda event, told: record(event, *told), any_pods, st.lists(memories, max_size=2))
carries = st.lists(finished_instances, max_size=2)


@pytest.mark.property
@given(st.none() | any_pods, records, carries, st.sampled_from(["dedupe", "stackrox"]))
def test_what_is_merged_stays_as_it_was(stored, event, carried, mode):
    """The pod that comes out shares nothing with what went in."""
    before = [each.SerializeToString() for each in (*([stored] if stored else []), event, *carried)]
    merged = merge(stored, event, known=(), carried=carried, mode=mode)
    for each in (*merged.pod.live_instances, *terminated(merged.pod)):
        each.container_name = "changed"

    assert before == [each.SerializeToString() for each in (*([stored] if stored else []), event, *carried)]


@pytest.mark.property
@given(st.none() | any_pods, records, st.sampled_from(["dedupe", "stackrox"]))
def test_every_run_is_told_as_new_once(stored, event, mode):
    """What is known is not told again, and nothing in a bucket stays untold."""
    told = merge(stored, event, known=(), mode=mode)
    known = told.finished[: len(told.finished) // 2]
    rest = merge(stored, event, known=known, mode=mode)

    assert len(told.finished) == len(set(told.finished))
    assert set(told.finished) >= {run_key(each) for each in terminated(told.pod)}
    assert set(known).isdisjoint(rest.finished)
    assert set(told.finished) == {*known, *rest.finished}


# ------------------------------------------------------------------------------- stackrox, by rule


def test_stackrox_rule_1_a_new_pod_is_stored_exactly_as_sent():
    """In its order, finished ones live, its own buckets kept, empty ones too."""
    event = pod("b2† a1", "a0†", "")
    merged = stackrox(None, event)

    assert event == merged.pod
    assert keys("a0†") == merged.finished


def test_stackrox_rule_2_buckets_of_the_event_are_thrown_away():
    """The stored ones are the starting point."""
    merged = stackrox(pod("", "a1†"), pod("a3", "a2†"), known=keys("a1†"))

    assert pod("a3", "a1†") == merged.pod
    assert () == merged.finished


def test_stackrox_rule_3_a_bucket_is_named_by_its_first_instance():
    """Whatever else it holds."""
    merged = stackrox(pod("", "a1† b1†"), pod("a2† b2†"))

    assert pod("", "a1† b1† a2†", "b2†") == merged.pod


def test_stackrox_rule_3_an_empty_bucket_stays_and_has_no_name():
    """Not even that of an instance without container name."""
    nameless = instance("", "x", finished=200)
    merged = stackrox(pod("", ""), Pod(live_instances=[nameless]))

    assert Pod(terminated_instances=[bucket(), bucket(nameless)]) == merged.pod


def test_stackrox_rule_3_of_two_buckets_with_one_name_the_later_is_used():
    """As upstream's index ends up."""
    merged = stackrox(pod("", "a1†", "a2†"), pod("a3†"))

    assert pod("", "a1†", "a2† a3†") == merged.pod


def test_stackrox_rule_4_unfinished_instances_stay_live_in_their_order():
    """Nothing is sorted here; the mapping has done so."""
    merged = stackrox(pod(), pod("b1 a2? b2† a1"))

    assert pod("b1 a2? a1", "b2†") == merged.pod


@pytest.mark.parametrize("finished", [{}, {"seconds": YEAR_1}])
def test_stackrox_rule_4_any_finish_time_counts(finished):
    """Year 1 stands for null, and the epoch is a time like any other."""
    ended = ContainerInstance(container_name="a", finished=finished)
    merged = stackrox(pod(), Pod(live_instances=[ended]))

    assert Pod(terminated_instances=[bucket(ended)]) == merged.pod


@pytest.mark.parametrize(("size", "dropped"), [(9, 0), (10, 1), (11, 0)])
def test_stackrox_rule_4_a_bucket_of_exactly_ten_loses_its_first(size, dropped):
    """A longer one, as an event may have brought it, only grows."""
    full = [f"a{number}†" for number in range(size)]
    merged = stackrox(pod("", " ".join(full)), pod("a99†"))

    assert pod("", " ".join([*full[dropped:], "a99†"])) == merged.pod


def test_stackrox_rule_4_a_new_bucket_is_not_found_again_in_the_same_event():
    """The index is not extended; in the next event it is found."""
    first = stackrox(pod(), pod("a1† a2†"))
    second = stackrox(first.pod, pod("a3†"), known=first.finished)

    assert pod("", "a1†", "a2†") == first.pod
    assert pod("", "a1†", "a2† a3†") == second.pod


def test_stackrox_rule_5_a_run_may_be_stored_twice():
    """It is told as recorded once all the same."""
    first = stackrox(pod(), pod("a1†"))
    second = stackrox(first.pod, pod("a1†"), known=first.finished)

    assert pod("", "a1† a1†") == second.pod
    assert keys("a1†") == first.finished
    assert () == second.finished


def test_stackrox_rule_6_live_instances_that_are_absent_vanish():
    """Without a trace in the buckets."""
    merged = stackrox(pod("a1 b1"), pod())

    assert pod() == merged.pod
    assert () == merged.finished


def test_stackrox_knows_no_harvest():
    """Neither last states nor carried instances count (ingest 4.4)."""
    event = record(pod("a2"), remembers("a", last("a1")))
    merged = merge(pod(), event, known=(), carried=runs("a0†"), mode="stackrox")

    assert pod("a2") == merged.pod
    assert () == merged.finished


# ---------------------------------------------------------------------------------- dedupe, by rule


def test_dedupe_rule_1_finished_instances_come_in_this_order():
    """Carried, harvested, the event's buckets, its live ones."""
    event = pod("a5† a6", "a3†", "a4†")
    merged = dedupe(pod(), event, remembers("a", last("a2")), carried=runs("a1†"))

    assert [f"a{number}" for number in range(1, 6)] == [each.instance_id.id for each in terminated(merged.pod)]
    assert keys("a1† a2† a3† a4† a5†") == merged.finished


def test_dedupe_rule_1_holds_for_a_pod_that_is_new():
    """The first event is merged like any other."""
    event = pod("a2† b1", "a1†")

    assert pod("b1", "a1† a2†") == dedupe(None, event).pod
    assert dedupe(pod(), event) == dedupe(None, event)


@pytest.mark.parametrize("stored", [None, pod(), pod("a1")])
def test_dedupe_rule_1_buckets_of_an_event_count_alone(stored):
    """Another installation's pods bring them (ingest 7.4)."""
    merged = dedupe(stored, pod("a2", "a1†"))

    assert pod("a2", "a1†") == merged.pod
    assert keys("a1†") == merged.finished


def test_dedupe_rule_1_only_regular_containers_are_harvested():
    """In order of their names; init, sidecar and ephemeral ones are never in storage.Pod (ingest 4.3, 6.3)."""
    others = [remembers("x", last(f"x-{kind}"), kind=kind) for kind in ("init", "sidecar", "ephemeral")]
    merged = dedupe(pod(), pod(), *others, remembers("b", last("b1")), remembers("a", last("a1")))

    assert [("a", "id:a1"), ("b", "id:b1")] == list(merged.finished)


def test_dedupe_rule_1_a_harvested_run_tells_what_the_last_state_tells():
    """Id, times, exit code, reason; the node of the pod; what the kubelet does not tell stays empty (ingest 6.3)."""
    event = pod(name="web", namespace="shop")
    (harvested,) = terminated(
        dedupe(None, event, remembers("a", last("a1", code=137, reason="OOMKilled"), runtime="cri-o")).pod
    )
    expected = instance(
        "a",
        "a1",
        started=100,
        finished=200,
        exit_code=137,
        termination_reason="OOMKilled",
        containing_pod_id="web.shop@u-1",
    )
    expected.instance_id.container_runtime = CRIO
    expected.instance_id.node = "n1"

    assert expected == harvested


def test_dedupe_rule_1_a_harvested_run_may_lack_id_and_times():
    """Without an id there is no runtime; a time that is not set stays so."""
    bare = Container(name="a", kind="regular", runtime="cri-o", last_terminated=LastTerminated())
    (harvested,) = terminated(dedupe(None, pod(), bare).pod)
    expected = instance("a", containing_pod_id=".@u-1")
    expected.instance_id.node = "n1"

    assert expected == harvested


def test_dedupe_rule_2_a_run_is_known_by_its_id():
    """Within its container; the times do not matter."""
    event = Pod(
        live_instances=[instance("a", "x", finished=1), instance("a", "x", finished=2), instance("b", "x", finished=1)]
    )

    assert (RunKey("a", "id:x"), RunKey("b", "id:x")) == dedupe(None, event).finished


def test_dedupe_rule_2_a_run_without_id_is_known_by_what_else_is_told():
    """Times, exit code and reason."""
    same, other = instance("a", finished=1), instance("a", finished=1, exit_code=1)
    merged = dedupe(None, Pod(live_instances=[same, same, other]))

    assert [same, other] == terminated(merged.pod)
    assert 2 == len(merged.finished)


def test_dedupe_rule_3_a_known_run_is_not_added_again():
    """Also when it left the view long ago."""
    merged = dedupe(pod("", "a2†"), pod("a1† a2†"), known=keys("a1† a2†"))

    assert pod("", "a2†") == merged.pod
    assert () == merged.finished


@pytest.mark.parametrize("vague", [0, YEAR_1])
def test_dedupe_rule_3_a_recorded_run_takes_better_values_in_place(vague):
    """Times for unset or year-1 ones, a reason for none; its place in the bucket stays."""
    recorded = instance("a", "a1", started=vague, finished=vague, digest="sha256:1", exit_code=3)
    stored = Pod(terminated_instances=[bucket(recorded, *runs("a2†"))])
    told = instance("a", "a1", started=100, finished=200, exit_code=4, termination_reason="Error")
    merged = dedupe(stored, Pod(live_instances=[told]), known=keys("a1† a2†"))
    better = instance("a", "a1", started=100, finished=200, digest="sha256:1", exit_code=3, termination_reason="Error")

    assert [better, *runs("a2†")] == terminated(merged.pod)


@pytest.mark.parametrize(
    "told",
    [
        instance("a", "a1", started=101, finished=201, termination_reason="Error"),
        instance("a", "a1", started=YEAR_1, finished=YEAR_1),
    ],
    ids=["other", "vague"],
)
def test_dedupe_rule_3_known_values_are_not_replaced(told):
    """By other ones as little as by none."""
    recorded = instance("a", "a1", started=100, finished=200, termination_reason="OOMKilled")
    merged = dedupe(Pod(terminated_instances=[bucket(recorded)]), Pod(live_instances=[told]), known=keys("a1†"))

    assert [recorded] == terminated(merged.pod)


def test_dedupe_rule_3_one_time_may_be_better_alone():
    """The other one stays as it was."""
    recorded = instance("a", "a1", started=100, finished=YEAR_1, termination_reason="Error")
    told = instance("a", "a1", started=101, finished=200)
    merged = dedupe(Pod(terminated_instances=[bucket(recorded)]), Pod(live_instances=[told]), known=keys("a1†"))

    assert [instance("a", "a1", started=100, finished=200, termination_reason="Error")] == terminated(merged.pod)


def test_dedupe_rule_4_each_container_has_one_bucket():
    """A new bucket goes to the end, wherever the run was found."""
    merged = dedupe(pod("", "b1†"), pod("a1† b2†", "c1† a2†"), known=keys("b1†"))

    assert pod("", "b1† b2†", "c1†", "a2† a1†") == merged.pod


def test_dedupe_rule_4_a_harvested_run_is_completed_from_the_stored_live_one():
    """Addresses, digest, and the start if the kubelet has forgotten it."""
    alive = instance("a", "a1", started=90, digest="sha256:1", container_ips=["10.0.0.1"])
    stored = Pod(live_instances=[*runs("b1"), alive])
    (harvested,) = terminated(dedupe(stored, pod("a2"), remembers("a", last("a1", started=YEAR_1))).pod)

    assert (["10.0.0.1"], "sha256:1", 90) == (
        harvested.container_ips,
        harvested.image_digest,
        harvested.started.seconds,
    )


def test_dedupe_rule_4_a_carried_run_is_completed_likewise():
    """What it tells itself counts more."""
    alive = instance("a", "a1", started=90, digest="sha256:1", container_ips=["10.0.0.1"])
    carried = instance("a", "a1", started=100, finished=200, digest="sha256:2", container_ips=["10.0.0.2"])
    bare = instance("a", "a1", finished=200)
    whole = dedupe(Pod(live_instances=[alive]), pod(), carried=[carried])
    completed = dedupe(Pod(live_instances=[alive]), pod(), carried=[bare])

    assert [carried] == terminated(whole.pod)
    assert [instance("a", "a1", started=90, finished=200, digest="sha256:1", container_ips=["10.0.0.1"])] == terminated(
        completed.pod
    )


def test_dedupe_rule_4_without_a_stored_live_run_the_values_stay_empty():
    """A stored one of another run, or one that waits, tells nothing."""
    for stored in (None, pod("a9 b1"), pod("a1?")):
        (harvested,) = terminated(dedupe(stored, pod(), remembers("a", last("a1", started=YEAR_1))).pod)

        assert ([], "", YEAR_1) == (harvested.container_ips, harvested.image_digest, harvested.started.seconds)


def test_dedupe_rule_4_a_finished_live_run_is_taken_as_sent():
    """It has addresses and digest of its own."""
    stored = Pod(live_instances=[instance("a", "a1", started=90, digest="sha256:1")])

    assert runs("a1†") == terminated(dedupe(stored, pod("a1†")).pod)


def test_dedupe_rule_5_the_view_shows_the_last_ten_and_all_are_recorded():
    """Per container, whether they come at once or one by one."""
    every = [f"a{number}†" for number in range(VISIBLE_RUNS + 3)]
    at_once = dedupe(None, pod(" ".join([*every, "b1†"])))
    stored, known = Pod(), ()
    for run in (*every, "b1†"):
        merged = dedupe(stored, pod(run), known=known)
        stored, known = merged.pod, (*known, *merged.finished)

    assert pod("", " ".join(every[-VISIBLE_RUNS:]), "b1†") == at_once.pod == stored
    assert keys(" ".join([*every, "b1†"])) == at_once.finished == known


def test_dedupe_rule_5_ten_runs_are_all_shown():
    """The limit is not below ten."""
    assert pod("", ten()) == dedupe(None, pod(ten())).pod


def test_dedupe_rule_6_live_are_those_that_have_not_finished():
    """Stably sorted by id, bytewise; empty ids first."""
    named = [instance("c", "", digest="1"), instance("c", "", digest="2")]
    event = Pod(live_instances=[*runs("b1 a\ufb00 a\U0001f600 B1"), *named, *runs("a1†")])

    assert [*named, *runs("B1 a\ufb00 a\U0001f600 b1")] == list(dedupe(None, event).pod.live_instances)


def test_dedupe_rule_6_a_waiting_instance_never_shows_a_finished_id():
    """Crash loop back-off: the id is that of the dead run; digest and addresses are kept."""
    waiting = instance("a", "a1", digest="sha256:1", container_ips=["10.0.0.1"])
    waiting.instance_id.container_runtime = CRIO
    waiting.instance_id.node = "n1"
    merged = dedupe(None, Pod(live_instances=[waiting]), remembers("a", last("a1")))
    shown = instance("a", "", digest="sha256:1", container_ips=["10.0.0.1"])
    shown.instance_id.container_runtime = CONTAINERD
    shown.instance_id.node = "n1"

    assert [shown] == list(merged.pod.live_instances)
    assert keys("a1†") == merged.finished


def test_dedupe_rule_6_the_finished_run_need_not_be_visible():
    """It is enough that it was recorded."""
    (shown,) = dedupe(pod(), pod("a1?"), known=keys("a1†")).pod.live_instances

    assert "" == shown.instance_id.id


def test_dedupe_rule_6_a_waiting_instance_of_an_unknown_run_is_shown_as_sent():
    """So is one of another container, and one without an id."""
    event = Pod(live_instances=[instance("a", ""), instance("a", "a1"), instance("b", "x")])
    merged = dedupe(pod("", "a2†"), event, known=[*keys("a2†"), RunKey("a", "id:x")])

    assert list(event.live_instances) == list(merged.pod.live_instances)


def test_dedupe_rule_6_a_running_instance_is_shown_as_sent():
    """Even with an id that was recorded as finished."""
    merged = dedupe(pod("", "a1†"), pod("a1"), known=keys("a1†"))

    assert pod("a1", "a1†") == merged.pod


def test_dedupe_rule_7_live_instances_that_are_absent_leave_the_view():
    """No end is invented for them."""
    merged = dedupe(pod("a1 b1", "c1†"), pod("b1"), known=keys("c1†"))

    assert pod("b1", "c1†") == merged.pod
    assert () == merged.finished


def test_dedupe_rule_8_buckets_of_the_other_mode_are_put_in_order():
    """One per name in order of appearance, equal runs once, empty buckets gone."""
    merged = dedupe(pod("", "", "b1† a1†", "a2† a1†", "b2†"), pod("a3"))

    assert pod("a3", "b1† b2†", "a1† a2†") == merged.pod
    assert keys("b1† a1† a2† b2†") == merged.finished


def test_dedupe_rule_8_of_equal_runs_the_first_is_kept():
    """As it stands."""
    first, second = instance("a", "a1", finished=1, exit_code=1), instance("a", "a1", finished=2, exit_code=2)
    stored = Pod(terminated_instances=[bucket(first, second)])

    assert [first] == terminated(dedupe(stored, pod()).pod)


def test_dedupe_rule_8_an_empty_bucket_goes_even_if_nothing_else_happens():
    """Nothing finished, nothing known."""
    assert pod("a1") == dedupe(pod("", ""), pod("a1")).pod


@pytest.mark.property
@given(st.none() | any_pods, records, carries)
def test_applying_an_event_twice_changes_nothing_in_dedupe(stored, event, carried):
    """Nothing new is told either (pod-service 11.2)."""
    once = merge(stored, event, known=(), carried=carried, mode="dedupe")
    twice = merge(once.pod, event, known=once.finished, carried=carried, mode="dedupe")

    assert once.pod == twice.pod
    assert () == twice.finished


@pytest.mark.property
@given(st.lists(records, max_size=4))
def test_no_bucket_shows_a_run_twice_or_more_than_ten(events):
    """After any history, each container has one bucket that is not empty."""
    stored, known = None, ()
    for event in events:
        merged = merge(stored, event, known=known, mode="dedupe")
        stored, known = merged.pod, (*known, *merged.finished)
        shown = [[run_key(each) for each in filled.instances] for filled in stored.terminated_instances]

        assert all(1 <= len(some) == len(set(some)) <= VISIBLE_RUNS for some in shown)
        assert len({some[0].container for some in shown}) == len(shown)
        assert {key for some in shown for key in some} <= set(known)
