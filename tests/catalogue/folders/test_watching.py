"""What arrives in a drop folder is imported once and moved, whatever kind of folder it is, and where a process ends."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict
from decimal import Decimal
from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings as product
from django.core.management import CommandError, call_command
from django.db import OperationalError

from catalogue.folders import claims, delivering, watching
from catalogue.folders.watching import FolderOptions, FolderWatch
from catalogue.models import DSR, DropFolder, RejectedDelivery
from catalogue.report_templates.services import template_save
from catalogue.reports.formats.tsv.name import parse_report_name
from dsrhub.database import locks
from dsrhub.models import StoredValue
from dsrhub.stores.addresses import parsed_address
from dsrhub.stores.local import LocalStore
from dsrhub.webhooks.models import Event
from tests.catalogue import recipes
from tests.catalogue.helpers import HEADER, NO_JANUARY, line, other_transaction
from tests.catalogue.messages import FIRST, SECOND, file_name, message_file
from tests.catalogue.report_templates.helpers import HEADINGS, csv_text
from tests.catalogue.reports.formats.templates.definitions import TONBANK
from tests.processes import environment
from tests.stores.worlds import EVERYWHERE
from tests.waiting import PATIENCE, wait_for_lock_waiter, wait_until, wait_until_alone
from tests.webhooks import recipes as webhooks

pytestmark = pytest.mark.django_db(transaction=True)


def report(*lines):
    return "".join(f"{one}\r\n" for one in (HEADER, *lines)).encode()


REPORT, OTHER = report(line("a", revenue="1.5")), report(line("b", revenue="2"))
BAD = report(line("a", revenue="x"))
OPTIONS = {"replace": False, "drop_missing": False, "rest_seconds": 0, "semaphores_only": False}


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def watch_of(world, clock=None, **options):
    chosen = FolderOptions(**(OPTIONS | options))
    return FolderWatch(address=parsed_address(world.address), options=chosen, clock=clock or Clock())


def look(world, **options):
    return watch_of(world, **options).look()


def moved(world):
    """The state of each moved delivery with the names of its files, without the result."""
    found = {}
    for path in map(Path, world.names()):
        if len(path.parts) == 3:
            found.setdefault(path.parts[:2], set()).add(path.name)
    return sorted((state, sorted(names - {"result.json", "result.txt"})) for (state, _), names in found.items())


def result(world):
    """The result of the only delivery that was moved, as JSON, and as text."""
    (path,) = {Path(name).parent for name in world.names() if name.endswith("result.json")}
    return json.loads(world.get(f"{path}/result.json")), world.get(f"{path}/result.txt").decode()


# --- What becomes of a delivery --------------------------------------------------------------------------------


@EVERYWHERE
def test_a_report_is_imported_and_moved_with_its_result(world):
    world.put(NO_JANUARY, REPORT)
    assert look(world).ended == 1
    dsr = DSR.objects.get()
    assert (dsr.status, dsr.path, dsr.line_count) == ("ingested", NO_JANUARY, 1)
    assert moved(world) == [("done", [NO_JANUARY])]
    found, text = result(world)
    assert found.pop("at")
    assert found == {
        "state": "done",
        "folder": str(parsed_address(world.address)),
        "files": [{"name": NO_JANUARY, "bytes": len(REPORT)}],
        "outcome": "loaded",
        "code": None,
        "dsrs": [dsr.pk],
        "missing": [],
        "dropped": False,
        "error_count": 0,
        "warning_count": 0,
        "problems": [],
    }
    assert text.startswith(f"{NO_JANUARY}: loaded as DSR {dsr.pk}: 1 line, ")
    assert look(world) == watching.Look()


@EVERYWHERE
def test_a_file_that_no_template_recognises_is_moved_with_the_nearest_template(world):
    template_save(name="Tonbank", definition=TONBANK)
    world.put("unknown.csv", csv_text([], headings=HEADINGS[:-1]).encode())
    assert look(world).ended == 1
    assert moved(world) == [("refused", ["unknown.csv"])]
    found, text = result(world)
    assert (found["code"], found["problems"]) == ("file_not_recognised", [])
    assert "The nearest one is Tonbank, of which these columns are missing: Net." in found["message"]
    assert found["message"] in text


UNKNOWN = csv_text([], headings=HEADINGS[:-1]).encode()
TWO_ERRORS = report(line("a", revenue="x", isrc="x"), line("", revenue="1"))


@pytest.mark.parametrize(
    ("name", "content", "code", "numbers"),
    [
        ("unknown.csv", UNKNOWN, "file_not_recognised", (1, 0)),
        ("unknown.tsv", REPORT, "invalid_report_name", (1, 0)),
        # The name of the sender is new, which is a warning, and looks like that of the report.
        (file_name(), message_file(), "name_looks_alike", (1, 1)),
        (NO_JANUARY, TWO_ERRORS, "report_refused", (2, 1)),
    ],
)
def test_the_result_and_the_event_have_the_same_numbers(world, name, content, code, numbers):
    recipes.dsr.make(dsp="tonbank")
    webhooks.webhook.make(events=["dsr.failed"])
    world.put(name, content)
    assert look(world).ended == 1
    (event,) = Event.objects.all()
    for told in (result(world)[0], json.loads(event.body)["data"]):
        assert (told["code"], told["error_count"], told["warning_count"]) == (code, *numbers)


@EVERYWHERE
def test_a_refused_report_is_moved_with_its_problems(world):
    world.put(NO_JANUARY, BAD)
    assert look(world).ended == 1
    assert moved(world) == [("refused", [NO_JANUARY])]
    found, text = result(world)
    assert (found["outcome"], found["code"], found["error_count"], found["dsrs"]) == (
        "refused",
        "report_refused",
        1,
        [],
    )
    assert found["failed_dsr"] == DSR.objects.failed().get().pk
    (problem,) = found["problems"]
    assert problem.pop("message").startswith("The cell must have a number")
    assert problem == {
        "level": "error",
        "code": "not_a_number",
        "file": None,
        "line": 2,
        "column": "revenue",
        "value": "x",
    }
    assert "  line 2, column revenue: not_a_number: 'x'\n" in text
    assert "not_a_number: The cell must have a number" in text
    assert not DSR.objects.ingested().exists()


@EVERYWHERE
def test_a_message_of_several_files_waits_for_all_of_them(world):
    world.put(file_name(2, 2), message_file(**SECOND))
    watch = watch_of(world)
    assert (watch.look().waiting, moved(world)) == (1, [])
    world.put(file_name(1, 2), message_file(**FIRST))
    assert watch.look().ended == 1
    assert moved(world) == [("done", [file_name(1, 2), file_name(2, 2)])]
    assert DSR.objects.ingested().count() == 2


def test_a_semaphore_goes_with_its_delivery(world, clock):
    world.put(NO_JANUARY, REPORT)
    semaphore = NO_JANUARY.replace(".tsv", ".ctrl")
    watch = watch_of(world, clock, rest_seconds=60, semaphores_only=True)
    clock.now += 1000
    assert (watch.look().arriving, moved(world)) == (1, [])
    world.put(semaphore, b"")
    assert watch.look().ended == 1
    assert moved(world) == [("done", [semaphore, NO_JANUARY])]


def test_names_never_collide(world):
    for content in (REPORT, REPORT, BAD):
        world.put(NO_JANUARY, content)
        look(world)
    assert moved(world) == [("done", [NO_JANUARY])] * 2 + [("refused", [NO_JANUARY])]
    assert DSR.objects.ingested().count() == 1


def test_other_content_needs_the_option(world):
    for content, options in ((REPORT, {}), (OTHER, {}), (OTHER, {"replace": True})):
        world.put(NO_JANUARY, content)
        look(world, **options)
    assert [state for state, _ in moved(world)] == ["done", "done", "refused"]
    assert DSR.objects.get().total_revenue == 2


# --- Processes that end ----------------------------------------------------------------------------------------


class Killed(BaseException):
    """Ends a look at a place, as if the process was killed there. Nothing handles it."""


def kill(monkeypatch, of, name, *, call=1, after=False):
    """Let a function end the process at one of its calls, before it does anything or after it."""
    real, calls = getattr(of, name), []

    def ends(*arguments, **options):
        calls.append(name)
        if len(calls) != call:
            return real(*arguments, **options)
        if after:
            real(*arguments, **options)
        raise Killed

    monkeypatch.setattr(of, name, ends)


def assert_nothing_is_lost(world, monkeypatch, *place, **when):
    """A message of two files is imported once and moved, by a process that is killed and by the next one."""
    world.put(file_name(1, 2), message_file(**FIRST))
    world.put(file_name(2, 2), message_file(**SECOND))
    kill(monkeypatch, *place, **when)
    with pytest.raises(Killed):
        look(world)
    look(world)
    assert moved(world) == [("done", [file_name(1, 2), file_name(2, 2)])]
    assert DSR.objects.ingested().count() == 2
    assert not RejectedDelivery.objects.exists()
    assert look(world) == watching.Look()


@pytest.mark.parametrize(
    ("of", "name", "when"),
    [
        (LocalStore, "write", {"call": 1}),  # the plan
        (LocalStore, "take", {"call": 2}),
        (LocalStore, "write", {"call": 2}),  # the try
        (delivering, "delivery_import", {}),
        (delivering, "delivery_import", {"after": True}),
        (LocalStore, "write", {"call": 4}),  # the result
        (LocalStore, "move_folder", {}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_a_killed_process_left_is_imported_once_and_moved(world, monkeypatch, of, name, when):
    assert_nothing_is_lost(world, monkeypatch, of, name, **when)


@pytest.mark.parametrize("world", ["sftp"], indirect=True)
def test_the_same_on_an_sftp_server(world, monkeypatch):
    # Between the two files.
    assert_nothing_is_lost(world, monkeypatch, import_module("paramiko").SFTPClient, "rename", call=2)


@pytest.mark.parametrize("world", ["s3"], indirect=True)
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("_delete", 1),  # The first file is in both places.
        ("_copy_object", 4),  # One file of the delivery that is done has moved.
        ("_delete", 6),  # The result, which moves last, is in both places.
    ],
)
def test_the_same_between_the_copy_and_the_deletion_of_an_object(world, monkeypatch, name, call):
    assert_nothing_is_lost(world, monkeypatch, import_module("dsrhub.stores.s3").S3Store, name, call=call)


@pytest.mark.parametrize("world", ["s3"], indirect=True)
def test_an_object_that_comes_between_a_copy_and_a_deletion_stays(world, monkeypatch):
    world.put(NO_JANUARY, REPORT)
    store = import_module("dsrhub.stores.s3").S3Store
    real = store._remove

    def remove(self, path, mark):
        if world.get(NO_JANUARY) == REPORT:
            world.put(NO_JANUARY, OTHER)
        real(self, path, mark)

    monkeypatch.setattr(store, "_remove", remove)
    assert look(world).ended == 1
    assert world.get(NO_JANUARY) == OTHER
    assert look(world, replace=True).ended == 1
    assert DSR.objects.get().total_revenue == 2


def test_what_comes_under_the_same_name_during_the_import_is_another_delivery(world, monkeypatch):
    world.put(NO_JANUARY, REPORT)
    real = delivering.delivery_import

    def importing(**options):
        world.put(NO_JANUARY, OTHER)
        return real(**options)

    with monkeypatch.context() as patched:
        patched.setattr(delivering, "delivery_import", importing)
        assert look(world).ended == 1
    assert DSR.objects.get().total_revenue == Decimal("1.5")
    assert look(world, replace=True).ended == 1
    assert DSR.objects.get().total_revenue == 2


def test_a_file_that_changes_before_it_is_taken_waits(world, monkeypatch):
    world.put(NO_JANUARY, REPORT)
    real = claims.Claims.begin

    def begin(self, *files):
        world.put(NO_JANUARY, OTHER + b"x")
        return real(self, *files)

    monkeypatch.setattr(claims.Claims, "begin", begin)
    assert look(world) == watching.Look(waiting=1)
    assert world.names() == [NO_JANUARY]


def test_a_file_that_its_sender_removes_is_withdrawn(world, monkeypatch):
    world.put(NO_JANUARY, REPORT)
    kill(monkeypatch, LocalStore, "take")
    with pytest.raises(Killed):
        look(world)
    world.remove(NO_JANUARY)
    assert look(world).ended == 1
    found, text = result(world)
    assert (found["state"], found["outcome"], found["files"]) == ("done", "withdrawn", [])
    assert text == "The files were gone before they were imported.\n"


def test_a_delivery_that_kills_its_process_is_given_up(world, monkeypatch):
    world.put(NO_JANUARY, REPORT)
    with monkeypatch.context() as patched:
        for _ in range(5):
            kill(patched, delivering, "delivery_import")
            with pytest.raises(Killed):
                look(world)
    assert look(world).ended == 1
    assert moved(world) == [("refused", [NO_JANUARY])]
    assert result(world)[0]["code"] == "given_up"
    assert not DSR.objects.exists()


def test_a_killed_watcher_leaves_nothing_behind(world):
    world.put(NO_JANUARY, REPORT)
    with other_transaction() as cursor:
        lock_key(cursor, NO_JANUARY)  # The watcher waits for this lock in the middle of the import.
        with process("watch", world.address, "--rest-seconds=0") as watcher:
            wait_for_lock_waiter("advisory")
            assert look(world) == watching.Look()  # It holds the folder.
            watcher.kill()
    wait_until_alone()
    assert next(name for name in world.names() if name.endswith(".tsv")).startswith("importing/")
    assert look(world).ended == 1
    assert moved(world) == [("done", [NO_JANUARY])]
    assert DSR.objects.get().line_count == 1


def test_a_watcher_works_until_it_is_asked_to_stop(world):
    world.put(NO_JANUARY, REPORT)
    with process("watch", world.address, "--rest-seconds=0") as watcher:
        wait_until(lambda: DropFolder.objects.filter(looked_at__isnull=False).exists(), "the end of the first look")
        watcher.send_signal(signal.SIGTERM)
        assert watcher.communicate(timeout=PATIENCE)[0] == f"Watching {world.address}.\n"
        assert watcher.returncode == 0
    assert moved(world) == [("done", [NO_JANUARY])]
    assert not DSR.objects.uncatalogued().exists()


@contextmanager
def process(*arguments):
    """A command as a process of its own, on the test database. It is killed at the end of the block."""
    started = subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=product.BASE_DIR,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with started:
        try:
            yield started
        finally:
            started.kill()


def lock_key(cursor, name):
    key = locks.DSR_KEY.key(**asdict(parse_report_name(name)))
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])


def test_a_stop_in_the_middle_of_an_import_leaves_the_delivery_to_the_next_look(world):
    world.put(NO_JANUARY, REPORT)
    alive = iter([True, True])
    assert watch_of(world).look(is_alive=lambda: next(alive, False)).ended == 0
    assert not DSR.objects.exists()
    for _ in range(6):  # It is no failure, and no try.
        alive = iter([True, True])
        watch_of(world).look(is_alive=lambda given=alive: next(given, False))
    assert look(world).ended == 1
    assert moved(world) == [("done", [NO_JANUARY])]


# --- Several processes -----------------------------------------------------------------------------------------


def test_many_watchers_import_each_delivery_once(world, in_thread):
    names = [f"Spotify_Offer{number}_ES_EUR_20200101-20200131.tsv" for number in range(6)]
    for name in names:
        world.put(name, report(line(name, revenue="1")))
    watches = [watch_of(world) for _ in range(4)]
    looks = [in_thread(watch.look) for watch in watches for _ in range(3)]
    assert sum(one.result(PATIENCE).ended for one in looks) == 6
    assert moved(world) == [("done", [name]) for name in names]
    assert StoredValue.objects.get(name="dsrhub_imports").value == 6


# --- What fails for a while ------------------------------------------------------------------------------------


def failing(monkeypatch, name, error):
    """Let the import of a file fail. Return a switch that ends this."""
    real, fails = delivering.delivery_import, [True]

    def importing(*, files, **options):
        if fails and files[0].name == name:
            raise error
        return real(files=files, **options)

    monkeypatch.setattr(delivering, "delivery_import", importing)
    return fails.clear


def test_a_failure_of_the_database_is_retried_and_only_its_series_waits(world, monkeypatch, clock, caplog):
    names = [NO_JANUARY, NO_JANUARY.replace("0101-20200131", "0201-20200228"), NO_JANUARY.replace("NO_NOK", "ES_EUR")]
    for number, name in enumerate(names):
        world.put(name, report(line("a", revenue="1")))
        os.utime(world.folder / name, (number, number))
    mend = failing(monkeypatch, NO_JANUARY, OperationalError("no space left on device\nat character 7"))
    watch = watch_of(world, clock)
    assert watch.look() == watching.Look(ended=1, failing=2)
    assert moved(world) == [("done", [names[2]])] + [("importing", [name]) for name in names[:2]]
    assert "not imported, to be tried again: no space left on device" in caplog.text
    mend()
    assert watch.look() == watching.Look(failing=2)  # It is too early.
    clock.now += 30
    assert watch.look() == watching.Look(ended=2)
    assert [dsr.path for dsr in DSR.objects.order_by("pk")] == [names[2], names[0], names[1]]


def test_behind_a_delivery_that_cannot_be_opened_all_wait(world, monkeypatch, clock):
    other = NO_JANUARY.replace("NO_NOK", "ES_EUR")
    world.put(NO_JANUARY, REPORT)
    os.utime(world.folder / NO_JANUARY, (1, 1))
    world.put(other, REPORT)
    real = LocalStore.fetched

    @contextmanager
    def fetched(self, folder, file):
        if file.name == NO_JANUARY:
            raise OSError(5, "Input/output error")
        with real(self, folder, file) as copy:
            yield copy

    watch = watch_of(world, clock)
    with monkeypatch.context() as patched:
        patched.setattr(LocalStore, "fetched", fetched)
        assert watch.look() == watching.Look(failing=2)
    clock.now += 30
    assert watch.look() == watching.Look(ended=2)
    assert [dsr.path for dsr in DSR.objects.order_by("pk")] == [NO_JANUARY, other]


def test_a_delivery_that_fails_often_is_tried_less_often_and_never_refused(world, monkeypatch, clock):
    world.put(NO_JANUARY, REPORT)
    mend = failing(monkeypatch, NO_JANUARY, OperationalError("deadlock"))
    watch = watch_of(world, clock)
    pauses = []
    for _ in range(8):
        assert watch.look().failing == 1
        (failure,) = watch._delivering.failures.values()
        pauses.append(failure.again_at - clock.now)
        clock.now = failure.again_at
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]
    mend()
    assert watch.look().ended == 1
    assert moved(world) == [("done", [NO_JANUARY])]
    assert watch._delivering.failures == {}


def test_an_internal_error_refuses_one_delivery_and_not_the_others(world, monkeypatch, caplog):
    other = NO_JANUARY.replace("NO_NOK", "ES_EUR")
    world.put(NO_JANUARY, REPORT)
    world.put(other, REPORT)
    failing(monkeypatch, NO_JANUARY, RuntimeError("a bug"))
    assert look(world).ended == 2
    assert moved(world) == [("done", [other]), ("refused", [NO_JANUARY])]
    assert "a bug" in caplog.text
    assert "a bug" not in "".join(world.get(name).decode() for name in world.names() if "result" in name)


def test_a_folder_that_is_gone_is_told_and_looked_at_again(world, caplog):
    watch = watch_of(world)
    world.folder.rmdir()
    assert "No such file or directory" in watch.look().error
    assert "No such file" in DropFolder.objects.get().error
    assert f"{world.address}: the folder cannot be worked in" in caplog.text
    world.folder.mkdir()
    assert watch.look() == watching.Look()
    assert DropFolder.objects.get().error == ""


# --- What is not taken -----------------------------------------------------------------------------------------


ENDINGS = ".tsv or .tsv.gz or .csv or .csv.gz or .txt or .txt.gz or .xlsx or .xlsx.gz"


def test_hidden_and_unfinished_files_stay_silently_and_others_are_told_once(world, caplog):
    silent = [f".{NO_JANUARY}", *(f"{NO_JANUARY}{end}" for end in (".part", ".TMP", ".filepart", "~"))]
    told = ["ACK_a.tsv", "notes.pdf"]
    for name in (*silent, *told, "sub/a.tsv"):
        world.put(name, REPORT)
    watch = watch_of(world)
    assert watch.look() == watch.look() == watching.Look(left=2)
    assert world.names() == sorted([*silent, *told, "sub/a.tsv"])
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [
        f"{world.address}: left: ACK_a.tsv: a semaphore of a delivery, not a report",
        f"{world.address}: left: notes.pdf: does not end in {ENDINGS}",
    ]


@pytest.mark.parametrize("world", ["local", "sftp"], indirect=True)
def test_a_link_is_refused_and_never_followed(world, tmp_path):
    secret = tmp_path / NO_JANUARY
    secret.write_bytes(REPORT)
    (world.folder / NO_JANUARY).symlink_to(secret)
    assert look(world, rest_seconds=60).ended == 1
    assert moved(world) == [("refused", [NO_JANUARY])]
    assert result(world)[0]["code"] == "not_a_regular_file"
    assert secret.read_bytes() == REPORT
    assert not DSR.objects.exists()


def test_a_fifo_is_refused_without_waiting_for_its_writer(world):
    os.mkfifo(world.folder / NO_JANUARY)
    assert look(world).ended == 1
    assert result(world)[0]["code"] == "not_a_regular_file"


@pytest.mark.parametrize("name", ["importing", "done", "refused"])
def test_a_link_in_place_of_an_own_folder_leads_nowhere(world, tmp_path, name):
    (tmp_path / "elsewhere").mkdir()
    (world.folder / name).symlink_to(tmp_path / "elsewhere")
    world.put(NO_JANUARY, BAD if name == "refused" else REPORT)
    found = look(world)
    assert found.ended == 0
    assert "Links are not followed" in found.error
    assert list((tmp_path / "elsewhere").iterdir()) == []
    (world.folder / name).unlink()
    look(world)
    assert [names for _, names in moved(world)] == [[NO_JANUARY]]


def test_a_file_that_cannot_be_read_stays_and_is_told(world, monkeypatch, caplog):
    world.put(NO_JANUARY, REPORT)

    def head(self, file, count):  # The tests may run as root, who may read everything.
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(LocalStore, "head", head)
        assert look(world) == watching.Look(left=1)
    assert f"left: {NO_JANUARY}: cannot be read: Permission denied" in caplog.text
    assert world.names() == [NO_JANUARY]
    assert look(world).ended == 1


def test_a_message_that_stays_incomplete_is_refused_after_some_days(world, settings):
    settings.DSRHUB_UPLOAD_DAYS = 7
    name = file_name(2, 2)
    world.put(name, message_file(**SECOND))
    now = time.time()
    os.utime(world.folder / name, (now, now - 6.9 * 24 * 3600))
    assert look(world).waiting == 1
    os.utime(world.folder / name, (now, now - 7.1 * 24 * 3600))
    assert look(world).ended == 1
    assert [one["code"] for one in result(world)[0]["problems"]] == ["files_missing"]


def test_what_a_person_puts_into_importing_is_imported(world):
    world.put(f"importing/by hand/{NO_JANUARY}", REPORT)
    world.put("importing/by hand/result.json", b"[1]")
    assert look(world).ended == 1
    assert moved(world) == [("done", [NO_JANUARY])]


# --- Bounds ----------------------------------------------------------------------------------------------------


def test_a_look_is_bounded(world, monkeypatch):
    names = [f"Spotify_Offer{number}_ES_EUR_20200101-20200131.tsv" for number in range(4)]
    for name in names:
        world.put(name, report(line(name, revenue="1")))
    assert watch_of(world).look(may_continue=lambda: False) == watching.Look(ended=1, waiting=3)
    with monkeypatch.context() as patched:
        patched.setattr(watching, "MOST_NEW", 0)
        assert look(world) == watching.Look(waiting=3)
    monkeypatch.setattr(watching, "MOST_DELIVERIES", 2)
    assert look(world) == watching.Look(ended=2, waiting=1)
    monkeypatch.setattr(watching, "MOST_FILES", 1)
    assert look(world) == watching.Look(ended=1)


def test_content_that_unpacks_to_too_much_is_refused(world, settings):
    settings.DSRHUB_UPLOAD_UNPACKED_LIMIT_BYTES = 10
    world.put(NO_JANUARY, REPORT)
    look(world)
    assert [one["code"] for one in result(world)[0]["problems"]] == ["unpacked_too_large"]


# --- By setting, by command ------------------------------------------------------------------------------------


def test_a_worker_looks_at_the_folders_of_the_settings(world, settings):
    settings.DSRHUB_FOLDERS = [parsed_address(world.address)]
    settings.DSRHUB_FOLDER_REST_SECONDS = 0
    settings.DSRHUB_FOLDER_REPLACE = True
    for content in (REPORT, OTHER):
        world.put(NO_JANUARY, content)
        call_command("worker", once=True)
    assert moved(world) == [("done", [NO_JANUARY])] * 2
    assert DSR.objects.get().total_revenue == 2
    assert not DSR.objects.uncatalogued().exists()


def test_folders_are_looked_at_from_time_to_time(world, settings):
    settings.DSRHUB_FOLDERS = [parsed_address(world.address)]
    settings.DSRHUB_FOLDER_REST_SECONDS = 0
    folders = watching.Folders()
    for expected in (1, 0):  # The pause is not over.
        world.put(NO_JANUARY, REPORT)
        assert folders.look(is_alive=lambda: True, may_continue=lambda: True) == expected


def test_once_looks_and_ends(world):
    world.put(NO_JANUARY, REPORT)
    call_command("watch", world.address, "--once", "--rest-seconds=0")
    assert moved(world) == [("done", [NO_JANUARY])]
    assert not DSR.objects.uncatalogued().exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "There is no folder to watch: name one, or set DSRHUB_FOLDERS."),
        (["incoming"], "This is not the address of a folder."),
        (["/in", "--drop-missing"], "Missing contexts are dropped only where a message is replaced."),
        (["sftp://me:secret@host/in"], "A password on the command line can be read by others"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(arguments, reason):
    with pytest.raises(CommandError) as refusal:
        call_command("watch", *arguments)
    assert str(refusal.value).startswith(reason)
    assert "secret" not in str(refusal.value)
