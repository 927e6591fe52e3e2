"""The owner walk: from references to a deployment id, and what follows when owners become known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podledger.pods.identity import static_deployment_id
from podledger.pods.owners import TRACKED_KINDS, Owners, Resolution, is_native, static_component, tracked
from tests.fakes.kubernetes_objects import CLUSTER, UID, owned_by, pod, reference
from tests.fakes.query_fixture import GROUPS


def resolve(owners: Owners, *references, **parts) -> Resolution:
    return owners.resolve(pod(ownerReferences=owned_by(*references), **parts), cluster_id=CLUSTER)


def chain(*links: tuple[str, str, list]) -> Owners:
    owners = Owners()
    for uid, kind, references in links:
        owners.add(uid, kind, f"{kind.lower()}-{uid}", references)
    return owners


# --------------------------------------------------------------------------------------- references


@pytest.mark.parametrize("case", GROUPS["owner_api"], ids=lambda case: case["id"])
def test_native_api_versions_follow_the_vectors(case):
    """Native as far as the name of the group tells."""
    assert case["expect"] == is_native(case["input"])


@pytest.mark.parametrize(
    ("api_version", "native"),
    [
        ("v1", True),
        ("a.b.c", True),
        ("apps/v1", True),
        ("argoproj.io/v1alpha1", True),
        ("k8s.io/v1", True),
        ("apps.openshift.io/v1", True),
        ("rbac.authorization.k8s.io/v1", True),
        ("my.group.k8s.io/v1", True),
        ("apps.kruise.io/v1alpha1", False),
        ("batch.volcano.sh/v1", False),
        ("serving.knative.dev/v1", False),
        ("a.b.xk8s.io/v1", False),
        ("a.b.k8s.io.example/v1", False),
        ("a.b/c.d.e/v1", True),
        ("a.b.c/x.k8s.io/v1", False),
        ("/v1", True),
    ],
)
def test_a_group_of_two_dots_is_that_of_a_custom_resource(api_version, native):
    """Unless it ends as Kubernetes' or OpenShift's own do (ingest 5.1)."""
    assert native == is_native(api_version)


def test_nine_kinds_are_tracked():
    """Whether or not the reference is the controlling one; Node and Rollout are not among them."""
    assert 9 == len(TRACKED_KINDS)
    assert all(tracked(reference("u", kind)) for kind in TRACKED_KINDS)
    assert not any(tracked(reference("u", kind)) for kind in ("Node", "Rollout", "deployment", ""))


@pytest.mark.parametrize(
    "untracked",
    [
        reference("", "ReplicaSet"),
        reference("u", "StatefulSet", api_version="apps.kruise.io/v1alpha1"),
        reference("u", "Job", api_version="batch.volcano.sh/v1alpha1"),
    ],
)
def test_a_reference_without_uid_or_of_a_foreign_group_is_not_tracked(untracked):
    """The pod is top-level then."""
    assert not tracked(untracked)
    assert UID == resolve(Owners(), untracked).deployment_id


def test_a_reference_without_api_version_is_tracked():
    """No group is no foreign group."""
    assert tracked(reference("u", "ReplicaSet", api_version=None))  # type: ignore[arg-type]


# --------------------------------------------------------------------------------------------- the walk


@pytest.mark.parametrize("case", GROUPS["owner_graph"], ids=lambda case: case["id"])
def test_owner_graphs_follow_the_vectors(case):
    """Objects come, change and go; the tops of one are asked for."""
    owners = Owners()
    for step, uid, *parents in case["steps"]:
        if step == "add":
            owners.add(uid, "ReplicaSet", uid, [reference(parent, "ReplicaSet") for parent in parents[0]])
        else:
            owners.remove(uid)

    assert set(case["expect"]) == owners.tops(case["ask"])


@pytest.mark.parametrize(
    ("direct", "above", "top"),
    [
        ("ReplicaSet", "Deployment", "Deployment"),
        ("ReplicaSet", None, "ReplicaSet"),
        ("Job", "CronJob", "CronJob"),
        ("Job", None, "Job"),
        ("ReplicationController", "DeploymentConfig", "DeploymentConfig"),
        ("ReplicationController", None, "ReplicationController"),
    ],
)
def test_a_known_owner_leads_to_its_own_owner_or_is_the_top(direct, above, top):
    """The rows of ingest 5.2."""
    owners = chain(("o", direct, [reference("t", above)] if above else []))
    uid = "t" if above else "o"

    expected = Resolution(uid, top, f"{top.lower()}-{uid}", uid, tracked_owner_uid="o")
    assert expected == resolve(owners, reference("o", direct, controller=True))


@pytest.mark.parametrize("kind", ["DaemonSet", "StatefulSet", "Deployment", "CronJob", "DeploymentConfig"])
def test_a_workload_is_a_top_without_its_object(kind):
    """The reference tells uid, kind and name."""
    assert Resolution("w", kind, "w1", "w", tracked_owner_uid="w") == resolve(Owners(), reference("w", kind, "w1"))


@pytest.mark.parametrize("kind", ["ReplicaSet", "Job", "ReplicationController", "Pod"])
def test_an_intermediate_that_is_not_known_stands_in_for_the_top(kind):
    """Its uid is the deployment id, marked as not resolved."""
    expected = Resolution("o", kind, "o1", "o", tracked_owner_uid="o", resolved=False)

    assert expected == resolve(Owners(), reference("o", kind, "o1"))


def test_a_bare_pod_is_its_own_deployment():
    """So is one owned by what is not tracked, such as a Node."""
    expected = Resolution(UID, "Pod", "web-1", UID)

    assert expected == resolve(Owners())
    assert expected == resolve(Owners(), reference("n", "Node", api_version="v1"))
    assert expected == Owners().resolve(pod(ownerReferences=None), cluster_id=CLUSTER)


def test_a_pod_owned_by_a_pod_has_the_owners_deployment():
    """Through the pod to its Deployment; a bare pod is the top."""
    owners = chain(("r", "ReplicaSet", [reference("d", "Deployment")]))
    owners.add_pod(pod(uid="p", name="parent", ownerReferences=owned_by(reference("r", "ReplicaSet"))))
    owners.add_pod(pod(uid="b", name="bare"))

    assert "d" == resolve(owners, reference("p", "Pod")).deployment_id
    assert Resolution("b", "Pod", "bare", "b", tracked_owner_uid="b") == resolve(owners, reference("b", "Pod", "bare"))


def test_a_pod_owned_by_a_static_pod_belongs_to_the_static_pods():
    """The owner pod's own deployment id (ingest 5.2)."""
    owners = Owners()
    owners.add_pod(pod(uid="s", name="etcd-1", namespace="kube-system", labels={"component": "etcd"}))
    found = resolve(owners, reference("s", "Pod"))

    assert (static_deployment_id(CLUSTER, "etcd"), "StaticPods") == (found.deployment_id, found.top_kind)
    assert "s" == found.tracked_owner_uid


