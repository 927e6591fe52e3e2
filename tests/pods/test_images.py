"""Container ids, image ids, image names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podledger.pods.images import ImageName, digest_kind, image_digest, runtime_and_id, runtime_number, split_name
from podledger_protos.storage.container_runtime_pb2 import ContainerRuntime
from tests.fakes.query_fixture import GROUPS

DIGITS = "68235934469f3bc58917bcf7018bf0d3b72129e6303b0bef28186d96b2259317"
DIGEST = f"sha256:{DIGITS}"

UNKNOWN = ContainerRuntime.UNKNOWN_CONTAINER_RUNTIME
DOCKER = ContainerRuntime.DOCKER_CONTAINER_RUNTIME
CRIO = ContainerRuntime.CRIO_CONTAINER_RUNTIME


@pytest.mark.parametrize("case", GROUPS["container_id"], ids=lambda case: case["id"])
def test_container_ids_follow_the_vectors(case):
    """Runtime of the wire, and id."""
    runtime, run, _ = runtime_and_id(case["input"])

    assert case["expect"] == {"runtime": ContainerRuntime.Name(runtime), "id": run}


@pytest.mark.parametrize(
    ("container_id", "runtime", "run", "name"),
    [
        ("docker://ab", DOCKER, "ab", "docker"),
        ("cri-o://ab", CRIO, "ab", "cri-o"),
        ("containerd://ab", UNKNOWN, "ab", "containerd"),
        ("Docker://ab", UNKNOWN, "ab", "Docker"),
        ("docker://a://b", DOCKER, "a://b", "docker"),
        ("docker:/ab", UNKNOWN, "docker:/ab", ""),
        ("docker://", DOCKER, "", "docker"),
        ("://ab", UNKNOWN, "ab", ""),
        ("ab", UNKNOWN, "ab", ""),
        ("", UNKNOWN, "", ""),
    ],
)
def test_a_container_id_is_cut_at_the_first_separator(container_id, runtime, run, name):
    """Containerd has no number on the wire; its real name is kept (ingest 4.2, 4.5)."""
    assert (runtime, run, name) == runtime_and_id(container_id)
    assert runtime == runtime_number(name)


@pytest.mark.parametrize("case", GROUPS["image_digest"], ids=lambda case: case["id"])
def test_image_digests_follow_the_vectors(case):
    """From the first sha256, else from the first sha512."""
    assert case["expect"] == image_digest(case["input"])


@pytest.mark.parametrize(
    ("image_id", "digest", "kind"),
    [
        ("", "", ""),
        ("repo:tag", "", ""),
        ("docker-pullable://r.io/a@sha256:1", "sha256:1", "registry"),
        ("r.io/a@sha256:1", "sha256:1", "registry"),
        ("r.io/a@sha512:1", "sha512:1", "registry"),
        ("sha256:1", "sha256:1", "config"),
        ("docker://sha256:1", "sha256:1", "config"),
        ("docker://sha512:1", "sha512:1", "config"),
        ("a@sha256:1@sha256:2", "sha256:1@sha256:2", "registry"),
        ("sha512:1 sha256:2", "sha256:2", "config"),
        ("SHA256:1", "", ""),
    ],
)
def test_a_bare_digest_is_that_of_an_image_config(image_id, digest, kind):
    """It cannot be compared with a digest behind a repository (ingest 4.3)."""
    assert digest == image_digest(image_id)
    assert kind == digest_kind(image_id)


@pytest.mark.parametrize(
    ("image", "registry", "remote", "tag", "digest"),
    [
        ("nginx", "docker.io", "library/nginx", "latest", ""),
        ("nginx:1.27", "docker.io", "library/nginx", "1.27", ""),
        ("bitnami/redis", "docker.io", "bitnami/redis", "latest", ""),
        ("docker.io/nginx", "docker.io", "library/nginx", "latest", ""),
        ("index.docker.io/nginx", "docker.io", "library/nginx", "latest", ""),
        ("index.docker.io/a/b:1", "docker.io", "a/b", "1", ""),
        ("localhost/a", "localhost", "a", "latest", ""),
        ("localhost:5000", "docker.io", "library/localhost", "5000", ""),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io", "pause", "3.10", ""),
        ("reg:5000/a/b", "reg:5000", "a/b", "latest", ""),
        ("reg:5000/a/b:v1_2.3-X", "reg:5000", "a/b", "v1_2.3-X", ""),
        ("Reg.Example.COM/a", "Reg.Example.COM", "a", "latest", ""),
        ("[::1]:5000/a:t", "[::1]:5000", "a", "t", ""),
        ("[fe80:0:0:0::9]/a", "[fe80:0:0:0::9]", "a", "latest", ""),
        (f"quay.io/x/y@{DIGEST}", "quay.io", "x/y", "", DIGEST),
        (f"quay.io/x/y:v1@{DIGEST}", "quay.io", "x/y", "v1", DIGEST),
        (f"nginx@{DIGEST}", "docker.io", "library/nginx", "", DIGEST),
        (f"a@multi+word.algo-r_x:{'aF' * 16}", "docker.io", "library/a", "", f"multi+word.algo-r_x:{'aF' * 16}"),
        ("a__b/c---d/e.f_g", "docker.io", "a__b/c---d/e.f_g", "latest", ""),
        (f"sha256:{'A' * 64}", "docker.io", "library/sha256", "A" * 64, ""),
        (f"r.io/a:{'t' * 128}", "r.io", "a", "t" * 128, ""),
        (f"r.io/{'a' * 255}", "r.io", "a" * 255, "latest", ""),
    ],
)
def test_an_image_name_is_split_and_completed(image, registry, remote, tag, digest):
    """Defaults of the registry, of the first part, of the tag (ingest 5.6)."""
    full_name = f"{registry}/{remote}{tag and ':' + tag}{digest and '@' + digest}"

    assert ImageName(full_name, registry, remote, tag, digest) == split_name(image)


@pytest.mark.parametrize("image", [DIGITS, DIGEST])
def test_a_digest_alone_has_no_name(image):
    """Nodes name an image so that was pulled by digest and never tagged."""
    assert ImageName(image, digest=DIGEST) == split_name(image)


@pytest.mark.parametrize(
    "image",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ":",
        ":tag",
        "a:",
        "a: ",
        "a:-x",
        "a:.x",
        f"a:{'t' * 129}",
        "a:b:c",
        "a@",
        "a@b",
        "@" + DIGEST,
        f"a@sha256:{'a' * 31}",
        f"a@sha256:{'g' * 64}",
        f"a@256sha:{'a' * 64}",
        f"a@sha..2:{'a' * 64}",
        f"a@:{'a' * 64}",
        "A",
        "a/B",
        "-a",
        "a-",
        "a..b",
        "a___b",
        "a_.b",
        "a b",
        "é",
        "<none>",
        "<none>:<none>",
        "C:\\windows\\image",
        "reg.io:/a",
        "reg.io:x/a",
        "-reg.io/a",
        "reg-.io/a",
        "reg..io/a",
        ".io/a",
        "[::1/a",
        "[::g]/a",
        "[]:1/a",
        "[::1]5000/a",
        "[::1]:/a",
        f"r.io/{'a' * 256}",
        "ⅳ.io/a",
        "r.io/a²",
        "r.io:٣/a",
    ],
)
def test_a_text_that_is_no_reference_keeps_its_full_name_only(image):
    """No part is guessed."""
    assert ImageName(image) == split_name(image)


@pytest.mark.property
@given(st.text(max_size=30) | st.text(alphabet="aB1.:/@-_[]", max_size=20))
def test_splitting_takes_any_text_and_a_full_name_splits_into_itself(image):
    """Nothing is refused, and completing twice is completing once."""
    name = split_name(image)

    assert not name.remote or name == split_name(name.full_name)
