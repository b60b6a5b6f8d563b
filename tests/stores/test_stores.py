"""Folders on this machine, on S3 and on SFTP servers behave alike."""

from importlib import import_module

import pytest

from dsrhub.stores.addresses import parsed_address
from dsrhub.stores.opening import store_of
from tests.stores.worlds import EVERYWHERE

pytestmark = EVERYWHERE

PLAN = "importing/1"


@pytest.fixture
def store(world):
    store = store_of(parsed_address(world.address))
    with store.opened():
        yield store


def listed(store, folder=""):
    return {file.name: file for file in store.files(folder)}


def test_a_new_folder_is_empty(store):
    assert listed(store) == {}
    assert listed(store, PLAN) == {}
    assert store.folders("importing") == []
    assert store.read(PLAN, "result.json", 100) is None


def test_files_are_listed_with_their_sizes_and_folders_apart(store, world):
    world.put("a.tsv", b"abc")
    world.put("é b.tsv", b"")
    world.put("sub/c.tsv", b"c")
    assert {name: file.size for name, file in listed(store).items()} == {"a.tsv": 3, "é b.tsv": 0}
    assert list(listed(store, "sub")) == ["c.tsv"]
    assert store.folders("") == ["sub"]


def test_another_content_has_another_mark(store, world):
    world.put("a.tsv", b"abc")
    before = listed(store)["a.tsv"]
    assert store.is_unchanged(before)
    world.put("a.tsv", b"abcd")
    assert not store.is_unchanged(before)
    assert listed(store)["a.tsv"].mark != before.mark
    world.remove("a.tsv")
    assert not store.is_unchanged(before)


def test_the_beginning_of_a_file_is_read(store, world):
    world.put("a.tsv", b"abcdef")
    world.put("b.tsv", b"")
    files = listed(store)
    assert [store.head(files["a.tsv"], count) for count in (3, 100)] == [b"abc", b"abcdef"]
    assert store.head(files["b.tsv"], 3) == b""


def test_a_file_is_taken_and_fetched(store, world, settings):
    content = bytes(range(256)) * 1000
    world.put("a.tsv", content)
    file = listed(store)["a.tsv"]
    store.take(file, PLAN)
    assert world.names() == [f"{PLAN}/a.tsv"]
    with store.fetched(PLAN, file) as copy:
        assert copy.path.read_bytes() == content
        assert copy.path.is_relative_to(copy.folder)
    assert not settings.DSRHUB_UPLOAD_DIR.exists() or list(settings.DSRHUB_UPLOAD_DIR.iterdir()) == []


def test_what_is_gone_cannot_be_taken(store, world):
    world.put("a.tsv", b"abc")
    file = listed(store)["a.tsv"]
    world.remove("a.tsv")
    with pytest.raises(FileNotFoundError):
        store.take(file, PLAN)


def test_a_text_is_written_and_read_and_written_over(store, world):
    for content in (b"one", b"other"):
        store.write(PLAN, "result.json", content)
        assert store.read(PLAN, "result.json", 100) == content
        assert store.read(PLAN, "result.json", 2) == content[:2]
    assert world.names() == [f"{PLAN}/result.json"]


def test_a_text_is_written_over_on_a_server_that_lacks_the_extension_of_openssh(store, world, monkeypatch):
    def unsupported(*paths):
        raise OSError("Operation unsupported")

    monkeypatch.setattr(import_module("paramiko").SFTPClient, "posix_rename", unsupported)
    test_a_text_is_written_and_read_and_written_over(store, world)


def test_a_folder_is_moved_with_its_files(store, world):
    world.put(f"{PLAN}/a.tsv", b"abc")
    store.write(PLAN, "result.json", b"{}")
    store.move_folder(PLAN, "done/1", last="result.json")
    assert world.names() == ["done/1/a.tsv", "done/1/result.json"]
    assert store.folders("importing") == []


def test_a_folder_that_does_not_exist_is_an_error_and_not_empty(world):
    store = store_of(parsed_address(world.address.replace("incoming", "missing").replace("s3://", "s3://x")))
    if store.address == str(parsed_address(world.address)):  # SFTP
        store = store_of(parsed_address(world.address + "/missing"))
    with pytest.raises(store.errors), store.opened():
        pass
