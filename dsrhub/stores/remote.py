"""What folders on S3 and on SFTP servers share: both are file systems of fsspec."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings

from dsrhub.files.disk import CREATE, not_regular
from dsrhub.stores.addresses import Address
from dsrhub.stores.interface import LocalCopy, StoredFile


class RemoteStore(ABC):
    """Every file is fetched to the folder of uploads before it is read: leftovers of a killed process go with those."""

    errors: tuple[type[Exception], ...]

    def __init__(self, address: Address) -> None:
        self.address = address.shown
        self._root = address.path
        self._system: Any = None

    @contextmanager
    def opened(self) -> Iterator[None]:
        self._system = self._connected()
        try:
            # A wrong name must not look like an empty folder.
            self._require_root()
            yield
        finally:
            self._close()
            self._system = None

    def files(self, folder: str) -> Iterator[StoredFile]:
        for entry in self._entries(folder):
            name = _name(entry)
            if name and entry["type"] != "directory":
                yield self._stored(name, entry)

    def folders(self, folder: str) -> list[str]:
        return sorted(_name(entry) for entry in self._entries(folder) if entry["type"] == "directory")

    def head(self, file: StoredFile, count: int) -> bytes:
        _require_regular(file)
        content: bytes = self._system.cat_file(self._path(file.name), start=0, end=min(count, file.size))
        return content

    def is_unchanged(self, file: StoredFile) -> bool:
        try:
            return self._stored(file.name, self._found(file.name)).mark == file.mark
        except FileNotFoundError:
            return False

    @contextmanager
    def fetched(self, folder: str, file: StoredFile) -> Iterator[LocalCopy]:
        _require_regular(file)
        uploads: Path = settings.DSRHUB_UPLOAD_DIR
        uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
        copy = uploads / uuid4().hex
        try:
            with os.fdopen(os.open(copy, CREATE, 0o600), "wb") as target:
                self._copy(self._path(folder, file.name), target)
            yield LocalCopy(copy, uploads)
        finally:
            copy.unlink(missing_ok=True)

    def read(self, folder: str, name: str, limit: int) -> bytes | None:
        try:
            with self._system.open(self._path(folder, name), "rb") as file:
                content: bytes = file.read(limit)
        except FileNotFoundError:
            return None
        return content

    @abstractmethod
    def _connected(self) -> Any:
        """A file system of fsspec with a connection."""

    @abstractmethod
    def _require_root(self) -> None:
        """Raises FileNotFoundError where the folder itself does not exist."""

    @abstractmethod
    def _close(self) -> None: ...

    @abstractmethod
    def _found(self, name: str) -> dict[str, Any]:
        """What a listing has of a file of the folder itself, read anew. Links are not followed."""

    @abstractmethod
    def _copy(self, path: str, target: Any) -> None:
        """Write the content of a file to an open file of this machine."""

    @abstractmethod
    def _stored(self, name: str, entry: dict[str, Any]) -> StoredFile: ...

    def _path(self, *parts: str) -> str:
        return "/".join([self._root, *(part for part in parts if part)])

    def _entries(self, folder: str) -> list[dict[str, Any]]:
        path = self._path(folder)
        try:
            entries = self._system.ls(path, detail=True)
        except FileNotFoundError:
            return []
        # Where a bucket has no such folder, but an object of its name, this object is the answer.
        return [entry for entry in entries if entry["name"].startswith(f"{path}/")]


def _require_regular(file: StoredFile) -> None:
    if not file.is_regular:
        raise not_regular(file.name)


def _name(entry: dict[str, Any]) -> str:
    return str(entry["name"]).rpartition("/")[2]
