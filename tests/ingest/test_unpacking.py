"""Paths in, texts out: what a file is shows in its content, and caps hold everywhere."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podledger.errors import BadInput
from podledger.ingest.unpacking import Limits, Meter, Text, size_text, texts
from tests.fakes.archiving import tar_of, zip_of

NO_LIMITS = Limits()
MIB = 1024 * 1024


class Pipe(io.RawIOBase):
    """Bytes that cannot be sought, in pieces as a pipe gives them."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        return self._data.readinto(buffer[: min(len(buffer), 10_000)])


def pipe(data: bytes) -> BinaryIO:
    return io.BufferedReader(Pipe(data))


def read(*paths: Path | str, stdin: BinaryIO | None = None, limits: Limits = NO_LIMITS) -> list[Text]:
    return list(texts([str(path) for path in paths], stdin=stdin or io.BytesIO(), limits=limits, meter=Meter()))


def read_bytes(data: bytes, limits: Limits = NO_LIMITS) -> list[bytes]:
    return [text.data for text in read("-", stdin=pipe(data), limits=limits)]


def problem(*paths: Path | str, stdin: BinaryIO | None = None, limits: Limits = NO_LIMITS) -> str:
    with pytest.raises(BadInput) as caught:
        read(*paths, stdin=stdin, limits=limits)
    return caught.value.message


def bundle(folder: Path) -> Path:
    """A folder as tools write it, with things that are no texts."""
    files = {
        "namespaces/shop/core/pods.yaml": b"kind: PodList",
        "cluster-resources/pods/default.json": b"{}",
        "deep/er/AUDIT.NDJSON": b"[]",
        "packed/pods.json.gz": gzip.compress(b'{"kind":"Pod"}'),
        "logs/kubelet.log": b"\x00\x01 no text",
        "nested.tar.gz": b"not looked at",
    }
    for name, data in files.items():
        path = folder / "bundle" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "bundle" / "link.json").symlink_to("/etc/passwd")
    return folder / "bundle"


BUNDLE = [b"{}", b"[]", b"kind: PodList", b'{"kind":"Pod"}']


# ----------------------------------------------------------------------------------------- paths and folders


def test_a_folder_gives_its_texts_at_any_depth_in_order(tmp_path: Path) -> None:
    found = read(bundle(tmp_path))

    assert [text.data for text in found] == BUNDLE
    assert found[0].name == f"{tmp_path}/bundle/cluster-resources/pods/default.json"


def test_links_and_devices_in_a_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pod.json").write_text("{}")
    (tmp_path / "link.json").symlink_to(tmp_path / "pod.json")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.json")

    assert [text.data for text in read(tmp_path)] == [b"{}"]


def test_a_named_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "pods.txt").write_text("{}")
    (tmp_path / "link").symlink_to(tmp_path / "pods.txt")

    assert [text.data for text in read(tmp_path / "link")] == [b"{}"]


def test_a_named_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    """So that `podledger import <(command)` works, also when the command gives a zip archive."""
    packed = zip_of(bundle(tmp_path), tmp_path / "x.zip").read_bytes()
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(packed,))
    writer.start()

    assert [text.data for text in read(tmp_path / "pipe")] == BUNDLE
    writer.join()