def test_a_diamond_that_meets_counts_as_one():
    """Two owners with one owner."""
    owners = chain(
        ("a", "ReplicaSet", [reference("d", "Deployment")]), ("b", "ReplicaSet", [reference("d", "Deployment")])
    )
    found = resolve(owners, reference("a", "ReplicaSet"), reference("b", "ReplicaSet", controller=True))

    assert ("d", "b", False) == (found.deployment_id, found.tracked_owner_uid, found.ambiguous)


def test_of_several_tops_the_chain_of_the_controller_is_chosen():
    """And counted as ambiguous; the direct owner is the one on that chain."""
    owners = chain(("a", "ReplicaSet", [reference("d1", "Deployment")]), ("b", "Job", [reference("d2", "CronJob")]))
    found = resolve(owners, reference("a", "ReplicaSet"), reference("b", "Job", controller=True))

    assert Resolution("d2", "CronJob", "cronjob-d2", "d2", tracked_owner_uid="b", ambiguous=True) == found


def test_of_several_tops_without_controller_the_smallest_uid_is_chosen():
    """Whatever the order of the references; the uid is that of the top, not of the direct owner."""
    owners = chain(
        ("a", "ReplicaSet", [reference("z", "Deployment")]), ("b", "ReplicaSet", [reference("y", "Deployment")])
    )
    found = resolve(owners, reference("a", "ReplicaSet"), reference("b", "ReplicaSet"))

    assert ("y", "b", True) == (found.deployment_id, found.tracked_owner_uid, found.ambiguous)


def test_an_untracked_controller_does_not_decide():
    """Its chain is not walked."""
    foreign = reference("0", "Rollout", api_version="argoproj.io/v1", controller=True)
    found = resolve(Owners(), foreign, reference("z", "DaemonSet"), reference("y", "StatefulSet"))

    assert ("y", "y", True) == (found.deployment_id, found.tracked_owner_uid, found.ambiguous)


