"""The worker class of gunicorn: it waits for slow clients without a thread."""

import contextlib
import errno
import re
import selectors
import socket
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from dsrhub.http.bodies import SMALL_BODY

# The bytes of a request line with its headers.
HEAD_LIMIT = 32 * 1024
# Seconds for the head of a request and for a small body, together.
ARRIVAL_SECONDS = 20
# A client may pause for PAUSE_SECONDS while it sends a larger body. The whole body may take the time that it needs at
# SLOWEST_RATE, in bytes per second, and PAUSE_SECONDS more.
PAUSE_SECONDS = 30
SLOWEST_RATE = 4 * 1024
# Seconds for the client to take one piece of the response.
SEND_SECONDS = 120
# Seconds and bytes for the client to notice the end of the connection. A close with unread bytes resets it.
LINGER_SECONDS = 2
LINGER_LIMIT = 1024 * 1024
READ_SIZE = 64 * 1024

END_OF_HEAD = b"\r\n\r\n"
# gunicorn refuses what is not a number. Of a long number, the first digits show that it is large.
CONTENT_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,18})\d*[ \t]*\r\n", re.IGNORECASE | re.MULTILINE)
TRANSFER_ENCODING = re.compile(rb"^transfer-encoding:", re.IGNORECASE | re.MULTILINE)
EXPECTS_CONTINUE = re.compile(rb"^expect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE | re.MULTILINE)


class PacedSocket:
    """Receives a body in a thread. A client that is too slow causes a TimeoutError."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._begin, self._received = monotonic(), 0

    def recv(self, size: int) -> bytes:
        due = self._begin + PAUSE_SECONDS + self._received / SLOWEST_RATE
        seconds = min(PAUSE_SECONDS, due - monotonic())
        if seconds <= 0:
            raise TimeoutError("The body of the request arrives too slowly.")
        self._sock.settimeout(seconds)
        try:
            data = self._sock.recv(size)
        finally:
            self._sock.settimeout(SEND_SECONDS)
        self._received += len(data)
        return data


class Arrival:
    """What has arrived of a request."""

    def __init__(self, data: bytes) -> None:
        self.deadline = monotonic() + ARRIVAL_SECONDS
        self.data = bytearray(data)
        self._searched = self._body_length = 0
        self._head_end = -1
        self.has_more = False

    def add(self, data: bytes) -> None:
        self.data += data

    def is_too_large(self) -> bool:
        return self._head_end < 0 and len(self.data) > HEAD_LIMIT

    def is_complete(self, sock: socket.socket) -> bool:
        """Whether a thread can take the request: its head is complete, and so is a small body."""
        if self._head_end < 0:
            found = self.data.find(END_OF_HEAD, self._searched)
            self._searched = max(0, len(self.data) - len(END_OF_HEAD))
            if found < 0 or found > HEAD_LIMIT:
                return False
            self._read_head(found + len(END_OF_HEAD), sock)
        return self.has_more or len(self.data) >= self._head_end + self._body_length

    def _read_head(self, end: int, sock: socket.socket) -> None:
        head = bytes(self.data[:end])
        self._body_length = max(map(int, CONTENT_LENGTH.findall(head)), default=0)
        self.has_more = self._body_length > SMALL_BODY or TRANSFER_ENCODING.search(head) is not None
        if not self.has_more and b" HTTP/1.1\r\n" in head and EXPECTS_CONTINUE.search(head):
            # gunicorn would say this too late, as it does not have the request yet.
            sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = EXPECTS_CONTINUE.sub(b"", head)
            self.data[:end] = head
        self._head_end = len(head)


class BufferingWorker(ThreadWorker):  # type: ignore[misc]
    """Threads as in gunicorn's `gthread`, but a thread gets a request only when its head and a small body have arrived.

    In `gthread`, threads wait for clients: as many slow clients as threads stop the server. Here the loop of the worker
    receives heads and small bodies. A thread receives a larger body, if the application reads it. TLS is not supported.
    """

    def init_process(self) -> None:
        self._arriving: dict[Any, Arrival] = {}
        # Answered connections with the time of their end.
        self._closing: dict[Any, float] = {}
        super().init_process()

    # --- From the connection to a thread ----------------------------------------------------------------------

    def enqueue_req(self, conn: Any) -> None:
        """Wait for the next request of a connection, of which some bytes may have arrived."""
        conn.init()
        conn.sock.setblocking(False)
        arrival = self._arriving[conn] = Arrival(conn.parser.unreader.take_buffered())
        self._watch(conn, partial(self._receive, conn))
        self._go_on(conn, arrival)

    def _receive(self, conn: Any, sock: socket.socket) -> None:
        data = _received(sock)
        if data is None:
            return
        if not data:
            self._drop(conn)
            return
        arrival = self._arriving[conn]
        arrival.add(data)
        self._go_on(conn, arrival)

    def _go_on(self, conn: Any, arrival: Arrival) -> None:
        try:
            is_complete = arrival.is_complete(conn.sock)
        except OSError:
            self._drop(conn)
            return
        if is_complete:
            self._unwatch(conn)
            unreader = conn.parser.unreader
            unreader.unread(bytes(arrival.data))
            unreader.sock = PacedSocket(conn.sock)
            conn.has_more = arrival.has_more
            super().enqueue_req(conn)
        elif arrival.is_too_large():
            self._refuse(conn, "431 Request Header Fields Too Large")

    def handle_request(self, req: Any, conn: Any) -> Any:
        conn.sock.settimeout(SEND_SECONDS)
        if conn.has_more:
            # The application may leave the body unread: the connection ends instead of waiting for the rest.
            req.force_close()
        try:
            return super().handle_request(req, conn)
        except TimeoutError as error:
            # For gunicorn, a client that went away. Otherwise it would log a traceback.
            raise ConnectionResetError(errno.ECONNRESET, "The client is too slow.") from error

    # --- The end of a connection ------------------------------------------------------------------------------

    def finish_request(self, conn: Any, fs: Any) -> None:
        if fs.cancelled() or fs.exception() is not None or fs.result():
            super().finish_request(conn, fs)
        else:
            self._linger(conn)

    def _linger(self, conn: Any) -> None:
        """End a connection without a reset. gunicorn's own way would stop the loop for up to two seconds."""
        self._closing[conn] = monotonic() + LINGER_SECONDS
        conn.left = LINGER_LIMIT
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            self._watch(conn, partial(self._discard, conn))
        except OSError:
            self._drop(conn)

    def _discard(self, conn: Any, sock: socket.socket) -> None:
        data = _received(sock)
        if data is None:
            return
        conn.left -= len(data)
        if not data or conn.left < 0:
            self._drop(conn)

    def murder_pending(self) -> None:
        """gunicorn calls this at least once per second."""
        super().murder_pending()
        now = monotonic()
        for conn, arrival in list(self._arriving.items()):
            if not arrival.data and (arrival.deadline <= now or not self.alive):
                self._drop(conn)
            elif arrival.deadline <= now:
                self._refuse(conn, "408 Request Timeout")
        for conn, end in list(self._closing.items()):
            if end <= now:
                self._drop(conn)

    def _refuse(self, conn: Any, status: str) -> None:
        self._unwatch(conn)
        with contextlib.suppress(OSError):
            conn.sock.send(f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
        self._linger(conn)

    def _drop(self, conn: Any) -> None:
        self._unwatch(conn)
        self.nr_conns -= 1
        conn.close()

    def _watch(self, conn: Any, callback: Callable[[socket.socket], None]) -> None:
        self.poller.register(conn.sock, selectors.EVENT_READ, callback)

    def _unwatch(self, conn: Any) -> None:
        self._arriving.pop(conn, None)
        self._closing.pop(conn, None)
        with contextlib.suppress(KeyError, ValueError):
            self.poller.unregister(conn.sock)


def _received(sock: socket.socket) -> bytes | None:
    """What has arrived; None if nothing has, and no bytes at the end of the connection."""
    try:
        return sock.recv(READ_SIZE)
    except BlockingIOError:
        return None
    except OSError:
        return b""
