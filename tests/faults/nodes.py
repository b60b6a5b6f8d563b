"""A cluster of Citus for tests: a coordinator and nodes, each a server that can be killed.

    python -m tests.faults.nodes --programs /usr/lib/postgresql/16/bin

This starts a cluster, prints the DATABASE_URL of its coordinator, and stops it at the end of the input. The folder has
the programs of a PostgreSQL with the extension.
"""

import argparse
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg2

from tests.faults.server import PATIENCE, PAUSE

OPTIONS = {
    "shared_preload_libraries": "citus",
    "wal_level": "logical",
    "max_connections": "200",
    "max_locks_per_transaction": "512",
    # The machine goes on when a server is killed, so nothing has to be synced.
    "fsync": "off",
    "shared_buffers": "256MB",
    "citus.recover_2pc_interval": "2s",
    # A new connection costs more than a small question.
    "citus.max_cached_conns_per_worker": "8",
    "citus.enable_statistics_collection": "off",
}


class Node:
    """A server on a port of this machine. As root, it runs as `nobody`."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder = programs, folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        self._user = "nobody" if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        if self._user:
            os.chown(folder, pwd.getpwnam(self._user).pw_uid, -1)
        self._run("initdb", "--username=postgres", "--auth=trust", "--encoding=utf8", "--no-sync", "--locale=C.UTF-8")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments, "--pgdata", str(self.folder / "data")]
        subprocess.run(command, user=self._user, cwd=self.folder, check=True, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        options = [f"--{name}={value}" for name, value in OPTIONS.items()]
        with (self.folder / "log").open("ab") as log:
            command = [str(self.programs / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
            self._process = subprocess.Popen(
                [*command, "-h", "127.0.0.1", "-k", str(self.folder), *options],
                user=self._user,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE
        while not self.is_up():
            assert time.monotonic() < deadline, "PostgreSQL does not start"
            time.sleep(PAUSE)

    def is_up(self) -> bool:
        try:
            psycopg2.connect(self.url).close()
        except psycopg2.OperationalError:
            return False
        return True

    def kill(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """An immediate shutdown: as after a crash, the next start has to recover."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE)
            self._process = None

    def execute(self, statement: str) -> None:
        connection = psycopg2.connect(self.url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()


class Cluster:
    """A coordinator and some nodes in a temporary folder, in the database `postgres`. Lines are not spread yet."""

    def __init__(self, programs: Path, count: int = 2) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dsrhub-cluster-"))
        self.folder.chmod(0o755)
        self.coordinator, *self.nodes = [Node(programs, self.folder / str(number)) for number in range(count + 1)]
        for server in (self.coordinator, *self.nodes):
            server.start()
            server.execute("CREATE EXTENSION citus")
        self.coordinator.execute(f"SELECT citus_set_coordinator_host('127.0.0.1', {self.coordinator.port})")
        for node in self.nodes:
            self.coordinator.execute(f"SELECT citus_add_node('127.0.0.1', {node.port})")

    def remove(self) -> None:
        for server in (self.coordinator, *self.nodes):
            server.kill()
        shutil.rmtree(self.folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--nodes", type=int, default=2)
    options = parser.parse_args()
    cluster = Cluster(options.programs, options.nodes)
    try:
        sys.stdout.write(f"{cluster.coordinator.url}\n")
        sys.stdout.flush()
        sys.stdin.read()
    finally:
        cluster.remove()


if __name__ == "__main__":
    main()