def test_the_controlling_chain_is_followed_all_the_way_up():
    """Also where an owner further up has several owners."""
    links = [reference("a", "Deployment"), reference("z", "Deployment", controller=True)]
    found = resolve(chain(("r", "ReplicaSet", links)), reference("r", "ReplicaSet", controller=True))

    assert ("z", "r", True) == (found.deployment_id, found.tracked_owner_uid, found.ambiguous)


def test_the_smallest_top_of_the_controlling_chain_is_chosen_where_it_forks():
    """A smaller top of another reference does not count."""
    forks = [reference("y", "Deployment"), reference("z", "Deployment")]
    owners = chain(("r", "ReplicaSet", forks), ("q", "ReplicaSet", [reference("a", "Deployment")]))
    found = resolve(owners, reference("q", "ReplicaSet"), reference("r", "ReplicaSet", controller=True))

    assert ("y", "r") == (found.deployment_id, found.tracked_owner_uid)


def test_two_references_to_one_owner_are_one():
    """Nothing ambiguous about it."""
    assert not resolve(Owners(), reference("d", "DaemonSet"), reference("d", "DaemonSet")).ambiguous


def test_owners_that_own_each_other_end_the_walk():
    """The last one seen stands for the top; the walk always ends."""
    owners = chain(
        ("a", "ReplicaSet", [reference("b", "ReplicaSet")]), ("b", "ReplicaSet", [reference("a", "ReplicaSet")])
    )
    itself = chain(("a", "ReplicaSet", [reference("a", "ReplicaSet", controller=True)]))

    assert "b" == resolve(owners, reference("a", "ReplicaSet")).deployment_id
    assert "a" == resolve(itself, reference("a", "ReplicaSet")).deployment_id
    assert frozenset({"a"}) == itself.tops("a")


def test_a_top_beside_a_circle_is_found():
    """Only when there is no other end does the circle count."""
    owners = chain(
        ("a", "ReplicaSet", [reference("b", "ReplicaSet"), reference("d", "Deployment")]),
        ("b", "ReplicaSet", [reference("a", "ReplicaSet")]),
    )

    assert frozenset({"d"}) == owners.tops("a") == owners.tops("b")


def test_a_circle_of_controllers_beside_another_top_ends_too():
    """The chain of controllers never leaves the circle."""
    owners = chain(
        ("a", "ReplicaSet", [reference("b", "ReplicaSet", controller=True), reference("d", "Deployment")]),
        ("b", "ReplicaSet", [reference("a", "ReplicaSet", controller=True), reference("e", "Deployment")]),
    )
    found = resolve(owners, reference("a", "ReplicaSet", controller=True))

    assert ("d", "a", True) == (found.deployment_id, found.tracked_owner_uid, found.ambiguous)


def test_the_walk_goes_ten_steps_up():
    """The tenth owner is a top, whatever owns it."""
    links = [(f"o{n}", "ReplicaSet", [reference(f"o{n + 1}", "ReplicaSet")]) for n in range(1, 20)]
    owners = chain(*links)

    assert "o10" == resolve(owners, reference("o1", "ReplicaSet")).deployment_id
    assert frozenset({"o11"}) == owners.tops("o1")


def test_a_chain_of_controllers_is_followed_ten_steps_too():
    """Beside another top, which does not make it longer."""
    links = [(f"o{n}", "ReplicaSet", [reference(f"o{n + 1}", "ReplicaSet", controller=True)]) for n in range(1, 20)]
    found = resolve(chain(*links), reference("o1", "ReplicaSet", controller=True), reference("a", "Deployment"))

    assert ("o10", "o1", True) == (found.deployment_id, found.tracked_owner_uid, found.ambiguous)


@pytest.mark.property
@given(st.dictionaries(st.integers(0, 7), st.lists(st.integers(0, 7), max_size=3)), st.integers(0, 7))
def test_any_graph_resolves_to_something_that_was_named(graph, start):
    """With circles, forks and unknown owners in any mixture."""
    owners = Owners()
    for uid, parents in graph.items():
        references = [reference(str(parent), "ReplicaSet", controller=not n) for n, parent in enumerate(parents)]
        owners.add(str(uid), "ReplicaSet", "", references)
    found = resolve(owners, reference(str(start), "ReplicaSet"))

    assert found.deployment_id in owners.tops(str(start))
    assert found.ambiguous == (len(owners.tops(str(start))) > 1)
    assert str(start) == found.tracked_owner_uid


