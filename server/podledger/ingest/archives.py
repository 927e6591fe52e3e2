"""Archives as streams: a tar or zip file in, its regular files out, one after another.

Nothing is unpacked to disk, and a name is only a name: absolute paths and `..` lead nowhere. Folders,
links, devices and sparse files are passed over (ingest 7.1). A file is read before the next one is
asked for.

A tar comes as a stream. Its blocks are walked here, with the headers read by `tarfile`: that library
keeps every header of an archive in memory and follows whatever length a header claims. A zip has its
directory at the end, so it must be a file that can be sought; its files come in bytewise order of
their names, as those of a folder do.

What is wrong with an archive raises `tarfile.TarError` or `zipfile.BadZipFile`, or what `zipfile` lets
through (`ZIP_FAULTS`); the caller knows the name that belongs into the message.
"""

from __future__ import annotations

import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Final, Protocol

ZIP_FAULTS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    LookupError,
    ArithmeticError,
    NotImplementedError,
    struct.error,
)
"""What a damaged zip file makes `zipfile` raise."""

_ZIP_MAGIC: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_READ_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The others may ask for gigabytes of memory before they give a byte."""
_ENCRYPTED: Final = 1

_BLOCK: Final = tarfile.BLOCKSIZE
_PIECE: Final = 1024 * 1024
_LONGEST_EXTENSION: Final = 1024 * 1024
"""Extended headers hold names; one beyond this size is an attack on memory."""
_LARGEST_FILE: Final = 1 << 40
"""Claimed sizes beyond it are damage: skipping such a file would never end."""
_SIZE_DIGITS: Final = 20
_WITHOUT_DATA: Final = frozenset(
    {tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE}
)
_REGULAR: Final = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE})
_PAX: Final = frozenset({tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE})
_EXTENSIONS: Final = _PAX | {tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}


class Readable(Protocol):
    """Bytes that come once. Fewer than asked for come at the end only."""

    def read(self, size: int, /) -> bytes:
        """Read the next bytes."""
        ...


Wanted = Callable[[str], bool]
"""Whether a file of this name is read."""


# ------------------------------------------------------------------------------------------------- tar


def is_tar(head: bytes) -> bool:
    """Whether bytes begin a tar archive; an empty one begins with its end mark."""
    block = head[:_BLOCK]
    if len(block) < _BLOCK:
        return False
    if block[257:262] == b"ustar" or not any(block):
        return True
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def tar_files(stream: Readable, wanted: Wanted) -> Iterator[tuple[str, Readable]]:
    """The wanted files of a tar archive, in its own order."""
    return _Tar(stream).files(wanted)


class _Tar:
    """An archive while it is walked."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._position = 0
        self._block = b""
        """The last header as it stands."""

    def files(self, wanted: Wanted) -> Iterator[tuple[str, Readable]]:
        told: dict[str, str] = {}
        while (header := self._header()) is not None:
            if header.type in _EXTENSIONS:
                told |= self._extension(header)
                continue
            name, size = told.get("path", header.name), self._size(header, told)
            content = _Content(self, name, size)
            if header.type in _REGULAR and not _is_sparse(told) and wanted(name):
                yield name, content
            content.skip()
            told = {}

    def _header(self) -> tarfile.TarInfo | None:
        """The next header; None at the end mark."""
        at = self._position
        self._block = self.take(_BLOCK, "its end mark")
        if not any(self._block):
            return None
        try:
            return tarfile.TarInfo.frombuf(self._block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError) as error:
            raise tarfile.ReadError(f"{error} at byte {at:,}") from error

    def _size(self, header: tarfile.TarInfo, told: dict[str, str]) -> int:
        """Bytes of content that follow."""
        if header.type == tarfile.GNUTYPE_SPARSE:
            self._skip_sparse_map()
        if header.type in _WITHOUT_DATA:
            return 0
        size = int(told["size"]) if "size" in told else header.size
        if not 0 <= size <= _LARGEST_FILE:
            raise tarfile.ReadError(f"a file of {size:,} bytes at byte {self._position:,}")
        return size

    def _skip_sparse_map(self) -> None:
        """The old GNU form lets the map of a sparse file go on in blocks of its own."""
        more = self._block[482]
        while more:
            more = self.take(_BLOCK, "a sparse file")[504]

    def _extension(self, header: tarfile.TarInfo) -> dict[str, str]:
        """What an extended header tells of the next file."""
        if not 0 <= header.size <= _LONGEST_EXTENSION:
            raise tarfile.ReadError(f"an extended header of {header.size:,} bytes at byte {self._position:,}")
        data = self.take(header.size, "an extended header")
        self.take(-header.size % _BLOCK, "an extended header")
        if header.type == tarfile.GNUTYPE_LONGNAME:
            return {"path": data.rstrip(b"\0").decode("utf-8", "surrogateescape")}
        return _pax_records(data) if header.type in _PAX else {}

    def take(self, size: int, what: str) -> bytes:
        """The next bytes, no fewer than asked for."""
        data = self._stream.read(size)
        self._position += len(data)
        if len(data) < size:
            raise tarfile.ReadError(f"cut off at byte {self._position:,}, before the end of {what}")
        return data


