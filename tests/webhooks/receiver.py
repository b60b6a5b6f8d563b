"""A receiver of webhooks on this machine, over real HTTP."""

import socket
from collections import deque
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Received(NamedTuple):
    path: str
    headers: dict
    body: bytes

    @property
    def message_id(self):
        return self.headers["webhook-id"]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Say nothing of a client that was killed."""


class Receiver:
    """Keeps what came in `received`. `answers` are functions of the handler that answer the next requests; then 204."""

    def __init__(self):
        self.received, self.answers = [], deque()
        self._server = Server(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_port
        self.url = f"http://receiver.test:{self.port}/events?for=tests"
        self._thread = Thread(target=self._server.serve_forever, args=[0.01])

    def _handler(receiver):  # noqa: N805 - the class inside has a self of its own
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.received.append(Received(self.path, headers, body))
                answer = receiver.answers.popleft() if receiver.answers else status(204)
                answer(self)

            def log_message(self, *_):
                """Say nothing."""

        return Handler

    @property
    def message_ids(self):
        return [one.message_id for one in self.received]

    @contextmanager
    def listening(self):
        self._thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()


def status(code, body=b"", **headers):
    """An answer with this status."""

    def answer(handler):
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if code != 204:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@contextmanager
def listening_raw(answer):
    """A server of plain sockets: `answer` gets the connection of the only client. Yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                answer(connection)

        thread = Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def whole_request(connection):
    """The bytes of a request whose body is an empty object. It comes in pieces."""
    received = b""
    while not received.endswith(b"\r\n\r\n{}"):
        received += connection.recv(10_000)
    return received


def certificate_of(host, folder):
    """The files of a key and of a certificate that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    certificate = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False).sign(
        key, hashes.SHA256()
    )
    paths = folder / "key.pem", folder / "certificate.pem"
    pem = serialization.Encoding.PEM
    paths[0].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    paths[1].write_bytes(certificate.public_bytes(pem))
    return paths