def test_a_dash_is_standard_input_and_paths_keep_their_order(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("[1]")

    found = read(tmp_path / "x", "-", stdin=io.BytesIO(b"[2]"))

    assert [(f"{tmp_path}/x", b"[1]"), ("standard input", b"[2]")] == [(text.name, text.data) for text in found]


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    assert f"cannot read {tmp_path}/nowhere: No such file or directory" == problem(tmp_path / "nowhere")


def test_a_file_that_fails_while_it_is_read_is_named() -> None:
    """Opening it is allowed, its first byte cannot be read, not even by the superuser."""
    assert problem("/proc/self/mem") == "cannot read /proc/self/mem: Input/output error"


def test_control_characters_of_names_do_not_reach_messages(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[2J\n.json").write_bytes(gzip.compress(b"x")[:-1])

    assert problem(tmp_path).startswith(f"{tmp_path}/a\\x1b[2J\\n.json is cut off")


# ------------------------------------------------------------------------------------------------ gzip


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(b"[1,2]"),
        gzip.compress(b"[1,") + gzip.compress(b"2]"),
        gzip.compress(b"[1,2]") + b"\0" * 700,
        gzip.compress(b"[1,2]", 0),
    ],
)
def test_gzip_is_taken_off(packed: bytes) -> None:
    """Servers flush watches as one member after another; tape tools pad with zeros."""
    assert read_bytes(packed) == [b"[1,2]"]


def test_gzip_within_gzip_is_refused() -> None:
    packed = gzip.compress(gzip.compress(b"[]"))

    assert problem("-", stdin=pipe(packed)) == "standard input is gzip within gzip, which is not read; unpack it first"


@pytest.mark.parametrize(
    ("packed", "expected"),
    [
        (gzip.compress(os.urandom(5000))[:-1], "is cut off: the compressed data ends too early, at byte 5,022"),
        (gzip.compress(b"[]")[:12], "is cut off: the compressed data ends too early, at byte 12"),
        (gzip.compress(b"[]") + b"[]", "is damaged gzip before byte 24: Not a gzipped file (b'[]')"),
        (b"\x1f\x8b", "is cut off: the compressed data ends too early, at byte 2"),
        (b"\x1f\x8b\x08" + b"\xff" * 40, "is "),
    ],
)
def test_damaged_gzip_is_told_with_its_place(packed: bytes, expected: str) -> None:
    assert problem("-", stdin=pipe(packed)).startswith(f"standard input {expected}")


# -------------------------------------------------------------------------------------------- archives


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_gives_what_its_folder_gives(mode: str, tmp_path: Path) -> None:
    archive = tar_of(bundle(tmp_path), tmp_path / "anything", mode=mode)

    found = read(archive)

    assert [text.data for text in found] == BUNDLE
    assert found[0].name == f"{tmp_path}/anything: bundle/bundle/cluster-resources/pods/default.json"


def test_a_zip_gives_what_its_folder_gives(tmp_path: Path) -> None:
    archive = zip_of(bundle(tmp_path), tmp_path / "anything")

    assert [text.data for text in read(archive)] == BUNDLE


@pytest.mark.parametrize("mode", ["w", "w:gz", "zip", "zip.gz"])
def test_archives_come_through_a_pipe_as_well(mode: str, tmp_path: Path) -> None:
    source, archive = bundle(tmp_path), tmp_path / "x"
    packed = (zip_of(source, archive) if "zip" in mode else tar_of(source, archive, mode=mode)).read_bytes()

    assert BUNDLE == read_bytes(gzip.compress(packed) if mode == "zip.gz" else packed)


def test_an_empty_archive_holds_nothing() -> None:
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()

    assert read_bytes(empty.getvalue()) == read_bytes(b"\0" * 10240) == []


@pytest.mark.parametrize("inner", ["x.json", "x.json.gz"])
def test_an_archive_within_an_archive_is_refused(inner: str, tmp_path: Path) -> None:
    folder = bundle(tmp_path)
    packed = tar_of(folder / "deep", tmp_path / "x.tar", mode="w").read_bytes()
    (folder / "deep" / inner).write_bytes(gzip.compress(packed) if inner.endswith("gz") else packed)
    archive = zip_of(folder / "deep", tmp_path / "x.zip")

    assert problem(archive) == (
        f"{archive}: bundle/deep/{inner} is an archive within an archive, which is not read; unpack it first"
    )


def test_what_macos_puts_beside_a_file_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "._pod.json").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")
    (tmp_path / "pod.json").write_bytes(b"{}")

    assert [text.data for text in read(tmp_path)] == [b"{}"]


def test_a_damaged_member_is_named_with_its_archive(tmp_path: Path) -> None:
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b"[]")[:15])
    archive = tar_of(tmp_path / "a.json.gz", tmp_path / "x.tar", mode="w")

    assert f"{archive}: bundle/a.json.gz is cut off: the compressed data ends too early" == problem(archive)


@pytest.mark.parametrize("size", [700, 1536, 3000])
def test_a_cut_tar_is_told_with_its_place(size: int, tmp_path: Path) -> None:
    packed = tar_of(bundle(tmp_path), tmp_path / "x.tar", mode="w").read_bytes()

    told = problem("-", stdin=pipe(packed[:size]))

    assert told.startswith(f"standard input is not a usable tar archive: cut off at byte {size:,}, before the end of ")


def test_a_cut_zip_is_refused(tmp_path: Path) -> None:
    archive = zip_of(bundle(tmp_path), tmp_path / "x.zip")
    archive.write_bytes(archive.read_bytes()[:-30])

    assert f"{archive} is not a usable zip archive: File is not a zip file" == problem(archive)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (bz2.compress(b"[]"), "bzip2"),
        (lzma.compress(b"[]"), "xz"),
        (b"\x28\xb5\x2f\xfd....", "zstd"),
        (b"SQLite format 3\x00...", "a SQLite database"),
    ],
)
def test_what_is_taken_for_another_file_is_called_by_its_name(data: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / "pods.json").write_bytes(data)

    assert f"{tmp_path}/pods.json is {expected}, not JSON, YAML, gzip, tar or zip" == problem(tmp_path)


# ------------------------------------------------------------------------------------------------ caps


