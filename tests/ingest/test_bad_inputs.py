"""Input that cannot be used: one clear sentence with file and place, and a store as it was.

A sound file lies before each bad one, so that there is something that could be half-written.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from podledger.errors import BadInput
from podledger.ingest.addressing import Address
from podledger.ingest.importing import Options, import_files
from podledger.ingest.tallying import Tally
from tests.fakes.holdings import contents, opened, pods

MIB = 1024 * 1024
NAMED = Options(address=Address(cluster_id="3f2c9a64-51d7-4d0e-9b7a-2c6f0e8d1b55", register="prod"))
POD = {"kind": "Pod", "metadata": {"name": "web", "namespace": "shop", "uid": "u"}}
SOUND = json.dumps(
    [{"kind": "Pod", "metadata": {"name": "web", "namespace": "shop", "uid": f"u{n}"}} for n in range(1200)]
)


def archive_of(member: str, data: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        info = tarfile.TarInfo(member)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def zip_bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(10):
            archive.writestr(f"{number}.json", b"[" + b" " * MIB + b"]")
    return packed.getvalue()


def hostile_tar(*, whole: bool = True) -> bytes:
    """Links out of the archive, a device, absolute paths; nothing of it is to be followed."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, kind in (("a.json", tarfile.SYMTYPE), ("b.json", tarfile.LNKTYPE), ("c.json", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/hostname"
            tar.addfile(info)
        info = tarfile.TarInfo("/tmp/../etc/evil.json")
        info.size = 2
        tar.addfile(info, io.BytesIO(b"{}"))
    return packed.getvalue() if whole else packed.getvalue()[:1800]


