"""Folders of each kind, as their senders see them, without the code under test."""

from pathlib import Path
from urllib.parse import quote

import pytest

# Runs a test with a folder of each kind.
EVERYWHERE = pytest.mark.parametrize("world", ["local", "s3", "sftp"], indirect=True)
# Of the user `dsp` of the SFTP server.
PASSWORD = "a,b@c:/d"


class LocalWorld:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.address = str(folder)

    def put(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def get(self, name):
        return (self.folder / name).read_bytes()

    def remove(self, name):
        (self.folder / name).unlink()

    def names(self):
        """All files, with the folders that they are in."""
        paths = (path for path in self.folder.rglob("*") if path.is_symlink() or not path.is_dir())
        return sorted(str(path.relative_to(self.folder)) for path in paths)


class SFTPWorld(LocalWorld):
    """What a server has on its disk."""

    def __init__(self, server, name) -> None:
        super().__init__(server.folder / name)
        self.address = f"sftp://dsp:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}/{name}"


class S3World:
    def __init__(self, client, bucket) -> None:
        self.client, self.bucket = client, bucket
        client.create_bucket(Bucket=bucket)
        self.address = f"s3://{bucket}/in/coming"

    def put(self, name, content):
        self.client.put_object(Bucket=self.bucket, Key=f"in/coming/{name}", Body=content)

    def get(self, name):
        return self.client.get_object(Bucket=self.bucket, Key=f"in/coming/{name}")["Body"].read()

    def remove(self, name):
        self.client.delete_object(Bucket=self.bucket, Key=f"in/coming/{name}")

    def names(self):
        found = self.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return sorted(one["Key"].removeprefix("in/coming/") for one in found)
