"""Tar and zip as streams: the regular files in them, and a clear refusal of everything damaged."""

from __future__ import annotations

import bz2
import io
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podledger.ingest.archives import ZIP_FAULTS, is_tar, is_zip, tar_files, zip_files

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
LONG = "/".join(["a-rather-long-folder-name"] * 12) + "/größe.json"
THREE = b"%011o\0" % 3


def tar(*members: tarfile.TarInfo | tuple[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return packed.getvalue()


def special(name: str, kind: bytes, target: str = "/etc/passwd") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def header(name: str, size: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A header with a size as it is, and a sum that fits."""
    block = bytearray(special(name, kind, "").tobuf(tarfile.USTAR_FORMAT))
    block[124:136] = size
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def read_tar(data: bytes) -> list[tuple[str, bytes]]:
    files = tar_files(io.BytesIO(data), lambda name: name.endswith(".json"))
    return [(name, b"".join(iter(lambda content=content: content.read(7), b""))) for name, content in files]


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return packed.getvalue()


def read_zip(data: bytes) -> list[tuple[str, bytes]]:
    files = zip_files(io.BytesIO(data), lambda name: name.endswith(".json"))
    return [(name, content.read(1 << 20)) for name, content in files]


# ------------------------------------------------------------------------------------------------- tar


@pytest.mark.parametrize("form", FORMATS)
def test_the_regular_files_of_a_tar_come_in_its_order(form: int) -> None:
    members = [("b.json", b"1" * 1000), ("a/x.log", b"2" * 5000), ("a/c.json", b""), ("d.json", b"4" * 512)]

    assert [member for member in members if member[0] != "a/x.log"] == read_tar(tar(*members, form=form))


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_foreign_names_are_told_by_extended_headers(form: int) -> None:
    assert read_tar(tar((LONG, b"1"), ("a.json", b"2"), form=form)) == [(LONG, b"1"), ("a.json", b"2")]


def test_links_and_devices_of_a_tar_are_passed_over() -> None:
    kinds = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
    members = [special(f"{number}.json", kind) for number, kind in enumerate(kinds)]

    assert read_tar(tar(*members, ("pod.json", b"{}"))) == [("pod.json", b"{}")]


def test_paths_of_a_tar_lead_nowhere() -> None:
    names = ["/etc/passwd.json", "../../root.json"]

    assert [(name, b"{}") for name in names] == read_tar(tar(*((name, b"{}") for name in names)))


def test_what_is_not_read_of_a_file_is_skipped() -> None:
    data = tar(("a.json", b"1" * 3000), ("b.json", b"2" * 3000))
    read = [(name, content.read(10)) for name, content in tar_files(io.BytesIO(data), lambda _: True)]

    assert read == [("a.json", b"1" * 10), ("b.json", b"2" * 10)]


@pytest.mark.parametrize("form", ["gnu", "pax"])
def test_sparse_files_are_passed_over(form: str, tmp_path: Path) -> None:
    program = shutil.which("tar")
    if program is None:
        pytest.skip("no tar program is installed")
    with (tmp_path / "a.json").open("wb") as file:
        for number in range(60):  # more holes than fit the header
            file.seek(number * 65536)
            file.write(b"x")
    (tmp_path / "b.json").write_bytes(b"{}")
    subprocess.run([program, "-cSf", "x.tar", f"--format={form}", "a.json", "b.json"], cwd=tmp_path, check=True)

    assert read_tar((tmp_path / "x.tar").read_bytes()) == [("b.json", b"{}")]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (tar(("a.json", b"1" * 600))[:1100], "cut off at byte 1,100, before the end of a.json"),
        (tar(("a.json", b"1" * 600))[:1536], "cut off at byte 1,536, before the end of its end mark"),
        (tar(("a.json", b"1" * 600), ("b.json", b""))[:1600], "cut off at byte 1,600, before the end of its end mark"),
        (tar(("a.json", b"1"))[:1024] + b"x" * 512, "invalid header at byte 1,024"),
        (tar(("a.json", b"1"))[:1024] + b"\1" + tar(("b.json", b"1"))[1:], "bad checksum at byte 1,024"),
        (header("a.json", b"\xff" * 12), "a file of -1 bytes at byte 512"),
        (header("a.json", b"\x80" + b"\0" * 4 + b"\x01" * 7), "a file of 282,578,800,148,737 bytes at byte 512"),
        (header("x", b"%011o\0" % (1 << 21), tarfile.XHDTYPE), "an extended header of 2,097,152 bytes at byte 512"),
        (header("x", b"%011o\0" % (1 << 21), tarfile.GNUTYPE_LONGNAME), "an extended header of 2,097,152 bytes"),
        (header("x", THREE, tarfile.XHDTYPE) + b"abc".ljust(512, b"\0"), "an extended header that is not"),
        (
            header("x", b"%011o\0" % 12, tarfile.XHDTYPE) + b"12 size=-10\n".ljust(512, b"\0") + tar(("a.json", b"1")),
            "an extended header with a size that is no number",
        ),
    ],
)
def test_a_damaged_tar_is_told_with_its_place(data: bytes, expected: str) -> None:
    with pytest.raises(tarfile.TarError) as caught:
        read_tar(data)

    assert expected in str(caught.value)


def test_a_size_in_an_extended_header_counts() -> None:
    extended = header("x", b"%011o\0" % 9, tarfile.XHDTYPE) + b"9 size=3\n".ljust(512, b"\0")
    data = extended + header("a.json", b"%011o\0" % 0) + b"abc".ljust(512, b"\0") + b"\0" * 1024

    assert read_tar(data) == [("a.json", b"abc")]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (tar(("a", b"")), True),
        (tar(("a", b""), form=tarfile.USTAR_FORMAT), True),
        (tar(), True),
        (b"\0" * 511, False),
        (header("a", THREE).replace(b"ustar\x0000", b"\0" * 8), False),
        (b'{"kind":"List"}' + b" " * 600, False),
        (b"", False),
    ],
)
def test_a_tar_is_known_by_its_first_block(data: bytes, expected: bool) -> None:
    assert expected == is_tar(data)


def test_a_tar_of_the_oldest_form_is_known_by_its_sum() -> None:
    block = bytearray(header("a.json", b"%011o\0" % 2))
    block[257:265] = b"\0" * 8
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    data = bytes(block) + b"{}".ljust(512, b"\0") + b"\0" * 1024

    assert is_tar(data)
    assert read_tar(data) == [("a.json", b"{}")]


@given(flips=st.lists(st.tuples(st.integers(0, 6000), st.integers(0, 255)), max_size=8), cut=st.integers(0, 8000))
def test_any_damage_to_a_tar_gives_files_or_an_error_of_tar(flips: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(tar((LONG, b"1" * 700), special("l", tarfile.SYMTYPE), ("b.json", b"2" * 10)))
    for place, value in flips:
        data[place % len(data)] = value
    try:
        names = [name for name, _ in read_tar(bytes(data[:cut]))]
    except tarfile.TarError:
        names = []

    assert len(names) <= 2


# ------------------------------------------------------------------------------------------------- zip


def test_the_files_of_a_zip_come_in_order_of_their_names() -> None:
    members = [("b.json", b"1"), ("a/z.json", b"2"), ("a.json", b"3"), ("a/x.log", b"4"), ("a/", b"")]

    assert read_zip(zipped(*members)) == [("a.json", b"3"), ("a/z.json", b"2"), ("b.json", b"1")]


def test_links_in_a_zip_are_passed_over() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        link = zipfile.ZipInfo("link.json")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("pod.json", "{}")

    assert read_zip(packed.getvalue()) == [("pod.json", b"{}")]


def encrypted(data: bytes) -> bytes:
    """Marked as encrypted, in the header and in the directory."""
    local, central = data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8
    return bytes(value | 1 if place in (local, central) else value for place, value in enumerate(data))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encrypted(zipped(("a.json", b"{}"))), "a.json is encrypted"),
        (zipped(("a.json", b"{}"), method=zipfile.ZIP_BZIP2), "a.json is neither stored nor deflated"),
        (zipped(("a.json", b"{}"), method=zipfile.ZIP_LZMA), "a.json is neither stored nor deflated"),
        (zipped(("a.json", b"{}" * 99), method=zipfile.ZIP_STORED).replace(b"{}{}", b"{}[]", 1), "Bad CRC-32"),
        (zipped(("a.json", b"{}"))[:-1], "File is not a zip file"),
        (b"PK\x03\x04 and nothing else", "File is not a zip file"),
    ],
)
def test_a_damaged_zip_is_refused(data: bytes, expected: str) -> None:
    with pytest.raises(zipfile.BadZipFile, match=expected):
        read_zip(data)


def test_other_files_of_a_zip_may_be_anything() -> None:
    packed = zipped(("a.log", bz2.compress(b"x")), method=zipfile.ZIP_BZIP2)

    assert is_zip(packed)
    assert read_zip(packed) == []


@given(flips=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), max_size=6), cut=st.integers(0, 600))
def test_any_damage_to_a_zip_gives_files_or_an_error_of_zip(flips: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(zipped(("a/größe.json", b'{"a":1}' * 30), ("b.json", b"[]")))
    for place, value in flips:
        data[place % len(data)] = value
    try:
        names = [name for name, _ in read_zip(bytes(data[:cut]))]
    except (*ZIP_FAULTS, OSError):
        names = []

    assert len(names) <= 2
