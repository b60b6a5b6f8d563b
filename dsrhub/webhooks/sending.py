"""One POST of an event: to an address that was checked, within a time limit, without following a redirect."""

import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from socket import SHUT_RDWR, create_connection, socket
from threading import Event, Timer

from dsrhub.texts.wording import printable
from dsrhub.values.numbers import plain_whole_number
from dsrhub.webhooks.exceptions import AddressRefused
from dsrhub.webhooks.targets import Address, Target, addresses_of, target_of

# How long an attempt may take, in seconds: to connect to an address, and from then on.
CONNECT_SECONDS, ANSWER_SECONDS = 5, 15
# A host has some addresses, in case that one does not answer.
MOST_ADDRESSES = 2
# How much of an answer is kept, and read.
LONGEST_ANSWER = 1000
# The longest pause, in seconds, that a receiver may ask for by `Retry-After`.
LONGEST_PAUSE = 24 * 3600
TLS = ssl.create_default_context()


@dataclass(frozen=True)
class Answer:
    """What came of an attempt: the status and the beginning of the body, or the error without either."""

    status: int | None = None
    body: str = ""
    error: str = ""
    seconds: float = 0
    pause: timedelta = timedelta()

    @property
    def is_success(self) -> bool:
        return self.status is not None and HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_gone(self) -> bool:
        return self.status == HTTPStatus.GONE


def post(url: str, body: str, headers: Mapping[str, str]) -> Answer:
    """Send a body of JSON. Whatever fails is in the answer."""
    started = time.monotonic()
    try:
        target = target_of(url)
        with _connection(target, addresses_of(target)[:MOST_ADDRESSES]) as connection:
            connection.request("POST", target.path, body.encode(), {"Host": target.authority, **headers})
            found = _found(connection.getresponse())
    except AddressRefused as error:
        return Answer(error=printable(str(error.text), LONGEST_ANSWER))
    except (OSError, HTTPException, ValueError) as error:  # A host that TLS cannot name is a ValueError.
        return Answer(error=_error_text(error), seconds=_since(started))
    status, text, pause = found
    return Answer(status=status, body=text, seconds=_since(started), pause=pause)


@contextmanager
def _connection(target: Target, addresses: list[Address]) -> Iterator[HTTPConnection]:
    """A connection to one of the addresses, which is cut when its time is over."""
    own = _connected(addresses, target.port)
    if target.is_secure:
        own = _with_tls(own, target.host)
    timer, is_cut = Timer(ANSWER_SECONDS, lambda: _cut(own, is_cut)), Event()
    timer.daemon = True
    timer.start()
    connection = HTTPConnection(target.host, target.port)
    connection.auto_open = 0
    connection.sock = own
    try:
        own.settimeout(ANSWER_SECONDS)
        if isinstance(own, ssl.SSLSocket):
            own.do_handshake()
        yield connection
        # The end of a connection ends the headers, too: what came of the answer looks complete.
        if is_cut.is_set():
            raise TimeoutError("The answer takes too long.")
    finally:
        timer.cancel()
        connection.close()


def _connected(addresses: list[Address], port: int) -> socket:
    """Raises OSError with the error of the last address."""
    for number, address in enumerate(addresses, start=1):
        try:
            return create_connection((str(address), port), CONNECT_SECONDS)
        except OSError:
            if number == len(addresses):
                raise
    raise OSError("The host has no address.")


def _with_tls(plain: socket, host: str) -> ssl.SSLSocket:
    """The socket for TLS, before the handshake: that may last, too."""
    try:
        return TLS.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
    except (OSError, ValueError):
        plain.close()
        raise


def _cut(own: socket, is_cut: Event) -> None:
    """End a connection from another thread: whoever reads from it reads no more. One byte at a time is no answer."""
    is_cut.set()
    try:
        own.shutdown(SHUT_RDWR)
    except OSError:  # It has just ended.
        own.close()


def _found(response: HTTPResponse) -> tuple[int, str, timedelta]:
    text = response.read(LONGEST_ANSWER).decode(errors="replace")
    return response.status, printable(text, LONGEST_ANSWER), _pause(response.getheader("Retry-After", ""))


def _pause(text: str) -> timedelta:
    """The pause that a receiver asks for in seconds; none for any other text."""
    seconds = plain_whole_number(text) or 0
    return timedelta(seconds=min(max(seconds, 0), LONGEST_PAUSE))


def _error_text(error: Exception) -> str:
    return printable(f"{type(error).__name__}: {error}", LONGEST_ANSWER)


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)
