"""What lies in drop folders is read as it is, whatever kind of folder it is, and whatever others write there."""

import json
import threading
from datetime import UTC, datetime

import pytest

from catalogue.exceptions import FileInTheWay, FolderBusy, FolderOutOfReach, RefusedDeliveryNotFound
from catalogue.folders import contents
from catalogue.folders.contents import folders_read, waiting_files
from catalogue.folders.retrying import delivery_retry
from catalogue.folders.watching import FolderOptions, FolderWatch
from catalogue.models import DSR, DropFolder
from dsrhub.database import locks
from dsrhub.models import AuditEntry
from dsrhub.stores.addresses import parsed_address
from dsrhub.stores.interface import StoredFile
from dsrhub.stores.local import LocalStore
from tests.catalogue.helpers import HEADER, NO_JANUARY, line, other_transaction
from tests.stores.worlds import EVERYWHERE
from tests.waiting import PATIENCE

OPTIONS = FolderOptions(replace=False, drop_missing=False, rest_seconds=0, semaphores_only=False)
BAD = "".join(f"{one}\r\n" for one in (HEADER, line("a", revenue="x"))).encode()
GOOD = "".join(f"{one}\r\n" for one in (HEADER, line("a", revenue="1.5"))).encode()
REFUSED = "20260131T120107.250000Z-5b4a3f2e"


def read(world, text="", options=OPTIONS):
    (found,) = folders_read(addresses=[parsed_address(world.address)], options=options, text=text, seconds=PATIENCE)
    return found


def look(world):
    return FolderWatch(address=parsed_address(world.address), options=OPTIONS).look()


@pytest.mark.django_db(transaction=True)
@EVERYWHERE
def test_a_delivery_is_followed_from_its_arrival_to_its_second_try(world):
    world.put(NO_JANUARY, BAD)
    (waiting,) = read(world).waiting
    assert (waiting.name, waiting.size) == (NO_JANUARY, len(BAD))
    look(world)
    found = read(world)
    assert (found.waiting, found.importing, found.done, found.error) == ([], [], [], "")
    (refused,) = found.refused
    assert (refused.files, refused.code, refused.error_count) == ([NO_JANUARY], "report_refused", 1)
    (problem,) = refused.problems
    assert (problem.line, problem.column, problem.value) == (2, "revenue", "x")
    assert refused.failed_dsr == DSR.objects.get().pk

    assert delivery_retry(address=parsed_address(world.address), name=refused.name) == [NO_JANUARY]
    assert world.get(NO_JANUARY) == BAD
    assert f"refused/{refused.name}/{NO_JANUARY}" not in world.names()
    entry = AuditEntry.objects.get(action="delivery_retried")
    assert (entry.object_type, entry.object_name) == ("catalogue.dropfolder", str(parsed_address(world.address)))
    assert entry.details["files"] == [NO_JANUARY]
    (refused,) = read(world).refused
    assert refused.tried_again is not None
    with pytest.raises(RefusedDeliveryNotFound):
        delivery_retry(address=parsed_address(world.address), name=refused.name)
    world.put(NO_JANUARY, GOOD)
    look(world)
    (done,) = read(world).done
    assert (done.files, done.outcome, done.dsrs) == ([NO_JANUARY], "loaded", [DSR.objects.get().pk])


@pytest.mark.django_db(transaction=True)
@EVERYWHERE
def test_a_second_try_overwrites_nothing(world):
    world.put(f"refused/{REFUSED}/{NO_JANUARY}", b"old")
    world.put(f"refused/{REFUSED}/a.tsv", b"other")
    world.put(f"refused/{REFUSED}/result.json", b"{}")
    world.put(NO_JANUARY, b"new")
    before = world.names()
    with pytest.raises(FileInTheWay, match=NO_JANUARY):
        delivery_retry(address=parsed_address(world.address), name=REFUSED)
    assert (world.names(), world.get(NO_JANUARY)) == (before, b"new")
    assert not AuditEntry.objects.filter(action="delivery_retried").exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["", ".", "..", "../done", "x/../../done", f"../refused/{REFUSED}", "a\0", "none"])
def test_only_a_refused_delivery_is_tried_again(world, name):
    world.put("done/1/a.tsv", b"a")
    with pytest.raises(RefusedDeliveryNotFound):
        delivery_retry(address=parsed_address(world.address), name=name)
    assert world.names() == ["done/1/a.tsv"]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_moved_while_a_process_works_in_the_folder(world):
    world.put(f"refused/{REFUSED}/a.tsv", b"a")
    row = DropFolder.objects.create(address=str(parsed_address(world.address)))
    with other_transaction() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [locks.DROP_FOLDERS.space, row.pk])
        with pytest.raises(FolderBusy):
            delivery_retry(address=parsed_address(world.address), name=REFUSED)
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [locks.DROP_FOLDERS.space, row.pk])
    assert world.names() == [f"refused/{REFUSED}/a.tsv"]


