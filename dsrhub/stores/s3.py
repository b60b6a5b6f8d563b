"""A folder of a bucket, by s3fs. Credentials and the address of the service come from the chain of AWS's own tools."""

from collections.abc import Iterable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from s3fs import S3FileSystem

from dsrhub.stores.addresses import Address
from dsrhub.stores.interface import StoredFile
from dsrhub.stores.remote import RemoteStore

# Seconds to connect, and between two pieces of an answer. s3fs itself tries again, so botocore need not.
TIMEOUTS = {"connect_timeout": 10, "read_timeout": 60, "retries": {"total_max_attempts": 1}}


class S3Store(RemoteStore):
    """S3 moves nothing: an object is copied, then deleted. What is in both places is one object on its way."""

    errors = (OSError, BotoCoreError, ClientError)

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self._bucket = address.path.partition("/")[0]

    def take(self, file: StoredFile, folder: str) -> None:
        source = self._path(file.name)
        self._copy_object(source, self._path(folder, file.name), CopySourceIfMatch=file.mark)
        self._remove(source, file.mark)

    def take_is_ended(self, file: StoredFile, folder: str) -> bool:
        source, target = self._path(file.name), self._path(folder, file.name)
        # The mark of a copy may differ from that of its original, so the contents are compared.
        if self._system.info(target)["size"] != file.size or self._differ(source, target):
            return False
        self._remove(source, file.mark)
        return True

    def put_back(self, folder: str, name: str) -> None:
        source, target = self._path(folder, name), self._path(name)
        try:
            found = self._found(name)
        except FileNotFoundError:
            self._copy_object(source, target)
        else:
            if self._system.info(source)["size"] != found["size"] or self._differ(source, target):
                raise FileExistsError(f"{name} exists already")
        self._delete(source)

    def move_folder(self, folder: str, to: str, *, last: str) -> None:
        for file in _with_last(self.files(folder), last):
            self._copy_object(self._path(folder, file.name), self._path(to, file.name))
            self._delete(self._path(folder, file.name))

    def write(self, folder: str, name: str, content: bytes) -> None:
        self._system.pipe_file(self._path(folder, name), content)

    def _connected(self) -> Any:
        # fsspec keeps one client for all folders and looks. Its sessions and credentials renew themselves.
        return S3FileSystem(config_kwargs=TIMEOUTS, use_listings_cache=False)

    def _require_root(self) -> None:
        self._system.call_s3("head_bucket", Bucket=self._bucket)

    def _close(self) -> None:
        """The client stays."""

    def _found(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._system.info(self._path(name), refresh=True)
        return found

    def _copy(self, path: str, target: Any) -> None:
        with self._system.open(path, "rb", cache_type="readahead") as file:
            while piece := file.read(file.blocksize):
                target.write(piece)

    def _stored(self, name: str, entry: dict[str, Any]) -> StoredFile:
        return StoredFile(name, entry["size"], entry["LastModified"].timestamp(), entry["ETag"])

    def _remove(self, path: str, mark: str) -> None:
        """Delete an object, unless another one was put in its place: that stays, as a new delivery."""
        if self._system.info(path, refresh=True)["ETag"] == mark:
            # Services that know this condition check it again in the same moment.
            self._delete(path, IfMatch=mark)

    def _copy_object(self, source: str, target: str, **conditions: str) -> None:
        self._system.cp_file(source, target, **conditions)

    def _delete(self, path: str, **conditions: str) -> None:
        bucket, key, _version = self._system.split_path(path)
        self._system.call_s3("delete_object", Bucket=bucket, Key=key, **conditions)

    def _differ(self, one: str, other: str) -> bool:
        with self._system.open(one, "rb") as first, self._system.open(other, "rb") as second:
            while piece := first.read(first.blocksize):
                if piece != second.read(first.blocksize):
                    return True
        return False


def _with_last(files: Iterable[StoredFile], last: str) -> list[StoredFile]:
    return sorted(files, key=lambda file: file.name == last)
