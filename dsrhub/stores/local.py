"""A folder on this machine. Others may write to it, so no link below it is followed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from dsrhub.files.disk import CREATE, FOLDER, NotARegularFile, file_open, folder_open
from dsrhub.stores.interface import LocalCopy, StoredFile


class LocalStore:
    errors: tuple[type[Exception], ...] = (OSError, NotARegularFile)

    def __init__(self, path: Path) -> None:
        self.address = str(path)
        self._root = path

    @contextmanager
    def opened(self) -> Iterator[None]:
        os.close(os.open(self._root, FOLDER))
        yield

    def files(self, folder: str) -> Iterator[StoredFile]:
        for entry in self._entries(folder):
            with suppress(FileNotFoundError):  # It was moved meanwhile.
                found = entry.stat(follow_symlinks=False)
                if not S_ISDIR(found.st_mode):
                    yield _stored(entry.name, found)

    def folders(self, folder: str) -> list[str]:
        return sorted(entry.name for entry in self._entries(folder) if entry.is_dir(follow_symlinks=False))

    def head(self, file: StoredFile, count: int) -> bytes:
        with file_open(self._root / file.name, self._root) as opened:
            return opened.read(count)

    @contextmanager
    def fetched(self, folder: str, file: StoredFile) -> Iterator[LocalCopy]:
        yield LocalCopy(self._root / folder / file.name, self._root)

    def is_unchanged(self, file: StoredFile) -> bool:
        with folder_open(self._root, self._root) as folder, suppress(FileNotFoundError):
            return _stored(file.name, os.stat(file.name, dir_fd=folder, follow_symlinks=False)).mark == file.mark
        return False

    def take(self, file: StoredFile, folder: str) -> None:
        with folder_open(self._root, self._root) as source, self._made(folder) as target:
            _move(file.name, source, target)

    def take_is_ended(self, file: StoredFile, folder: str) -> bool:
        # A file is renamed in one step: what has its name now is another one.
        return False

    def move_folder(self, folder: str, to: str, *, last: str) -> None:
        (source, name), (target, new_name) = (path.rpartition("/")[::2] for path in (folder, to))
        with folder_open(self._root / source, self._root) as old, self._made(target) as new:
            _move(name, old, new, new_name)

    def write(self, folder: str, name: str, content: bytes) -> None:
        draft = f".{name}.part"
        with self._made(folder) as parent:
            with suppress(FileNotFoundError):  # Of a process that was killed.
                os.unlink(draft, dir_fd=parent)
            with os.fdopen(os.open(draft, CREATE, 0o666, dir_fd=parent), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, name, src_dir_fd=parent, dst_dir_fd=parent)

    def read(self, folder: str, name: str, limit: int) -> bytes | None:
        try:
            with file_open(self._root / folder / name, self._root) as file:
                return file.read(limit)
        except FileNotFoundError:
            return None

    def _entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        try:
            with folder_open(self._root / folder, self._root) as descriptor, os.scandir(descriptor) as entries:
                yield from entries
        except FileNotFoundError:
            if not folder:
                raise

    @contextmanager
    def _made(self, folder: str) -> Iterator[int]:
        """A descriptor of a folder, which is made if needed. No part of its path may be a link."""
        made = self._root
        for part in Path(folder).parts:
            with folder_open(made, self._root) as parent, suppress(FileExistsError):
                os.mkdir(part, dir_fd=parent)
            made /= part
        with folder_open(made, self._root) as descriptor:
            yield descriptor


def _stored(name: str, found: os.stat_result) -> StoredFile:
    mark = f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"
    return StoredFile(name, found.st_size, found.st_mtime, mark, S_ISREG(found.st_mode))


def _move(name: str, source: int, target: int, new_name: str | None = None) -> None:
    """Rename a file or a folder, but never over another one. Nobody else writes to the target folder."""
    new_name = new_name or name
    with suppress(FileNotFoundError):
        os.stat(new_name, dir_fd=target, follow_symlinks=False)
        raise FileExistsError(f"{new_name} exists already")
    os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