# ------------------------------------------------------------------------------------------ static pods


@pytest.mark.parametrize(
    ("labels", "component"),
    [
        ({"component": "etcd"}, "etcd"),
        ({"k8s-app": "kube-proxy"}, "kube-proxy"),
        ({"k8s-app": "dns", "component": "etcd"}, "etcd"),
        ({"k8s-app": "dns", "component": ""}, ""),
        ({"component": None}, ""),
        ({"app": "etcd"}, None),
        ({}, None),
    ],
)
def test_a_static_pod_is_named_by_the_first_label_that_is_present(labels, component):
    """`component`, else `k8s-app`; an empty value is a value."""
    assert component == static_component("kube-system", labels)
    assert static_component("default", labels) is None


def test_static_pods_of_one_component_share_a_deployment():
    """All kube-apiserver pods of the control plane, by the example of ingest 5.3."""
    found = resolve(Owners(), namespace="kube-system", labels={"component": "kube-apiserver"})
    expected = "1c39562a-c472-5dc5-b6ae-661fbcfc4ea2"

    assert Resolution(expected, "StaticPods", "static-kube-apiserver-pods", expected) == found


def test_a_mirror_pod_is_static_and_an_owned_pod_is_not():
    """A Node is no tracked owner; a DaemonSet of kube-system is."""
    labels = {"k8s-app": "kube-proxy"}
    mirror = resolve(Owners(), reference("n", "Node", api_version="v1"), namespace="kube-system", labels=labels)
    owned = resolve(Owners(), reference("d", "DaemonSet"), namespace="kube-system", labels=labels)

    assert ("StaticPods", "DaemonSet") == (mirror.top_kind, owned.top_kind)


# ---------------------------------------------------------------------------------------- guessed names


@pytest.mark.parametrize(
    ("owner", "labels", "guess"),
    [
        (("ReplicaSet", "web-7d4f9"), {"pod-template-hash": "7d4f9"}, ("Deployment", "web")),
        (("ReplicaSet", "my-web-a-b"), {"pod-template-hash": "a-b"}, ("Deployment", "my-web")),
        (("ReplicaSet", "web-7d4f9"), {"pod-template-hash": "d4f9"}, None),
        (("ReplicaSet", "web-7d4f9"), {"pod-template-hash": ""}, None),
        (("ReplicaSet", "web-"), {"pod-template-hash": ""}, None),
        (("ReplicaSet", "-7d4f9"), {"pod-template-hash": "7d4f9"}, None),
        (("ReplicaSet", "web-7d4f9"), {}, None),
        (("ReplicaSet", "web-28491234"), {}, None),
        (("Job", "backup-28491234"), {}, ("CronJob", "backup")),
        (("Job", "a-b-1709254800"), {}, ("CronJob", "a-b")),
        (("Job", "backup-2849123"), {}, None),
        (("Job", "backup-28491234567"), {}, None),
        (("Job", "backup-2849123x"), {}, None),
        (("Job", "backup-２８４９１２３４"), {}, None),
        (("Job", "-28491234"), {}, None),
        (("Job", "28491234"), {}, None),
        (("ReplicationController", "web-7d4f9"), {"pod-template-hash": "7d4f9"}, None),
        (("Pod", "web-28491234"), {}, None),
    ],
)
def test_names_of_unknown_owners_are_guessed_by_convention(owner, labels, guess):
    """Names only: the deployment id stays that of the owner that is known (ingest 5.5)."""
    kind, name = owner
    found = resolve(Owners(), reference("o", kind, name), labels=labels)

    expected = Resolution("o", *(guess or owner), "o", tracked_owner_uid="o", resolved=False, guessed=guess is not None)
    assert expected == found


def test_nothing_is_guessed_of_a_known_owner():
    """A ReplicaSet without Deployment is a workload of its own, whatever its name looks like."""
    owners = chain(("o", "ReplicaSet", []))
    found = resolve(owners, reference("o", "ReplicaSet", "web-7d4f9"), labels={"pod-template-hash": "7d4f9"})

    assert ("ReplicaSet", "web-7d4f9", False) == (found.top_kind, found.top_name, found.guessed)


