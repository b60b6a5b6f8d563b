"""The receiver of the demo: a program that gets the events of a webhook, and writes them to a file, one on each line.

It listens on a socket of its parent, with which it ends. It accepts what is signed with one of the secrets in the
variable SECRETS. docs/webhooks.md shows how a receiver does this.
"""

import argparse
import base64
import hmac
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

SECRETS = "DSRHUB_DEMO_SECRETS"
LARGEST_EVENT = 1024 * 1024


def is_signed(body: bytes, headers: Mapping[str, str] | Message, secrets: Sequence[str]) -> bool:
    """Whether one of the signatures in the headers is that of a secret."""
    start = f"{headers.get('webhook-id', '')}.{headers.get('webhook-timestamp', '')}."
    keys = [base64.b64decode(secret.removeprefix("whsec_")) for secret in secrets]
    right = [base64.b64encode(hmac.digest(key, start.encode() + body, "sha256")) for key in keys]
    given = [one.removeprefix("v1,").encode() for one in headers.get("webhook-signature", "").split()]
    return any(hmac.compare_digest(one, other) for one in right for other in given)


class Handler(BaseHTTPRequestHandler):
    """Answers a signed POST with 204 when its body is written."""

    server: "Receiver"
    timeout = 10  # seconds that a sender may be silent

    def do_POST(self) -> None:
        size = self.headers.get("Content-Length", "")
        if not size.isdecimal() or int(size) > LARGEST_EVENT:
            self.send_error(413)
            return
        body = self.rfile.read(int(size))
        if not is_signed(body, self.headers, self.server.secrets):
            self.send_error(401)
            return
        with self.server.events.open("ab") as file:
            file.write(body + b"\n")
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """The terminal is that of the demo."""


class Receiver(HTTPServer):
    def __init__(self, *, listening: socket.socket, events: Path, secrets: Sequence[str], parent: int) -> None:
        super().__init__(listening.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket, self.events, self.secrets, self.parent = listening, events, secrets, parent

    def service_actions(self) -> None:
        if os.getppid() != self.parent:
            sys.exit()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dsrhub.demo_receiver", description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="the number of the listening socket")
    parser.add_argument("--parent", type=int, required=True, help="exit when this parent process exits")
    parser.add_argument("events", type=Path, help="the file to write to")
    arguments = parser.parse_args()
    Receiver(
        listening=socket.socket(fileno=arguments.fd),
        events=arguments.events,
        secrets=os.environ.get(SECRETS, "").split(),
        parent=arguments.parent,
    ).serve_forever()


if __name__ == "__main__":
    main()
