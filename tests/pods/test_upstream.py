"""Records of upstream answers, member by member (ingest 7.4)."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podledger.errors import BadInput
from podledger.pods import upstream
from podledger.pods.identity import NO_CLUSTER, parse_uuid
from podledger.pods.upstream import Keep, UpstreamCluster, UpstreamNamespace, UpstreamWorkload, shortest
from podledger.pods.workloads import Env, Exposure, Port, Secret, Volume, Workload, WorkloadContainer
from podledger.query import fields

ID = "d1000000-0000-4000-8000-000000000000"
CLUSTER = "c1000000-0000-4000-8000-00000000000a"
NAMESPACE = "f1000000-0000-4000-8000-000000000000"
DEFAULT = Keep()


def deployment(keep: Keep = DEFAULT, **members: Any) -> Workload:
    return upstream.decode_workload(data(id=ID, **members), keep=keep).workload


def container(keep: Keep = DEFAULT, **members: Any) -> WorkloadContainer:
    (found,) = deployment(keep, containers=[members]).containers
    return found


def data(**members: Any) -> bytes:
    return json.dumps(members).encode()


def problem(read: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(BadInput) as refused:
        read(*arguments, **options)
    return refused.value.message


# ----------------------------------------------------------------------------------------------- pods

POD = {
    "id": ID,
    "name": "web-1",
    "deploymentId": "no uuid",
    "namespace": "shop",
    "clusterId": CLUSTER.upper(),
    "liveInstances": [
        {
            "instanceId": {"containerRuntime": "CRIO_CONTAINER_RUNTIME", "id": "a1", "node": "n"},
            "containingPodId": "nonsense",
            "containerName": "app",
            "containerIps": ["10.0.0.1"],
            "started": "2024-03-01T00:00:00.123456789Z",
            "imageDigest": "sha256:aa",
        }
    ],
    "terminatedInstances": [
        {"instances": [{"containingPodId": "web-1.shop@3f2c", "exitCode": "137", "finished": "2024-03-01T01:00:00Z"}]}
    ],
    "started": "2024-03-01T00:00:00Z",
}


def test_a_pod_keeps_every_field_as_sent() -> None:
    """Also ids in other forms, and terminated instances."""
    found = upstream.decode_pod(data(**POD))
    pod = found.record.pod

    assert (parse_uuid(CLUSTER), parse_uuid(ID)) == (found.cluster, found.id)
    assert (CLUSTER.upper(), "no uuid", "shop") == (pod.cluster_id, pod.deployment_id, pod.namespace)
    assert (2, 123456789) == (pod.live_instances[0].instance_id.container_runtime, pod.live_instances[0].started.nanos)
    assert 137 == pod.terminated_instances[0].instances[0].exit_code


def test_the_uid_is_told_by_the_first_containing_pod_id_that_is_one() -> None:
    assert "3f2c" == upstream.decode_pod(data(**POD)).record.uid
    assert "" == upstream.decode_pod(data(id=ID)).record.uid


def test_names_of_members_are_lower_camel_or_those_of_the_proto() -> None:
    one = upstream.decode_pod(data(id=ID, deploymentId="a", liveInstances=[{"containerName": "c"}], new={"x": 1}))
    other = upstream.decode_pod(
        data(id=ID, deployment_id="a", live_instances=[{"container_name": "c"}], clusterId=None)
    )

    assert one == other


def test_a_pod_may_belong_to_no_cluster() -> None:
    assert NO_CLUSTER == upstream.decode_pod(data(id=ID, clusterId="")).cluster


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"id": "abc"}, 'pod.id "abc" is no UUID: invalid UUID length: 3'),
        ({}, 'pod.id "" is no UUID: invalid UUID length: 0'),
        ({"id": ID, "clusterId": "north"}, 'pod.clusterId "north" is no UUID: invalid UUID length: 5'),
        ({"id": ID, "clusterId": str(bytes(16).hex())}, "pod.clusterId is the nil UUID, which names no cluster"),
        ({"id": ID, "\ud800": 1}, "not usable JSON: "),
        ({"id": ID, "name": 1}, "pod: Failed to parse name field: expected string or bytes-like object, got 'int'"),
    ],
)
def test_a_malformed_pod_is_told(members: dict[str, Any], expected: str) -> None:
    assert problem(upstream.decode_pod, data(**members)).startswith(expected)


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b'"x"', b"{", b'{"id":NaN}', b"[" * 100_000])
def test_what_is_no_record_is_malformed(text: bytes) -> None:
    for read in (upstream.decode_pod, upstream.decode_namespace, upstream.decode_cluster, upstream.decode_end):
        problem(read, text)
    problem(upstream.decode_workload, text, keep=DEFAULT)


# ------------------------------------------------------------------------------------------ workloads


def test_a_deployment_is_read_with_all_that_hangs_on_it() -> None:
    told = {
        "id": ID, "name": "cart", "type": "Deployment", "namespace": "shop", "namespaceId": NAMESPACE,
        "clusterId": CLUSTER, "clusterName": "north", "labels": {"app": "cart"}, "podLabels": {"a": None},
        "annotations": {"note": "x", "kubectl.kubernetes.io/last-applied-configuration": "secret"},
        "created": "2024-05-10T10:00:00.5+02:00", "hash": "17", "serviceAccount": "robot",
        "serviceAccountPermissionLevel": "DEFAULT", "imagePullSecrets": ["a"], "riskScore": 3.5,
        "orchestratorComponent": True, "platformComponent": False,
        "containers": [
            {
                "type": "INIT",
                "image": {"id": "sha256:aa", "idV2": "v2", "name": {"fullName": "r/m:t", "registry": "r", "remote": "m", "tag": "t"}},
                "securityContext": {"privileged": True, "readOnlyRootFilesystem": True, "addCapabilities": ["NET"], "dropCapabilities": ["ALL"]},
                "resources": {"cpuCoresRequest": 0.1, "cpuCoresLimit": 0.25, "memoryMbRequest": 128, "memoryMbLimit": "512"},
                "config": {"env": [{"key": "K", "value": "secret", "envVarSource": "RAW"}]},
                "volumes": [{"name": "v", "source": "s", "destination": "d", "type": "t", "readOnly": True}],
                "secrets": [{"name": "s", "path": "p"}],
            }
        ],
        "ports": [
            {
                "exposure": "EXTERNAL",
                "exposureInfos": [
                    {"level": 2, "serviceName": "s", "servicePort": 80, "nodePort": "30000", "externalIps": ["1"], "externalHostnames": []}
                ],
            }
        ],
    }  # fmt: skip

    assert UpstreamWorkload(
        parse_uuid(CLUSTER),
        Workload(
            deployment_id=parse_uuid(ID), name="cart", type="Deployment", namespace="shop",
            namespace_id=parse_uuid(NAMESPACE), cluster_name="north", labels={"app": "cart"}, pod_labels={"a": ""},
            annotations={"note": "x"}, created=1_715_328_000_500_000, hash=17, service_account="robot",
            service_account_permission_level=2, image_pull_secrets=("a",), risk_score=3.5, orchestrator_component=True,
            platform_component=False,
            containers=(
                WorkloadContainer(
                    1, "r/m:t", "r", "m", "t", "sha256:aa", "v2", True, True, ("NET",), ("ALL",), 0.1, 0.25, 128.0, 512.0,
                    (Env("K", None, 1),), (Volume("v", "s", "d", "t", True),), (Secret("s", "p"),),
                ),
            ),
            ports=(Port(1, (Exposure(2, "s", 80, 30000, ("1",), None),)),),
        ),
    ) == upstream.decode_workload(json.dumps(told).encode(), keep=DEFAULT)  # fmt: skip


def test_an_absent_scalar_is_told_as_zero() -> None:
    """And a list that is absent is not told."""
    expected = Workload(
        parse_uuid(ID), "", "", "", None, "", labels={}, pod_labels={}, annotations={}, created=None, hash=0,
        service_account="", service_account_permission_level=0, image_pull_secrets=None, risk_score=0.0,
        orchestrator_component=False, platform_component=False,
    )  # fmt: skip

    assert expected == deployment()
    assert expected == deployment(**dict.fromkeys(["name", "labels", "riskScore", "containers", "imagePullSecrets"]))
    assert WorkloadContainer(
        0, "", "", "", "", "", None, False, False, None, None, 0.0, 0.0, 0.0, 0.0
    ) == container(image={"idV2": "", "name": None}, config=None)  # fmt: skip


@pytest.mark.parametrize(
    ("told", "usual", "kept"), [(None, None, None), ([], None, ()), (["", "a"], ("", "a"), ("", "a"))]
)
def test_an_empty_list_is_kept_on_demand_only(told: Any, usual: Any, kept: Any) -> None:
    """These servers print `[]` for absent lists too."""
    keep = Keep(empty_lists=True)

    assert (usual, kept) == (
        deployment(imagePullSecrets=told).image_pull_secrets,
        deployment(keep, imagePullSecrets=told).image_pull_secrets,
    )
    assert kept == container(keep, securityContext={"add_capabilities": told}).add_capabilities


def test_environment_values_are_kept_on_demand_only() -> None:
    told = {"config": {"env": [{"key": "K", "value": "s3cr3t"}, {"key": "E"}]}}

    assert (None, None) == tuple(each.value for each in container(**told).envs)
    assert ("s3cr3t", "") == tuple(each.value for each in container(Keep(env_values=True), **told).envs)


@pytest.mark.parametrize(
    ("told", "expected"),
    [("ELEVATED_CLUSTER_WIDE", 4), (5, 5), ("UNSET", 0), (99, 99), ("FROM_THE_FUTURE", None), (None, 0)],
)
def test_an_enum_is_a_name_or_a_number(told: Any, expected: int | None) -> None:
    """A name that is not known yet tells nothing."""
    assert expected == deployment(serviceAccountPermissionLevel=told).service_account_permission_level


def test_the_enums_are_those_of_the_search_model() -> None:
    paths = {
        "permission level": "deployment.service_account_permission_level",
        "container type": "deployment.containers.type",
        "variable source": "deployment.containers.config.env.env_var_source",
        "exposure level": "deployment.ports.exposure",
        "provider type": "cluster.status.provider_metadata.cluster.type",
        "platform type": "cluster.type",
    }

    assert {name: fields.ENUMS[path] for name, path in paths.items()} == upstream.ENUMS
    assert fields.ENUMS["deployment.ports.exposure_infos.level"] == upstream.ENUMS["exposure level"]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (0.1, 0.1),
        ("0.1", 0.1),
        (0.10000000149011612, 0.1),
        (1, 1.0),
        (1e-3, 0.001),
        ("2.5e1", 25.0),
        (16777217, 16777216.0),
    ],
)
def test_a_number_is_the_shortest_decimal_of_its_32_bits(told: Any, expected: float) -> None:
    """So 0.1 finds a limit of 100m, however it was printed."""
    assert expected == container(resources={"cpuCoresLimit": told}).cpu_limit


@pytest.mark.property
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_shortest_decimal_means_the_same_number(number: float) -> None:
    """And no shorter text does."""
    found = shortest(number)
    digits = len(repr(found).partition("e")[0].replace(".", "").replace("-", "").strip("0"))

    assert number == in_32_bits(found)
    for fewer in range(1, digits):
        assert number != in_32_bits(float(f"{number:.{fewer - 1}e}"))


def in_32_bits(number: float) -> float:
    try:
        return struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError:
        return math.inf


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("18446744073709551615", float(2**64)),
        (2**63 - 1, 2**63 - 1),
        (2**63, float(2**63)),
        (7.0, 7),
        ("7", 7),
        (None, 0),
    ],
)
def test_a_hash_has_64_bits(told: Any, expected: float) -> None:
    """As a text or a number. Beyond what stores hold it is the nearest float."""
    assert expected == deployment(hash=told).hash


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"name": 1}, "deployment.name is not a text"),
        ({"name": "\ud800"}, "not usable JSON: "),
        ({"labels": {"a": 1}}, 'deployment.labels["a"] is not a text'),
        ({"labels": []}, "deployment.labels is not an object"),
        ({"hash": -1}, "deployment.hash is not a whole number that fits: -1"),
        ({"hash": "1.5"}, 'deployment.hash is not a whole number that fits: "1.5"'),
        ({"hash": True}, "deployment.hash is not a number: true"),
        ({"riskScore": "NaN"}, 'deployment.riskScore is not a number: "NaN"'),
        ({"riskScore": 1e39}, "deployment.riskScore is not a number that fits: 1e+39"),
        ({"riskScore": "1e999"}, 'deployment.riskScore is not a number: "1e999"'),
        ({"riskScore": 10**400}, "deployment.riskScore is not a number: 1000"),
        ({"platformComponent": "true"}, "deployment.platformComponent is neither true nor false"),
        ({"created": "yesterday"}, 'deployment.created is not an RFC 3339 time: "yesterday"'),
        ({"containers": {}}, "deployment.containers is not a list"),
        ({"containers": [None]}, "deployment.containers[0] is not an object"),
        ({"containers": [{"image": {"name": {"tag": 2}}}]}, "deployment.containers[0].image.name.tag is not a text"),
        ({"imagePullSecrets": ["a", None]}, "deployment.imagePullSecrets[1] is not a text"),
        ({"ports": [{"exposureInfos": [{"nodePort": 2**31}]}]}, "deployment.ports[0].exposureInfos[0].nodePort is not a whole"),
    ],
)  # fmt: skip
def test_a_malformed_deployment_is_told_by_its_member(members: dict[str, Any], expected: str) -> None:
    assert problem(deployment, **members).startswith(expected)


def test_a_namespace_id_that_is_no_uuid_joins_nothing() -> None:
    assert deployment(namespaceId="shop").namespace_id is None


# ----------------------------------------------------------------------------- namespaces and clusters


def test_a_namespace_is_its_metadata() -> None:
    metadata = {"id": NAMESPACE, "name": "shop", "cluster_id": CLUSTER, "clusterName": "north", "labels": {"a": "b"}}

    assert UpstreamNamespace(
        parse_uuid(CLUSTER), "north", parse_uuid(NAMESPACE), "shop", {"a": "b"}, {}
    ) == upstream.decode_namespace(data(metadata=metadata, numSecrets=3))


def test_a_cluster_tells_platform_provider_and_version() -> None:
    status = {"providerMetadata": {"cluster": {"type": "GKE"}}, "orchestratorMetadata": {"version": "v1.30"}}
    found = upstream.decode_cluster(
        data(id=CLUSTER, name="north", labels={"r": "eu"}, type="OPENSHIFT4_CLUSTER", status=status)
    )

    assert UpstreamCluster(parse_uuid(CLUSTER), "north", {"r": "eu"}, 5, 4, "v1.30") == found
    assert UpstreamCluster(parse_uuid(CLUSTER), "", {}, 0, 0, "") == upstream.decode_cluster(data(id=CLUSTER))


def test_a_cluster_without_an_id_is_malformed() -> None:
    assert "cluster.id is empty" == problem(upstream.decode_cluster, data(name="north"))


# ----------------------------------------------------------------------------------------------- ends


@pytest.mark.parametrize(("told", "expected"), [({"count": 3}, 3), ({"count": "3"}, 3), ({}, 0)])
def test_an_end_tells_a_number(told: dict[str, Any], expected: int) -> None:
    assert expected == upstream.decode_end(data(**told))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (b'{"code":4,"message":"context deadline exceeded"}', '"context deadline exceeded"'),
        (b'"cut"', '"cut"'),
        (b'{"code":4}', '"{\\"code\\": 4}"'),
        (b"{nonsense", '"{nonsense"'),
    ],
)
def test_an_error_is_quoted(told: bytes, expected: str) -> None:
    assert expected == upstream.error_text(told)
