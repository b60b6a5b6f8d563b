"""Files on the disk: opened as regular files only, and below a folder without following links."""

import errno
import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from dsrhub.exceptions import DsrhubError
from dsrhub.texts.marked import gettext_lazy as _

# A FIFO without a writer would block its reader for ever.
READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# What the system says of a link that is not followed, of a socket, and of a device without a driver.
NOT_REGULAR = {errno.ELOOP, errno.EMLINK, errno.ENOTDIR, errno.ENXIO, errno.ENODEV}

# What macOS and Windows put into folders and archives for themselves, in lower case.
SYSTEM_FILES = {".ds_store", "desktop.ini", "thumbs.db"}
SYSTEM_FOLDER = "__macosx"


class NotARegularFile(DsrhubError):
    """A path leads to a link, a FIFO, a device, a socket or a folder, or out of its folder."""

    code = "not_a_regular_file"


class FoundFile(NamedTuple):
    """A file, and the folder in which a program found it. The folder is None if a person named the file."""

    path: Path
    folder: Path | None = None

    def size(self) -> int:
        return self.path.stat(follow_symlinks=self.folder is None).st_size


def file_open(path: Path, folder: Path | None = None) -> io.BufferedReader:
    """Open a regular file to read it.

    With a `folder`, no part of the path below it may be a link: others may write to the folder, and a link in it would
    show them files that only dsrhub can read. Without a folder, a person who can read the file named it, and links are
    followed. Hard links count as files: a system with `fs.protected_hardlinks` lets nobody link a foreign file.

    Raises NotARegularFile and OSError.
    """
    try:
        if folder is None:
            descriptor = os.open(path, READ)
        else:
            with folder_open(path.parent, folder) as parent:
                descriptor = os.open(path.name, READ | os.O_NOFOLLOW, dir_fd=parent)
    except OSError as error:
        if error.errno in NOT_REGULAR:
            raise not_regular(path.name) from error
        raise
    if not S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise not_regular(path.name)
    return os.fdopen(descriptor, "rb")


@contextmanager
def folder_open(path: Path, folder: Path) -> Iterator[int]:
    """A descriptor of the folder at `path`, reached from `folder` step by step without following a link.

    Raises NotARegularFile and OSError.
    """
    if not path.is_relative_to(folder) or ".." in path.relative_to(folder).parts:
        raise not_regular(path.name)
    descriptor = os.open(folder, FOLDER)
    try:
        for part in path.relative_to(folder).parts:
            parent = descriptor
            descriptor = _step(part, parent, path)
            os.close(parent)
        yield descriptor
    finally:
        os.close(descriptor)


def _step(part: str, parent: int, path: Path) -> int:
    try:
        return os.open(part, FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    except OSError as error:
        if error.errno in NOT_REGULAR:
            raise not_regular(path.name) from error
        raise


def not_regular(name: str) -> NotARegularFile:
    return NotARegularFile(
        _("%(name)s: not a regular file in its folder. Links are not followed.") % {"name": name}, name=name
    )


def ends_in(name: str, endings: str | tuple[str, ...]) -> bool:
    """Whether a file name has one of the endings, which are in lower case. The case of the name does not matter."""
    return name.lower().endswith(endings)


def is_system_file(name: str) -> bool:
    """Whether macOS or Windows makes files of this name for itself. `._a` has what a Mac knows about the file `a`."""
    return name.startswith("._") or name.lower() in SYSTEM_FILES


class FolderContent(NamedTuple):
    """The files in a folder and its subfolders, the links to other folders, and why subfolders could not be read."""

    files: list[FoundFile]
    links: list[Path]
    errors: list[OSError]


def files_below(folder: Path) -> FolderContent:
    """What is in a folder and its subfolders, sorted by path. Files of the operating system are left out.

    Whatever is not a folder counts as a file: opening it finds out. Links to folders are not followed.
    """
    files: list[Path] = []
    links: list[Path] = []
    errors: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=errors.append):
        folders[:] = [name for name in folders if name.lower() != SYSTEM_FOLDER]
        files += [Path(parent, name) for name in names if not is_system_file(name)]
        links += [path for path in (Path(parent, name) for name in folders) if path.is_symlink()]
    return FolderContent([FoundFile(path, folder) for path in sorted(files)], sorted(links), errors)


def file_sha256(path: Path, folder: Path | None = None) -> str:
    """The SHA-256 of the bytes of a file, as hexadecimal digits. `folder` is that of `file_open`."""
    with file_open(path, folder) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def joined_sha256(hashes: Sequence[str]) -> str:
    """The hash of several files that belong together: that of their hashes. A single file has its own."""
    return hashes[0] if len(hashes) == 1 else hashlib.sha256(" ".join(hashes).encode()).hexdigest()


class FileBytes(io.RawIOBase):
    """The bytes of an open file from its start, read at a position of their own."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        starts = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: os.fstat(self._file.fileno()).st_size}
        self._position = max(starts[whence] + offset, 0)
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        count = os.preadv(self._file.fileno(), [buffer], self._position)
        self._position += count
        return count