def test_the_label_of_a_pod_tells_of_its_direct_owner_only():
    """Not of the ReplicaSet above the pod that owns it."""
    owners = Owners()
    owners.add_pod(pod(uid="p", ownerReferences=owned_by(reference("r", "ReplicaSet", "web-7d4f9"))))
    found = resolve(owners, reference("p", "Pod"), labels={"pod-template-hash": "7d4f9"})

    assert ("ReplicaSet", False, False) == (found.top_kind, found.guessed, found.resolved)


# ----------------------------------------------------------------------------------------------- repair


def test_an_owner_that_becomes_known_resolves_the_pods_on_it():
    """What `resolve` says of such a pod from then on."""
    owners = Owners()
    news = owners.add("r", "ReplicaSet", "web-1", [reference("d", "Deployment", "web")])
    expected = Resolution("d", "Deployment", "web", "d", tracked_owner_uid="r")

    assert news
    assert [expected] == owners.updates("r", cluster_id=CLUSTER)
    assert expected == resolve(owners, reference("r", "ReplicaSet", "web-1"))


def test_an_owner_known_as_before_is_no_news():
    """A relist brings every owner again."""
    owners = chain(("r", "ReplicaSet", [reference("d", "Deployment")]))

    assert not owners.add("r", "ReplicaSet", "replicaset-r", [reference("d", "Deployment")])
    assert not owners.add("r", "ReplicaSet", "replicaset-r", [reference("n", "Node"), reference("d", "Deployment")])


def test_adoption_moves_the_pods_of_an_owner():
    """Its tracked parents changed."""
    owners = chain(("r", "ReplicaSet", []))
    news = owners.add("r", "ReplicaSet", "replicaset-r", [reference("d", "Deployment", controller=True)])

    assert news
    assert ["d"] == [update.deployment_id for update in owners.updates("r", cluster_id=CLUSTER)]


def test_pods_further_down_move_as_well():
    """A pod that hangs on a pod that hangs on the owner; each direct owner is told once, from the top down."""
    owners = Owners()
    parent = pod(uid="p", ownerReferences=owned_by(reference("r", "ReplicaSet")))
    child = pod(uid="c", ownerReferences=owned_by(reference("p", "Pod")))
    owners.add_pod(parent)
    owners.add_pod(child)
    owners.add("r", "ReplicaSet", "web-1", [reference("d", "Deployment")])
    updates = owners.updates("r", cluster_id=CLUSTER)

    assert [("r", "d"), ("p", "d")] == [(update.tracked_owner_uid, update.deployment_id) for update in updates]


def test_a_pod_on_which_nothing_hangs_needs_no_update():
    """Nor does an object that is not known."""
    owners = Owners()
    owners.add_pod(pod(uid="p"))

    assert [] == owners.updates("p", cluster_id=CLUSTER)
    assert [] == owners.updates("unknown", cluster_id=CLUSTER)


def test_pods_of_a_static_pod_follow_its_component():
    """Their deployment id is that of the static pods."""
    owners = Owners()
    owners.add_pod(pod(uid="c", ownerReferences=owned_by(reference("s", "Pod"))))
    owners.add_pod(pod(uid="s", namespace="kube-system", labels={"component": "etcd"}))
    (update,) = owners.updates("s", cluster_id=CLUSTER)

    assert ("s", static_deployment_id(CLUSTER, "etcd")) == (update.tracked_owner_uid, update.deployment_id)


def test_a_circle_is_told_once():
    """Updates end as the walk does."""
    owners = chain(
        ("a", "ReplicaSet", [reference("b", "ReplicaSet")]), ("b", "ReplicaSet", [reference("a", "ReplicaSet")])
    )

    assert ["a", "b"] == [update.tracked_owner_uid for update in owners.updates("a", cluster_id=CLUSTER)]


def test_an_owner_that_is_forgotten_is_a_top_again():
    """Not known any more, so not resolved; forgetting it twice is no error."""
    owners = chain(
        ("r", "ReplicaSet", [reference("d", "Deployment")]), ("q", "ReplicaSet", [reference("d", "Deployment")])
    )
    owners.remove("r")
    owners.remove("r")
    found = resolve(owners, reference("r", "ReplicaSet"))

    assert ("r", False) == (found.deployment_id, found.resolved)
    assert "d" == resolve(owners, reference("q", "ReplicaSet")).deployment_id