BAD: dict[str, tuple[bytes, str]] = {
    "a zip bomb": (zip_bomb(), " expands to more than 200 times its size; if it is sound, decompress it first"),
    "a gzip bomb": (gzip.compress(b" " * 9 * MIB), " expands to more than 200 times its size; if it is sound, "),
    "a cut tar": (hostile_tar(whole=False), " is not a usable tar archive: cut off at byte 1,800, before the end of "),
    "a cut tar.gz": (archive_of("a.json", os.urandom(9000))[:4000], " is cut off: the compressed data ends too early, at byte 4,000"),
    "cut gzip": (gzip.compress(SOUND.encode())[:-4], " is cut off: the compressed data ends too early, at byte "),
    "a damaged member": (archive_of("x/a.json", b'{"a":\n nope}'), ": x/a.json is not valid JSON: invalid character at line 2, column 3"),
    "a YAML alias in an archive": (archive_of("a.yaml", b"a: &x 1\nb: *x\n"), ": a.yaml is not usable YAML: aliases are not accepted at line 2, column 4"),
    "gzip by its first bytes only": (b"\x1f\x8bnothing at all", " is damaged gzip before byte 16: Unknown compression method"),
    "zip by its first bytes only": (b"PK\x03\x04nothing", " is not a usable zip archive: File is not a zip file"),
    "an image": (b"\x89PNG\r\n\x1a\n\0\0\0", " is an image, not JSON, YAML, gzip, tar or zip"),
    "xz": (b"\xfd7zXZ\x00....", " is xz, not JSON, YAML, gzip, tar or zip"),
    "random bytes": (b"\x93" + bytes(range(256)), " is not usable YAML: invalid leading UTF-8 octet at position 1"),
    "YAML aliases": (b"a: &a [1,1]\nb: &b [*a,*a]\n", " is not usable YAML: aliases are not accepted at line 2, column 8"),
    "a YAML tag": (b"a: !!python/object:os.system x\n", " is not usable YAML: the tag tag:yaml.org,2002:python/object:os.system is not"),
    "deep JSON": (b'{"a":' * 200_000, " is not valid JSON: nested too deeply"),
    "deep YAML": (b"a: " + b"[" * 150, " is not usable YAML: nested deeper than 100 levels at line 1, column 104"),
    "cut JSON": (b'{"items":[\n{"kind":"Pod"},\n', " is not valid JSON: Input data was truncated at line 3, column 1"),
    "a cut line": (json.dumps(POD).encode() + b'\n{"kind":"Po', " is not valid JSON: Input data was truncated at line 2, column 12"),
    "a huge cut line": (b'{"kind":"' + b"P" * 3 * MIB, f" is not valid JSON: Input data was truncated at line 1, column {3 * MIB + 10}"),
    "invalid UTF-8 in YAML": (b"kind: \xff\n", " is not usable YAML: invalid leading UTF-8 octet at position 7"),
    "broken UTF-16": (b"\xff\xfe\x00\xd8{", " is not valid UTF-16: "),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_file_is_one_sentence_and_changes_nothing(case: str, tmp_path: Path, database: Path) -> None:
    data, expected = BAD[case]
    (tmp_path / "a.json").write_text(SOUND)
    (tmp_path / "bad").write_bytes(data)
    async with opened(f"sqlite:///{database}") as store:
        with pytest.raises(BadInput) as caught:
            await import_files(store, [f"{tmp_path}/a.json", f"{tmp_path}/bad"], NAMED, stdin=io.BytesIO())

    assert caught.value.message.startswith(f"{tmp_path}/bad{expected}")
    assert caught.value.message.isprintable()
    assert not any(contents(database).values())


def empty_file(folder: Path) -> Path:
    (folder / "empty.json").touch()
    return folder / "empty.json"


def folder_without_files(folder: Path) -> Path:
    (folder / "none" / "deeper").mkdir(parents=True)
    (folder / "none" / "readme.txt").write_text("{}")
    return folder / "none"


def folder_of_pipes(folder: Path) -> Path:
    (folder / "pipes").mkdir()
    os.mkfifo(folder / "pipes" / "pod.json")
    (folder / "pipes" / "link.json").symlink_to("/etc/passwd")
    return folder / "pipes"


def tar_of_links(folder: Path) -> Path:
    (folder / "x.tar").write_bytes(hostile_tar())
    return folder / "x.tar"


def byte_order_mark(folder: Path) -> Path:
    (folder / "bom.json").write_bytes(b"\xef\xbb\xbf")
    return folder / "bom.json"


@pytest.mark.parametrize("made", [empty_file, folder_without_files, folder_of_pipes, tar_of_links, byte_order_mark])
async def test_input_without_an_object_is_named(made: Callable[[Path], Path], tmp_path: Path, database: Path) -> None:
    path = made(tmp_path)
    async with opened(f"sqlite:///{database}") as store:
        with pytest.raises(BadInput) as caught:
            await import_files(store, [str(path)], NAMED, stdin=io.BytesIO())

    assert caught.value.message == f"no pod, owner or namespace in {path}; --allow-empty accepts that"
    assert not any(contents(database).values())


def missing(folder: Path) -> tuple[str, str]:
    return f"{folder}/nowhere", "No such file or directory"


def below_a_file(folder: Path) -> tuple[str, str]:
    (folder / "file").touch()
    return f"{folder}/file/pods.json", "Not a directory"


def forbidden(folder: Path) -> tuple[str, str]:
    if os.geteuid() == 0:
        pytest.skip("the superuser may read everything")
    (folder / "secret.json").touch(mode=0o000)
    return f"{folder}/secret.json", "Permission denied"


def failing(_folder: Path) -> tuple[str, str]:
    if sys.platform != "linux":
        pytest.skip("needs a file that can be opened and not be read")
    return "/proc/self/mem", "Input/output error"


@pytest.mark.parametrize("made", [missing, below_a_file, forbidden, failing])
async def test_a_file_that_cannot_be_read_is_named(
    made: Callable[[Path], tuple[str, str]], tmp_path: Path, database: Path
) -> None:
    path, reason = made(tmp_path)
    async with opened(f"sqlite:///{database}") as store:
        with pytest.raises(BadInput) as caught:
            await import_files(store, [path], NAMED, stdin=io.BytesIO())

    assert caught.value.message == f"cannot read {path}: {reason}"
    assert not any(contents(database).values())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b'{"kind":"Pod","metadata":{"name":"\xff","namespace":"shop","uid":"x"}}', "not a usable pod: 'utf-8' codec can't decode"),
        (b'{"kind":"Pod","metadata":{"name":"a","namespace":"shop","uid":"a\\u0000b"}}', "pod with a metadata.uid that is no"),
        (b'{"kind":"Pod","metadata":{"name":"a","namespace":"shop"}}', "pod without metadata.uid"),
        (b'{"kind":"Pod","metadata":7}', "not a usable pod: Expected `object | null`, got `int`"),
    ],
)  # fmt: skip
async def test_a_bad_object_is_told_with_its_line_and_the_others_are_taken(text: bytes, problem: str) -> None:
    lines, tally = json.dumps(POD).encode() + b"\n" + text + b"\n", Tally()
    async with opened("memory:") as store:
        await import_files(store, ["-"], NAMED, stdin=io.BytesIO(lines), tally=tally)

        assert len(await pods(store)) == 1
    assert tally.problems[0].startswith(f"standard input, line 2: {problem}")


async def test_a_resource_version_longer_than_any_number_is_text() -> None:
    metadata = {**POD["metadata"], "resourceVersion": "9" * 5000}
    async with opened("memory:") as store:
        summary = await import_files(
            store, ["-"], NAMED, stdin=io.BytesIO(json.dumps([POD, {"kind": "Pod", "metadata": metadata}]).encode())
        )

    assert summary.pods == 1
