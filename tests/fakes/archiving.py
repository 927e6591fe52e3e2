"""Archives of a folder, as the tools of the field make them."""

from __future__ import annotations

import stat
import tarfile
import zipfile
from pathlib import Path


def tar_of(source: Path, archive: Path, *, mode: str = "w:gz") -> Path:
    """A tar of a file or folder, its members in order of their paths, below one top folder."""
    with tarfile.open(archive, mode) as tar:  # type: ignore[call-overload]  # the mode is the test's choice
        for path in [source] if source.is_file() else sorted(source.rglob("*")):
            tar.add(path, f"bundle/{path.relative_to(source.parent)}", recursive=False)
    return archive


def zip_of(source: Path, archive: Path) -> Path:
    """A deflated zip of a file or folder; links stay links."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in [source] if source.is_file() else source.rglob("*"):
            name = f"bundle/{path.relative_to(source.parent)}"
            if path.is_symlink():
                info = zipfile.ZipInfo(name)
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
                packed.writestr(info, str(path.readlink()))
            else:
                packed.write(path, name)
    return archive
