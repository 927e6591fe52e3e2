"""Paths in, texts out: files, folders and standard input, with gzip, tar and zip taken off on the way.

What a file is shows in its first bytes, never in its name (ingest 7.1):

    gzip    its content, which may be a text or an archive
    tar     as a stream, and
    zip     at once: the `.json`, `.yaml`, `.yml` and `.ndjson` files in it at any depth, also those with
            `.gz` behind; everything else in it is passed over, an archive in an archive is refused
    other   is a text

A folder gives the same files as an archive of it, in bytewise order of their paths; links and devices
in it are left alone. The folders of must-gather, support bundles and other dumps need no more than that,
because every object names itself.

Nothing is unpacked to disk, and one text at a time is in memory. Caps hold everywhere: for a text, for
the input as a whole, and for what comes out of a compressed file. Whatever cannot be read raises
`BadInput` with one sentence that names the file.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from podledger.errors import BadInput
from podledger.ingest import archives
from podledger.ingest.archives import Readable

STDIN: Final = "-"
"""The path that stands for standard input."""

_TEXTS: Final = (".json", ".yaml", ".yml", ".ndjson")
ENDINGS: Final = (*_TEXTS, *(ending + ".gz" for ending in _TEXTS))
"""Names of the files that are tried in a folder or an archive."""

_KIB: Final = 1024
_MIB: Final = 1024 * _KIB
_GIB: Final = 1024 * _MIB
_AHEAD: Final = 256 * _KIB
_KEPT_IN_MEMORY: Final = 16 * _MIB
"""Size from which a zip archive that comes through a pipe is kept in a file."""
_ALWAYS_ALLOWED: Final = _MIB
"""What may come out of any file: the expansion of little text says nothing."""

_GZIP: Final = b"\x1f\x8b"
_APPLE_DOUBLE: Final = b"\x00\x05\x16\x07"
"""Begins the `._NAME` that macOS puts beside NAME in archives."""
_FOREIGN: Final = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!": "RAR",
    b"SQLite format 3\x00": "a SQLite database",
    b"%PDF": "PDF",
    b"\x89PNG": "an image",
    b"\x7fELF": "a program",
}
"""Files that are taken for others by mistake, by how they begin."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps of an input (ingest 7.1), in bytes unless another unit is named."""

    member: int = 256 * _MIB
    """One text."""
    yaml_member: int = 64 * _MIB
    """One YAML text. It takes ten times its size in memory; JSON (`-o json`) has no such price."""
    total: int = 8 * _GIB
    """The input as a whole, compressed as it comes."""
    expansion: int = 200
    """Times that a compressed input may grow. Kubernetes objects grow ten to thirty times."""
    pods: int = 2_000_000
    """Pod records."""


@dataclass(slots=True)
class Meter:
    """How much of the input has been read; whoever gave it in can watch."""

    read: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """One text of the input, under the name that messages give it."""

    name: str
    data: bytes


def texts(paths: Sequence[str], *, stdin: IO[bytes], limits: Limits, meter: Meter) -> Iterator[Text]:
    """Read all paths in their order."""
    for path in paths:
        if path == STDIN:
            yield from _Source("standard input", stdin, limits, meter).texts()
        elif Path(path).is_dir():
            for file in _files(Path(path)):
                yield from _texts_of(file, limits, meter)
        else:
            yield from _texts_of(Path(path), limits, meter)


def size_text(count: int) -> str:
    """A number of bytes for people."""
    for size, unit in ((_GIB, "GiB"), (_MIB, "MiB"), (_KIB, "KiB")):
        if count >= size:
            return f"{count / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count} bytes"


def _texts_of(path: Path, limits: Limits, meter: Meter) -> Iterator[Text]:
    name = _shown(str(path))
    with _reading(name):
        file = path.open("rb")
    with file:
        yield from _Source(name, file, limits, meter).texts()


def _files(folder: Path) -> list[Path]:
    """The files of a folder that are tried. Sorted, so that "the later one wins" is the same everywhere."""
    found = []
    with _reading(_shown(str(folder))):
        for parent, _, names in os.walk(folder, onerror=_raise):
            paths = (Path(parent, name) for name in names if _is_tried(name))
            found += [path for path in paths if stat.S_ISREG(path.lstat().st_mode)]
    return sorted(found, key=os.fsencode)


def _is_tried(name: str) -> bool:
    return name.lower().endswith(ENDINGS)


def _raise(error: OSError) -> None:
    """A folder that cannot be read is an error: its pods would be missing in silence."""
    raise error


