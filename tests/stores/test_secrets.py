"""Servers must be known, secrets come from where they belong, and no message repeats them."""

import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from dsrhub.stores.addresses import parsed_address
from dsrhub.stores.opening import store_of
from tests.stores.worlds import PASSWORD

SFTP = pytest.mark.parametrize("world", ["sftp"], indirect=True)
S3 = pytest.mark.parametrize("world", ["s3"], indirect=True)


def refused(address):
    """Why a folder cannot be opened."""
    store = store_of(parsed_address(address))
    with pytest.raises(store.errors) as refusal, store.opened():
        pass
    assert PASSWORD not in str(refusal.value)
    return str(refusal.value)


@SFTP
def test_a_server_whose_key_is_not_known_is_refused(world, settings, tmp_path):
    settings.DSRHUB_SFTP_KNOWN_HOSTS = str(tmp_path / "known_hosts")
    (tmp_path / "known_hosts").touch()
    assert "not found in known_hosts" in refused(world.address)


@SFTP
def test_a_server_with_another_key_than_the_known_one_is_refused(world, settings, tmp_path):
    known = open(settings.DSRHUB_SFTP_KNOWN_HOSTS).read()  # noqa: PTH123, SIM115
    host, kind, key = known.split()[:3]
    other = key[:-10] + ("A" if key[-10] != "A" else "B") + key[-9:]
    settings.DSRHUB_SFTP_KNOWN_HOSTS = str(tmp_path / "known_hosts")
    (tmp_path / "known_hosts").write_text(f"{host} {kind} {other}\n")
    assert "does not match" in refused(world.address)


@SFTP
def test_a_missing_file_of_known_hosts_is_told(world, settings):
    settings.DSRHUB_SFTP_KNOWN_HOSTS = "/nowhere/known_hosts"
    assert "/nowhere/known_hosts" in refused(world.address)


@SFTP
def test_a_wrong_password_is_told_and_not_shown(world):
    assert "Authentication failed" in refused(world.address.replace("@127", "x@127"))


@SFTP
def test_a_server_that_does_not_answer_is_told(world):
    assert "Unable to connect" in refused("sftp://dsp:secret@127.0.0.1:9/in")


@S3
def test_a_bucket_that_does_not_exist_is_told(world):
    assert "Not Found" in refused("s3://nobody-has-this-bucket/in")


@S3
def test_a_service_that_does_not_answer_is_told(world, monkeypatch):
    fsspec = pytest.importorskip("s3fs")
    fsspec.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(fsspec.S3FileSystem, "retries", 1)
    assert "127.0.0.1:9" in refused("s3://bucket/in")
    fsspec.S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize(
    ("address", "module", "package"),
    [("s3://bucket/in", "dsrhub.stores.s3", "s3fs"), ("sftp://me:secret@host/in", "dsrhub.stores.sftp", "fsspec")],
)
def test_a_missing_package_is_named(monkeypatch, address, module, package):
    monkeypatch.delitem(sys.modules, module, raising=False)
    for name in list(sys.modules):
        if name.partition(".")[0] == package:
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImproperlyConfigured) as refusal:
        store_of(parsed_address(address))
    assert "needs the packages of docs/requirements-folders.txt" in str(refusal.value)
    assert "secret" not in str(refusal.value)
