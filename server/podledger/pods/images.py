"""Container ids, image ids and image names, taken apart as text.

A container id names its runtime, an image id holds the digest that runs, an image name is a reference
in the grammar of container registries. Nothing is looked up, and no text is refused: what is no
reference keeps its full text and has no parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Final

from podledger_protos.storage.container_runtime_pb2 import ContainerRuntime

_RUNTIMES: Final = {
    "docker": ContainerRuntime.DOCKER_CONTAINER_RUNTIME,
    "cri-o": ContainerRuntime.CRIO_CONTAINER_RUNTIME,
}
"""The runtimes that the wire knows. `containerd` is not one of them (ingest 4.2)."""

_LOWER: Final = frozenset("abcdefghijklmnopqrstuvwxyz")
_LETTERS: Final = _LOWER | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGITS: Final = frozenset("0123456789")
_LOWER_HEX: Final = _DIGITS | frozenset("abcdef")
_HEX: Final = _LOWER_HEX | frozenset("ABCDEF")
_PART: Final = _LOWER | _DIGITS
_WORD: Final = _LETTERS | _DIGITS | {"_"}

_DEFAULT_REGISTRY: Final = "docker.io"
_LONGEST_NAME: Final = 255
_LONGEST_TAG: Final = 128
_SHORTEST_DIGEST: Final = 32


def runtime_number(name: str) -> ContainerRuntime:
    """The wire's number of a runtime name."""
    return _RUNTIMES.get(name, ContainerRuntime.UNKNOWN_CONTAINER_RUNTIME)


def runtime_and_id(container_id: str) -> tuple[ContainerRuntime, str, str]:
    """Split `runtime://id` into the wire's runtime, the id and the runtime's name (ingest 4.2).

    Without `://` the whole text is the id and the name is empty.
    """
    name, separator, run = container_id.partition("://")
    if not separator:
        return ContainerRuntime.UNKNOWN_CONTAINER_RUNTIME, container_id, ""
    return runtime_number(name), run, name


def image_digest(image_id: str) -> str:
    """The digest in an image id: from the first `sha256:` on, else from the first `sha512:` (ingest 4.2)."""
    at = _digest_start(image_id)
    return image_id[at:] if at >= 0 else ""


def digest_kind(image_id: str) -> str:
    """`registry` for the digest of a manifest, `config` for a bare image id, empty without a digest.

    A config id names the unpacked image on a node and cannot be compared with a digest that a registry
    knows (ingest 4.3). A manifest's digest stands behind the repository and an `@`.
    """
    at = _digest_start(image_id)
    if at < 0:
        return ""
    return "registry" if at > 0 and image_id[at - 1] == "@" else "config"


def _digest_start(image_id: str) -> int:
    at = image_id.find("sha256:")
    return at if at >= 0 else image_id.find("sha512:")


# ----------------------------------------------------------------------------------------- image names


@dataclass(frozen=True, slots=True)
class ImageName:
    """An image name in parts. A text that is no reference has a full name only."""

    full_name: str
    registry: str = ""
    remote: str = ""
    tag: str = ""
    digest: str = ""


def split_name(image: str) -> ImageName:
    """Split an image name and complete it as registries do: `nginx` is `docker.io/library/nginx:latest`.

    The grammar (ingest 5.6, after the reference grammar of container registries):

        reference = name [":" tag] ["@" digest]    or 64 lower-case hex digits, `sha256:` before them or not
        name      = [registry "/"] part *("/" part)
        registry  = host [":" port], taken as such when it has a `.` or `:` or is `localhost`
    """
    if digest := _bare_digest(image):
        return ImageName(image, digest=digest)
    named, at, digest = image.rpartition("@") if "@" in image else (image, "", "")
    name, colon, tag = _split_tag(named)
    registry, remote = _split_registry(name)
    if not (_is_registry(registry) and _is_remote(remote)):
        return ImageName(image)
    if (colon and not _is_tag(tag)) or (at and not _is_digest(digest)):
        return ImageName(image)
    if not colon and not at:
        colon, tag = ":", "latest"
    return ImageName(f"{registry}/{remote}{colon}{tag}{at}{digest}", registry, remote, tag, digest)


def _bare_digest(image: str) -> str:
    """The digest of a text that is nothing else, as a node names an image without a name."""
    digits = image.removeprefix("sha256:")
    return f"sha256:{digits}" if len(digits) == 64 and _LOWER_HEX.issuperset(digits) else ""


def _split_tag(named: str) -> tuple[str, str, str]:
    """Cut at the last colon of the last part; one further left belongs to the port of a registry."""
    head, slash, last = named.rpartition("/")
    last, colon, tag = last.rpartition(":") if ":" in last else (last, "", "")
    return head + slash + last, colon, tag


def _split_registry(name: str) -> tuple[str, str]:
    """Registry and remote, completed by the defaults."""
    registry, slash, remote = name.partition("/")
    if not slash or not ("." in registry or ":" in registry or registry == "localhost"):
        registry, remote = _DEFAULT_REGISTRY, name
    if registry == "index.docker.io":
        registry = _DEFAULT_REGISTRY
    if registry == _DEFAULT_REGISTRY and "/" not in remote:
        remote = f"library/{remote}"
    return registry, remote


def _is_registry(text: str) -> bool:
    """Host [":" port]; a host is labels with dots between them, or an IPv6 address in brackets."""
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        return bool(bracket) and _consists(host, _HEX | {":"}) and _is_port(port)
    host, colon, port = text.partition(":")
    return all(map(_is_label, host.split("."))) and _is_port(colon + port)


def _is_port(text: str) -> bool:
    return not text or (text[0] == ":" and _consists(text[1:], _DIGITS))


def _is_label(text: str) -> bool:
    """Letters and digits, with dashes between them."""
    return _consists(text, _LETTERS | _DIGITS | {"-"}) and "-" not in (text[0], text[-1])


def _is_remote(text: str) -> bool:
    return len(text) <= _LONGEST_NAME and all(map(_is_part, text.split("/")))


def _is_part(text: str) -> bool:
    """Lower-case letters and digits; between them one `.`, one or two `_`, or any number of `-`."""
    runs = ["".join(run) for _, run in groupby(text, key=_PART.__contains__)]
    if len(runs) % 2 == 0 or not _PART.issuperset(runs[0]):
        return False
    return all(run in {".", "_", "__"} or set(run) == {"-"} for run in runs[1::2])


def _is_tag(text: str) -> bool:
    return len(text) <= _LONGEST_TAG and _consists(text, _WORD | {".", "-"}) and text[0] in _WORD


def _is_digest(text: str) -> bool:
    """Algorithm ":" hex digits; the algorithm is words that begin with a letter, one of `+.-_` between them."""
    algorithm, _, digits = text.partition(":")
    words = "".join("." if character in "+.-_" else character for character in algorithm).split(".")
    named = all(_consists(word, _LETTERS | _DIGITS) and word[0] in _LETTERS for word in words)
    return named and len(digits) >= _SHORTEST_DIGEST and _consists(digits, _HEX)


def _consists(text: str, of: frozenset[str]) -> bool:
    """True for a text of at least one character, all of them `of` these."""
    return bool(text) and of.issuperset(text)
