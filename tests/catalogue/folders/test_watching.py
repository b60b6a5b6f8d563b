"""What arrives in a drop folder is imported once and moved, whatever kind of folder it is, and where a process ends."""

import json
from pathlib import Path

import pytest

from catalogue.folders import claims, delivering, watching
from catalogue.folders.watching import FolderOptions, FolderWatch
from catalogue.models import DSR, RejectedDelivery
from dsrhub.stores.addresses import parsed_address
from tests.catalogue.helpers import HEADER, NO_JANUARY, line
from tests.catalogue.messages import FIRST, SECOND, file_name, message_file

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
    return sorted((state, sorted(names - claims.OWN)) for (state, _), names in found.items())


def result(world):
    """The result of the only delivery that was moved, as JSON, and as text."""
    (path,) = {Path(name).parent for name in world.names() if name.endswith("result.json")}
    return json.loads(world.get(f"{path}/result.json")), world.get(f"{path}/result.txt").decode()


# --- What becomes of a delivery --------------------------------------------------------------------------------


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


def killed(monkeypatch, of, name, *, times=1, after=False):
    """Let a method end the process at its first calls, before it does anything or after it."""
    real, left = getattr(of, name), [times]

    def ends(*arguments, **options):
        if not left[0]:
            return real(*arguments, **options)
        left[0] -= 1
        if after:
            real(*arguments, **options)
        raise Killed

    monkeypatch.setattr(of, name, ends)


STEPS = [
    *(
        (claims.Claims, name, after)
        for name in ("begin", "take", "note_try", "end", "_move")
        for after in (False, True)
    ),
    (delivering, "delivery_import", False),
    (delivering, "delivery_import", True),
]


@pytest.mark.parametrize(("of", "name", "after"), STEPS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_what_a_killed_process_left_is_imported_once_and_moved(world, monkeypatch, of, name, after):
    world.put(file_name(1, 2), message_file(**FIRST))
    world.put(file_name(2, 2), message_file(**SECOND))
    killed(monkeypatch, of, name, after=after)
    with pytest.raises(Killed):
        look(world)
    look(world)
    assert moved(world) == [("done", [file_name(1, 2), file_name(2, 2)])]
    assert DSR.objects.ingested().count() == 2
    assert not RejectedDelivery.objects.exists()
    assert look(world) == watching.Look()