class _Content:
    """The content of one file within the archive."""

    def __init__(self, tar: _Tar, name: str, size: int) -> None:
        self._tar = tar
        self._name = name
        self._left = size
        self._padding = -size % _BLOCK

    def read(self, size: int, /) -> bytes:
        data = self._tar.take(min(size, self._left), self._name)
        self._left -= len(data)
        return data

    def skip(self) -> None:
        """Go to the next header, over whatever was not read."""
        while self.read(_PIECE):
            pass
        self._tar.take(self._padding, self._name)


def _is_sparse(told: dict[str, str]) -> bool:
    return any(key.startswith("GNU.sparse.") for key in told)


def _pax_records(data: bytes) -> dict[str, str]:
    """Records of the form `<length> <key>=<value>` and a line feed; the length counts all of it."""
    records = {}
    while data:
        length, _, _ = data.partition(b" ")
        end = int(length) if length.isdigit() and len(length) < len(str(_LONGEST_EXTENSION)) else 0
        key, equals, value = data[len(length) + 1 : max(end - 1, 0)].partition(b"=")
        if not equals or not key or end > len(data):
            raise tarfile.ReadError("an extended header that is not readable")
        records[key.decode("utf-8", "surrogateescape")] = value.decode("utf-8", "surrogateescape")
        data = data[end:]
    size = records.get("size", "0")
    if not (size.isascii() and size.isdigit() and len(size) <= _SIZE_DIGITS):
        raise tarfile.ReadError("an extended header with a size that is no number")
    return records


# ------------------------------------------------------------------------------------------------- zip


def is_zip(head: bytes) -> bool:
    """Whether bytes begin a zip archive."""
    return head.startswith(_ZIP_MAGIC)


def zip_files(file: IO[bytes], wanted: Wanted) -> Iterator[tuple[str, Readable]]:
    """The wanted files of a zip archive, in bytewise order of their names."""
    with zipfile.ZipFile(file) as archive:
        for info in sorted(archive.infolist(), key=lambda info: info.filename.encode("utf-8", "surrogatepass")):
            if _is_regular(info) and wanted(info.filename):
                _check(info)
                with archive.open(info) as content:
                    yield info.filename, content


def _is_regular(info: zipfile.ZipInfo) -> bool:
    """The upper half of the attributes is the mode where the archive was made on Unix, else 0."""
    return not info.is_dir() and stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)


def _check(info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise zipfile.BadZipFile(f"{info.filename} is encrypted")
    if info.compress_type not in _READ_METHODS:
        raise zipfile.BadZipFile(f"{info.filename} is neither stored nor deflated")
