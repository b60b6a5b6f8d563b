"""Real servers on this machine: S3 by moto, SFTP by asyncssh. Each is started once."""

import asyncio
import logging
import os
import threading
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import asyncssh
import boto3
from moto.server import ThreadedMotoServer

from tests.stores.worlds import PASSWORD


@contextmanager
def s3_running():
    """A client of a running server, to whose address and credentials AWS's own variables lead."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    variables = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    try:
        with patch.dict(os.environ, variables):
            yield boto3.client("s3")
    finally:
        server.stop()


class SFTPServer:
    """An SFTP server whose root is `folder`. `known_hosts` is a file with its key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known_hosts = folder.with_name("known_hosts")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def start(self) -> None:
        self._thread.start()
        key = asyncssh.generate_private_key("ssh-ed25519")
        self._listener = asyncio.run_coroutine_threadsafe(self._listen(key), self._loop).result()
        self.port = self._listener.get_port()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {key.export_public_key().decode()}")

    async def _listen(self, key):
        def files(channel):
            return asyncssh.SFTPServer(channel, chroot=os.fsencode(self.folder))

        return await asyncssh.listen(
            "127.0.0.1", 0, server_factory=PasswordServer, server_host_keys=[key], sftp_factory=files
        )

    async def _close(self):
        self._listener.close()
        await self._listener.wait_closed()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class PasswordServer(asyncssh.SSHServer):
    def begin_auth(self, username):
        return True

    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        return (username, password) == ("dsp", PASSWORD)


@contextmanager
def sftp_running(folder: Path):
    server = SFTPServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
