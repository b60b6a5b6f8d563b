"""Fixtures with a folder of each kind. Servers are started once, when a test needs them first."""

from importlib import import_module
from uuid import uuid4

import pytest

from tests.stores.worlds import LocalWorld, S3World, SFTPWorld

# Imported late: most tests need no server.
SERVERS = "tests.stores.servers"


@pytest.fixture(scope="session")
def s3_client():
    with import_module(SERVERS).s3_running() as client:
        yield client


@pytest.fixture(scope="session")
def sftp_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sftp") / "root"
    folder.mkdir()
    with import_module(SERVERS).sftp_running(folder) as server:
        yield server


@pytest.fixture
def world(request, tmp_path, settings):
    """A new folder on this machine, or of another kind: see `EVERYWHERE`."""
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"
    kind = getattr(request, "param", "local")
    if kind == "s3":
        return S3World(request.getfixturevalue("s3_client"), uuid4().hex)
    if kind == "sftp":
        server = request.getfixturevalue("sftp_server")
        settings.DSRHUB_SFTP_KNOWN_HOSTS = str(server.known_hosts)
        return SFTPWorld(server, uuid4().hex)
    return LocalWorld(tmp_path / "incoming")