@pytest.mark.parametrize("packed", [False, True])
def test_a_text_over_the_cap_is_refused(packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    data = b"[" + os.urandom(MIB)
    path.write_bytes(gzip.compress(data) if packed else data)

    assert problem(path, limits=Limits(member=MIB)) == (
        f"{path} is larger than 1 MiB; import it in parts, for example by namespace"
    )


def test_a_text_at_the_cap_is_read(tmp_path: Path) -> None:
    assert read_bytes(b"[" + b" " * 98 + b"]", Limits(member=100)) == [b"[" + b" " * 98 + b"]"]


def test_the_cap_holds_for_each_text_of_an_archive(tmp_path: Path) -> None:
    (tmp_path / "big.json").write_bytes(b" " * 2000)
    archive = zip_of(tmp_path / "big.json", tmp_path / "x.zip")

    assert problem(archive, limits=Limits(member=1536)).startswith(f"{archive}: bundle/big.json is larger than 1.5 KiB")


def test_the_input_as_a_whole_has_a_cap(tmp_path: Path) -> None:
    for name in ("a.json", "b.json", "c.json"):
        (tmp_path / name).write_bytes(b"[]" + b" " * 48)

    assert problem(tmp_path, limits=Limits(total=100)) == (
        f"{tmp_path}/c.json: the input is larger than 100 bytes; import it in parts"
    )


@pytest.mark.parametrize("through_a_pipe", [False, True])
def test_an_archive_counts_as_it_comes(through_a_pipe: bool, tmp_path: Path) -> None:
    archive = zip_of(bundle(tmp_path), tmp_path / "x.zip")
    paths, stdin = (["-"], pipe(archive.read_bytes())) if through_a_pipe else ([archive], None)

    assert "the input is larger than 500 bytes; import it in parts" in problem(
        *paths, stdin=stdin, limits=Limits(total=500)
    )


def bomb(form: str, folder: Path) -> Path:
    """Zeros and white space: a thousand times smaller than what comes out."""
    (folder / "a.json").write_bytes(b"[" + b" " * (8 * MIB))
    if form == "gzip":
        (folder / "x").write_bytes(gzip.compress((folder / "a.json").read_bytes()))
        return folder / "x"
    if form == "log in tar.gz":
        (folder / "a.log").write_bytes((folder / "a.json").read_bytes())
        return tar_of(folder / "a.log", folder / "x")
    if form == "gzip in zip":
        (folder / "a.json.gz").write_bytes(gzip.compress((folder / "a.json").read_bytes()))
        return zip_of(folder / "a.json.gz", folder / "x")
    return (zip_of if form == "zip" else tar_of)(folder / "a.json", folder / "x")


@pytest.mark.parametrize("form", ["gzip", "tar.gz", "log in tar.gz", "zip", "gzip in zip"])
def test_a_bomb_is_refused_before_it_goes_off(form: str, tmp_path: Path) -> None:
    path = bomb(form, tmp_path)

    assert problem(path) == (f"{path} expands to more than 200 times its size; if it is sound, decompress it first")


def test_overlapping_files_of_a_zip_count_each_time(tmp_path: Path) -> None:
    """A bomb of a few kilobytes that is far within the bound file by file."""
    data = os.urandom(3000).hex().encode()
    with zipfile.ZipFile(tmp_path / "x", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.json", data)
        (info,) = archive.infolist()
        for _ in range(900):
            archive.filelist.append(info)

    assert "expands to more than 3 times its size" in problem(tmp_path / "x", limits=Limits(expansion=3))


def test_little_may_grow_as_it_likes() -> None:
    assert read_bytes(gzip.compress(b" " * (MIB - 1))) == [b" " * (MIB - 1)]


def test_the_meter_tells_what_has_been_read(tmp_path: Path) -> None:
    paths = [zip_of(bundle(tmp_path), tmp_path / "x.zip"), tmp_path / "y"]
    paths[1].write_bytes(gzip.compress(b"[]"))
    meter = Meter()

    list(texts([str(path) for path in paths], stdin=io.BytesIO(), limits=NO_LIMITS, meter=meter))

    assert sum(path.stat().st_size for path in paths) == meter.read


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (256 * MIB, "256 MiB"),
        (8 << 30, "8 GiB"),
    ],
)
def test_sizes_are_told_for_people(count: int, expected: str) -> None:
    assert expected == size_text(count)


@given(
    data=st.binary(max_size=300),
    begin=st.sampled_from([b"", b"\x1f\x8b\x08\0", b"PK\x03\x04", b"PK\x05\x06", b"x" * 257 + b"ustar\x0000"]),
)
def test_any_bytes_give_texts_or_one_sentence(data: bytes, begin: bytes) -> None:
    try:
        told = [text.name for text in read("-", stdin=pipe(begin + data.ljust(512, b" ")))]
    except BadInput as error:
        told = error.message.splitlines()

    assert all(line.startswith(("standard input", "cannot read standard input")) for line in told)


def large_zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.bin", os.urandom(17 * MIB))
        archive.writestr("a.json", "[]")
    return packed.getvalue()


def test_nothing_shows_of_an_archive_that_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zip that comes through a pipe may be kept in a file, which has no name."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = texts(["-"], stdin=pipe(large_zip()), limits=NO_LIMITS, meter=Meter())

    assert next(found).data == b"[]"
    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_cannot_be_put_aside_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", f"{tmp_path}/nowhere")

    assert problem("-", stdin=pipe(large_zip())) == (
        f"standard input cannot be put aside in {tmp_path}/nowhere: No such file or directory;"
        " give the archive as a file, or set TMPDIR"
    )
