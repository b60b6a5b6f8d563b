"""A network between a program and PostgreSQL that is slow, or breaks in the middle of what is sent."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.faults.server import PATIENCE

CHUNK = 8192
# The client and the server of a connection.
Pair = tuple[socket.socket, socket.socket]


class Proxy:
    """Passes connections on from a port of this machine to the Unix socket of a server.

    `seconds_late` is how late each chunk of up to 8 KiB comes, in either direction. With `bytes_left`, all connections
    break after so many bytes together, as a rule in the middle of a message of the protocol; the server learns of it
    `seconds_unknown` later than the client. Later connections work, until `bytes_left` is set again.
    """

    def __init__(self, folder: Path, *, seconds_late: float = 0, seconds_unknown: float = 0) -> None:
        self.address = str(folder / ".s.PGSQL.5432")
        self.seconds_late, self.seconds_unknown = seconds_late, seconds_unknown
        self.bytes_left: int | None = None
        self.breaks = 0
        self._lock = threading.Lock()
        self._pairs: list[Pair] = []
        self._opened: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Yields the DATABASE_URL of what this leads to."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            acceptor = self._start(self._accept, listener)
            try:
                yield f"postgres://postgres@127.0.0.1:{listener.getsockname()[1]}/postgres"
            finally:
                # This wakes the thread that accepts; closing does not.
                listener.shutdown(socket.SHUT_RDWR)
                acceptor.join(PATIENCE)
                self._break()
                for thread in self._threads:
                    thread.join(PATIENCE)
                for one in self._opened:
                    one.close()

    def _start(self, step, *arguments) -> threading.Thread:
        thread = threading.Thread(target=step, args=arguments, daemon=True)
        thread.start()
        return thread

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # The listener was shut down.
            while True:
                client, _ = listener.accept()
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self.address)
        except OSError:  # PostgreSQL is down.
            client.close()
            return
        pair = client, server
        self._opened += pair
        with self._lock:
            self._pairs.append(pair)
        self._threads += [self._start(self._pass_on, pair, *ends) for ends in (pair, pair[::-1])]

    def _pass_on(self, pair: Pair, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):  # One of the two is gone.
            while chunk := source.recv(CHUNK):
                time.sleep(self.seconds_late)
                passed, is_last = self._within_limit(chunk)
                target.sendall(passed)
                if is_last:
                    self._break()
                    return
        with self._lock:
            is_broken = pair not in self._pairs
        if not is_broken:
            # What one side has ended is ended for the other side.
            _end(*pair)

    def _within_limit(self, chunk: bytes) -> tuple[bytes, bool]:
        """The part of a chunk that still passes, and whether all connections break behind it."""
        with self._lock:
            if self.bytes_left is None:
                return chunk, False
            passed = chunk[: self.bytes_left]
            self.bytes_left -= len(passed)
            if self.bytes_left:
                return passed, False
            self.bytes_left = None
            self.breaks += 1
            return passed, True

    def _break(self) -> None:
        """End all connections: first for the clients, then for the server."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        clients, servers = zip(*pairs, strict=True) if pairs else ((), ())
        _end(*clients)
        time.sleep(self.seconds_unknown)
        _end(*servers)


def _end(*sockets: socket.socket) -> None:
    """End connections. Their threads wake up; closing alone would not wake them."""
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