@pytest.mark.django_db(transaction=True)
def test_a_folder_out_of_reach_says_so(tmp_path):
    address = parsed_address(str(tmp_path / "missing"))
    (found,) = folders_read(addresses=[address], options=OPTIONS, seconds=PATIENCE)
    assert "No such file" in str(found.error)
    assert not found.is_reached
    with pytest.raises(FolderOutOfReach, match="No such file"):
        delivery_retry(address=address, name=REFUSED)


def test_a_folder_that_never_answers_is_left_and_does_not_hold_all_threads(world, monkeypatch):
    answer = threading.Event()

    def files(*_):
        answer.wait(PATIENCE)
        return iter(())

    monkeypatch.setattr(LocalStore, "files", files)
    addresses = [parsed_address(world.address)]
    for _ in range(contents.MOST_READERS + 2):
        (found,) = folders_read(addresses=addresses, options=OPTIONS, seconds=0.01)
        assert (found.waiting, found.error) == (None, contents.NO_ANSWER)
    readers = [one for one in threading.enumerate() if one.name == f"reading {addresses[0]}"]
    assert len(readers) == contents.MOST_READERS
    answer.set()
    for one in readers:
        one.join(PATIENCE)
    assert read(world).is_reached


def test_lists_are_bounded_and_the_latest_come_first(world, monkeypatch):
    monkeypatch.setattr(contents, "SHOWN_FILES", 2)
    monkeypatch.setattr(contents, "SHOWN_DELIVERIES", 2)
    for number in range(4):
        world.put(f"{number}.tsv", b"a")
        world.put(f"done/2026013{number}T000000.000000Z-0/{number}_of.tsv", b"a")
    found = read(world)
    assert (len(found.waiting), found.waiting_count) == (2, 4)
    assert [one.files for one in found.done] == [["3_of.tsv"], ["2_of.tsv"]]
    (older,) = read(world, text="1_OF").done
    assert (older.files, older.at) == (["1_of.tsv"], datetime(2026, 1, 31, tzinfo=UTC))


def test_a_result_that_others_wrote_breaks_nothing(world):
    wrong = {
        "at": 5,
        "files": {"a": 1},
        "code": ["x"],
        "message": {"a": 1},
        "dsrs": ["1", True, -1, 2**70, 7],
        "failed_dsr": "x",
        "error_count": "many",
        "problems": [5, {"line": "a", "code": 1}],
        "tried_again": "soon",
    }
    for number, content in enumerate((json.dumps(wrong).encode(), b"[1]", b"{", b"\xff\xfe", b'{"planned": [1]}')):
        world.put(f"refused/{number}/result.json", content)
        world.put(f"refused/{number}/a.tsv", b"a")
        world.put(f"importing/{number}/result.json", content)
    found = read(world)
    assert len(found.refused) == 5
    assert {tuple(one.files) for one in found.refused} == {("a.tsv",)}
    (strange,) = [one for one in found.refused if one.name == "0"]
    assert (strange.at, strange.code, strange.dsrs, strange.failed_dsr) == (None, "", [7], None)


# --- Why a file waits ------------------------------------------------------------------------------------------


def reason(name, *others, age=100.0, **options):
    chosen = FolderOptions(
        **({"replace": False, "drop_missing": False} | {"rest_seconds": 60} | {"semaphores_only": False} | options)
    )
    files = [StoredFile(one, 1, 1000.0, "1") for one in (name, *others)]
    (found,) = [one for one in waiting_files(files, chosen, clock=lambda: 1000.0 + age) if one.name == name]
    assert found.since == datetime.fromtimestamp(1000, UTC)
    return str(found.reason)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (lambda: reason("a.tsv"), "It has arrived."),
        (lambda: reason("a.tsv", age=59.0), "has not changed for 60 seconds"),
        (lambda: reason("a.tsv", "a.ctrl", age=1.0), "It has arrived."),
        (lambda: reason("a.tsv", semaphores_only=True), "Its semaphore (.ctrl) is not there yet."),
        (lambda: reason("a.tsv", "a.ctrl", semaphores_only=True), "It has arrived."),
        (lambda: reason("a.ctrl"), "Its report is not there yet."),
        (lambda: reason("a.ctrl", "a.tsv"), "It has arrived."),
        (lambda: reason("a_1of2.tsv"), "1 of 2 are there"),
        (lambda: reason("a_1of2.tsv.gz", "a_2of2.tsv.gz"), "It has arrived."),
        (lambda: reason("a.tsv.part"), "still being sent"),
        (lambda: reason("a.pdf"), "It is not imported: does not end in"),
        (lambda: reason("ACK_a.xml"), "It is not imported: a semaphore"),
    ],
)  # fmt: skip
def test_each_file_says_why_it_waits(said, expected):
    assert expected in said()
