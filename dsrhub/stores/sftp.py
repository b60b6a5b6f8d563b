"""A folder of an SFTP server, by fsspec and paramiko."""

from contextlib import suppress
from typing import Any

from django.conf import settings
from fsspec.implementations.sftp import SFTPFileSystem
from paramiko import SSHClient, SSHException

from dsrhub.stores.addresses import Address
from dsrhub.stores.interface import StoredFile
from dsrhub.stores.remote import RemoteStore

# Seconds to connect, and to wait for an answer.
TIMEOUT = 30


class VerifiedSFTP(SFTPFileSystem):  # type: ignore[misc]
    """Connects only to servers whose keys are known. fsspec's own class accepts every key that it sees first."""

    def _connect(self) -> None:
        self.client = SSHClient()
        # paramiko refuses all other keys.
        self.client.load_system_host_keys(settings.DSRHUB_SFTP_KNOWN_HOSTS or None)
        self.client.connect(self.host, **self.ssh_kwargs)
        self.ftp = self.client.open_sftp()
        self.ftp.get_channel().settimeout(TIMEOUT)


class SFTPStore(RemoteStore):
    """Files and folders are renamed by the server, in one step. SFTP's own rename never overwrites."""

    errors = (OSError, EOFError, SSHException)

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self._where = address

    def take(self, file: StoredFile, folder: str) -> None:
        self._make(folder)
        self._system.ftp.rename(self._path(file.name), self._path(folder, file.name))

    def take_is_ended(self, file: StoredFile, folder: str) -> bool:
        return False

    def put_back(self, folder: str, name: str) -> None:
        with suppress(FileNotFoundError):
            self._found(name)
            raise FileExistsError(f"{name} exists already")
        self._system.ftp.rename(self._path(folder, name), self._path(name))

    def move_folder(self, folder: str, to: str, *, last: str) -> None:
        self._make(to.rpartition("/")[0])
        self._system.ftp.rename(self._path(folder), self._path(to))

    def write(self, folder: str, name: str, content: bytes) -> None:
        self._make(folder)
        draft, path = self._path(folder, f".{name}.part"), self._path(folder, name)
        with self._system.ftp.open(draft, "wb") as file:
            file.write(content)
        try:
            self._system.ftp.posix_rename(draft, path)
        except OSError:  # The server lacks this extension of OpenSSH, and its own rename never overwrites.
            with suppress(FileNotFoundError):
                self._system.ftp.remove(path)
            self._system.ftp.rename(draft, path)

    def _connected(self) -> Any:
        where = self._where
        return VerifiedSFTP(
            where.host,
            port=where.port or 22,
            username=where.user,
            password=where.password,
            key_filename=settings.DSRHUB_SFTP_KEY_FILE or None,
            timeout=TIMEOUT,
            banner_timeout=TIMEOUT,
            auth_timeout=TIMEOUT,
            channel_timeout=TIMEOUT,
            skip_instance_cache=True,
        )

    def _require_root(self) -> None:
        self._system.ftp.stat(self._root)

    def _close(self) -> None:
        self._system.client.close()

    def _found(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._system._decode_stat(self._system.ftp.lstat(self._path(name)))
        return found

    def _copy(self, path: str, target: Any) -> None:
        self._system.ftp.getfo(path, target)

    def _stored(self, name: str, entry: dict[str, Any]) -> StoredFile:
        changed_at = entry["mtime"].timestamp()
        return StoredFile(name, entry["size"], changed_at, f"{entry['size']}:{changed_at}", entry["type"] == "file")

    def _make(self, folder: str) -> None:
        self._system.makedirs(self._path(folder), exist_ok=True)