def _shown(name: str) -> str:
    """Names come from archives and folders that may be hostile: nothing in them may drive a terminal."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in name)


# ---------------------------------------------------------------------------------------- one source


@dataclass(slots=True)
class _Source:
    """A file or standard input, while its texts are taken out."""

    name: str
    file: IO[bytes]
    limits: Limits
    meter: Meter
    taken: int = 0
    """Bytes read of it."""
    given: int = 0
    """Bytes that decompression has made of them, all layers together."""

    def texts(self) -> Iterator[Text]:
        yield from self._open(_stream(self.file, lambda: _reading(self.name), self._take), self.name)

    def _take(self, count: int) -> None:
        self.taken += count
        self.meter.read += count
        if self.meter.read > self.limits.total:
            cap = size_text(self.limits.total)
            raise BadInput(f"{self.name}: the input is larger than {cap}; import it in parts")

    def _give(self, count: int) -> None:
        self.given += count
        if self.given > max(_ALWAYS_ALLOWED, self.limits.expansion * self.taken):
            raise BadInput(
                f"{self.name} expands to more than {self.limits.expansion} times its size; if it is sound,"
                " decompress it first"
            )

    def _open(
        self, stream: io.BufferedReader, name: str, *, packed: bool = False, inside: bool = False
    ) -> Iterator[Text]:
        """The texts of a stream. `packed` in gzip, `inside` an archive: neither is looked for again then."""
        head = stream.peek(tarfile.BLOCKSIZE)
        if head.startswith(_GZIP):
            _refuse(name, packed, "gzip within gzip")
            yield from self._open(self._decompressed(stream, name), name, packed=True, inside=inside)
        elif archives.is_zip(head):
            _refuse(name, inside, "an archive within an archive")
            yield from self._zip(stream, name, packed=packed)
        elif archives.is_tar(head):
            _refuse(name, inside, "an archive within an archive")
            files = archives.tar_files(stream, _is_tried)
            yield from self._members(files, name, lambda: _reading_tar(name), lambda _: None)
        elif not head.startswith(_APPLE_DOUBLE):
            yield Text(name, self._whole(stream, name))

    def _decompressed(self, stream: io.BufferedReader, name: str) -> io.BufferedReader:
        content = gzip.GzipFile(fileobj=stream, mode="rb")
        return _stream(content, lambda: self._reading_gzip(name), self._give)

    @contextmanager
    def _reading_gzip(self, name: str) -> Iterator[None]:
        try:
            yield
        except EOFError as error:
            at = f", at byte {self.taken:,}" if name == self.name else ""
            raise BadInput(f"{name} is cut off: the compressed data ends too early{at}") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            at = f" before byte {self.taken:,}" if name == self.name else ""
            raise BadInput(f"{name} is damaged gzip{at}: {error}") from error

    def _zip(self, stream: io.BufferedReader, name: str, *, packed: bool) -> Iterator[Text]:
        with self._sought(stream, packed=packed) as file:
            files = archives.zip_files(file, _is_tried)
            yield from self._members(files, name, lambda: _reading_zip(name), self._give)

    @contextmanager
    def _sought(self, stream: io.BufferedReader, *, packed: bool) -> Iterator[IO[bytes]]:
        """The archive as a file that can be sought: the file itself, else a copy within the input cap."""
        if not packed and self.file.seekable():
            self._take(self.file.seek(0, os.SEEK_END) - self.taken)
            yield self.file
        else:
            with tempfile.SpooledTemporaryFile(_KEPT_IN_MEMORY) as copy:
                self._copy(stream, copy)
                yield copy

    def _copy(self, stream: io.BufferedReader, copy: IO[bytes]) -> None:
        while piece := stream.read(_MIB):
            try:
                copy.write(piece)
            except OSError as error:
                raise BadInput(
                    f"{self.name} cannot be put aside in {tempfile.gettempdir()}: {error.strerror};"
                    " give the archive as a file, or set TMPDIR"
                ) from error

    def _members(
        self,
        files: Iterator[tuple[str, Readable]],
        name: str,
        told: Callable[[], AbstractContextManager[None]],
        counted: Callable[[int], None],
    ) -> Iterator[Text]:
        """The texts of the files of an archive."""
        while True:
            with told():
                member = next(files, None)
            if member is None:
                return
            inner = f"{name}: {_shown(member[0])}"
            yield from self._open(_stream(member[1], told, counted), inner, inside=True)

    def _whole(self, stream: io.BufferedReader, name: str) -> bytes:
        """Read in pieces: the size of a stream is not known before."""
        whole = io.BytesIO()
        while piece := stream.read(_MIB):
            if whole.tell() == 0:
                _refuse_foreign(name, piece)
            if whole.tell() + len(piece) > self.limits.member:
                cap = size_text(self.limits.member)
                raise BadInput(f"{name} is larger than {cap}; import it in parts, for example by namespace")
            whole.write(piece)
        return whole.getvalue()


def _refuse(name: str, refused: bool, what: str) -> None:  # noqa: FBT001 - a guard reads better with its condition
    if refused:
        raise BadInput(f"{name} is {what}, which is not read; unpack it first")


def _refuse_foreign(name: str, data: bytes) -> None:
    for magic, form in _FOREIGN.items():
        if data.startswith(magic):
            raise BadInput(f"{name} is {form}, not JSON, YAML, gzip, tar or zip")


# ------------------------------------------------------------------------------------------- streams


class _Pieces(io.RawIOBase):
    """The bytes of anything readable: every piece counted, every failure told."""

    def __init__(
        self, file: Readable, told: Callable[[], AbstractContextManager[None]], counted: Callable[[int], None]
    ) -> None:
        self._file = file
        self._told = told
        self._counted = counted

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        with self._told():
            piece = self._file.read(len(buffer))
        buffer[: len(piece)] = piece
        self._counted(len(piece))
        return len(piece)


def _stream(
    file: Readable, told: Callable[[], AbstractContextManager[None]], counted: Callable[[int], None]
) -> io.BufferedReader:
    return io.BufferedReader(_Pieces(file, told, counted), _AHEAD)


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(f"cannot read {_shown(str(error.filename or name))}: {error.strerror}") from error


@contextmanager
def _reading_tar(name: str) -> Iterator[None]:
    try:
        yield
    except tarfile.TarError as error:
        raise BadInput(f"{name} is not a usable tar archive: {_shown(str(error))}") from error


@contextmanager
def _reading_zip(name: str) -> Iterator[None]:
    try:
        yield
    except archives.ZIP_FAULTS as error:
        problem = str(error) or "it is cut off"
        raise BadInput(f"{name} is not a usable zip archive: {_shown(problem)}") from error
    except OSError as error:
        raise BadInput(f"cannot read {name}: {error.strerror}") from error
