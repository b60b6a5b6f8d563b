"""Messages that are imported at the same time, replaced while others read, or killed. All commits are real."""

import os
import subprocess
import sys
from threading import Barrier, Event

import pytest
from django.conf import settings
from django.db import connection

from catalogue.dsrs.services import dsr_delete
from catalogue.exceptions import DSRExists, MessageIdReused
from catalogue.imports.loading.choices import Choices
from catalogue.imports.loading.outcome import Outcome
from catalogue.imports.services import DeliveredFile, delivery_import
from catalogue.lines.lookups import dsr_arrays, lines_of_dsrs
from catalogue.lines.scope import ALL, consistent_answer
from catalogue.models import DSR, RejectedDelivery, ReportMessage, UsageLine
from catalogue.reports import delivery
from catalogue.resources.services import catalogue_refresh
from dsrhub.database.statements import rows_of
from tests.catalogue.helpers import SHARED_STORAGE, line_storage, other_transaction
from tests.catalogue.reports.formats.ddex.messages import file_of, head, recording, stream, summary
from tests.waiting import PATIENCE, wait_for_lock_waiter, wait_until_alone

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _large_contexts_in_small_chunks(transactional_db, settings, monkeypatch):
    """Contexts of 30 lines get a table of their own, and messages are read in many chunks."""
    settings.DSRHUB_SHARED_PARTITION_BYTES = 1000
    monkeypatch.setattr(delivery, "CHUNK_BYTES", 200)
    yield
    for dsr in DSR.objects.all():
        dsr_delete(dsr_number=dsr.pk)
    catalogue_refresh()


class InMidCopy:
    """A progress callback that stops the import in the middle of its COPY until `go_on` is set."""

    def __init__(self):
        self.is_there, self.go_on = Event(), Event()
        self.chunks = 0

    def __call__(self, _):
        self.chunks += 1
        if self.chunks == 6:
            self.is_there.set()
            assert self.go_on.wait(PATIENCE)


def message_of(message_id, *territories, usages="2"):
    """A message with a large context, which is the first one, and small ones."""
    contexts = [summary(code, c7=code, c11="EUR") for code in territories]
    lines = [stream("B1", code, usages) for code in (*territories[:1] * 30, *territories)]
    return file_of(head(message_id), *contexts, recording(), *lines)


def importing(folder, content, *, progress=None, **choices):
    path = folder / f"DSR_X_{abs(hash(content))}_Premium_2020-01_multi_1of1_20200212T083000.tsv"
    path.write_bytes(content)
    return {
        "function": delivery_import,
        "files": [DeliveredFile(path, path.name)],
        "choices": Choices(**choices),
        "progress": progress,
    }


def run(function, **options):
    return function(**options)


def stored(cursor=None):
    """The message of each territory, and its number of lines; seen by another session if there is a cursor."""
    question = """
        SELECT territory_id, message.message_id, coalesce(lines, 0)
        FROM catalogue_dsr AS dsr JOIN catalogue_reportmessage AS message ON message.id = dsr.message_id
        LEFT JOIN (SELECT dsr_id, count(*) AS lines FROM catalogue_usageline GROUP BY dsr_id) AS line ON dsr_id = dsr.id
        WHERE status = 'ingested' ORDER BY 1, 2
    """
    with cursor or connection.cursor() as own:
        own.execute(question)
        return own.fetchall()


def test_of_two_imports_of_one_message_the_second_changes_nothing(tmp_path, in_thread):
    content = message_of("MSG-1", "GB", "SE")
    both = Barrier(2, timeout=PATIENCE)
    # The file is written once: one import must not read it while it is written for the other.
    options = importing(tmp_path, content)
    imports = [in_thread(**options | {"progress": _meeting(both)}) for _ in range(2)]

    outcomes = [sorted({one.outcome for one in done.result(PATIENCE).imported}) for done in imports]

    assert sorted(outcomes) == [[Outcome.LOADED], [Outcome.UNCHANGED]]
    assert stored() == [("GB", "MSG-1", 31), ("SE", "MSG-1", 1)]
    large = DSR.objects.get(territory="GB").pk
    assert line_storage() == sorted([*SHARED_STORAGE, f"catalogue_usageline_{large}"])


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.usefixtures("without_versions")
def test_messages_with_overlapping_contexts_do_not_wait_for_each_other_for_ever(tmp_path, in_thread, replace):
    # Their contexts have opposite orders, and both are in the middle of their COPY at once.
    contents = [message_of("MSG-1", "GB", "SE", "FR"), message_of("MSG-2", "FR", "SE", "GB", "NO")]
    both = Barrier(2, timeout=PATIENCE)
    imports = [
        in_thread(**importing(tmp_path, content, progress=_meeting(both), replace=replace)) for content in contents
    ]

    errors = [type(error) for error in (done.exception(PATIENCE) for done in imports) if error is not None]

    assert errors == ([] if replace else [DSRExists])
    territories, messages, _ = zip(*stored(), strict=True)
    # Each territory has one DSR; those that both messages have are all of the same message.
    assert len(set(territories)) == len(territories)
    assert len({message for territory, message in zip(territories, messages, strict=True) if territory != "NO"}) == 1
    catalogue_refresh()
    assert UsageLine.objects.count() == sum(DSR.objects.values_list("line_count", flat=True))


def _meeting(barrier):
    """A callback that stops the import in the middle of its COPY until another one is there too."""
    stop = InMidCopy()
    stop.is_there.set, stop.go_on.wait = barrier.wait, lambda _: True
    return stop


def test_of_two_messages_with_one_id_the_second_is_refused(tmp_path, in_thread):
    both = Barrier(2, timeout=PATIENCE)
    imports = [
        in_thread(**importing(tmp_path, message_of("MSG-1", code), progress=_meeting(both))) for code in ("GB", "SE")
    ]
    errors = [type(error) for error in (done.exception(PATIENCE) for done in imports) if error is not None]
    assert errors == [MessageIdReused]
    assert (ReportMessage.objects.count(), DSR.objects.ingested().count()) == (1, 1)


def test_a_message_is_replaced_in_one_step(tmp_path, in_thread):
    run(**importing(tmp_path, message_of("MSG-1", "GB", "SE", "FR")))
    old = [("FR", "MSG-1", 1), ("GB", "MSG-1", 31), ("SE", "MSG-1", 1)]
    new = [("FR", "MSG-2", 1), ("GB", "MSG-2", 31), ("NO", "MSG-2", 1)]

    with other_transaction() as other:
        # The replacement can read DSRs but not write them: it stops behind its COPY, with the new lines in their place.
        other.execute("LOCK TABLE catalogue_dsr IN SHARE MODE")
        content = message_of("MSG-2", "GB", "FR", "NO", usages="3")
        replacing = in_thread(**importing(tmp_path, content, replace=True, drop_missing=True))
        wait_for_lock_waiter("relation")
        assert stored() == old
    replacing.result(PATIENCE)

    assert stored() == new
    assert [message.message_id for message in ReportMessage.objects.all()] == ["MSG-2"]


def test_readers_see_the_old_or_the_new_message_all_the_time(tmp_path, in_thread):
    """A reader of lines asks until the replacement has ended."""
    run(**importing(tmp_path, message_of("MSG-1", "GB", "SE")))
    content = message_of("MSG-2", "SE", "GB", usages="3")
    replacing = in_thread(**importing(tmp_path, content, replace=True))
    seen = []
    while not replacing.done():
        seen.append(_lines_and_usages())
    replacing.result(PATIENCE)
    seen.append(_lines_and_usages())

    assert set(seen) <= {((1, 2), (31, 62)), ((1, 3), (31, 93))}
    assert seen[-1] == ((1, 3), (31, 93))


def _lines_and_usages():
    """The number of lines of each DSR and their usages, as all readers of lines find them."""

    def answer(dsrs):
        lines = lines_of_dsrs("dsr_id, usages")
        return rows_of(
            f"SELECT count(*), sum(usages)::bigint FROM ({lines}) AS line GROUP BY dsr_id ORDER BY 1",  # noqa: S608
            **dsr_arrays(dsrs),
        )

    return tuple(consistent_answer(ALL, answer))


IMPORT_THAT_STOPS = """
import sys
from pathlib import Path

import django
from django.conf import settings

settings.DATABASES["default"]["NAME"] = sys.argv[1]
settings.DSRHUB_SHARED_PARTITION_BYTES = 1000
django.setup()

from catalogue.imports.loading import writing as loading
from catalogue.imports.services import dsr_import
from catalogue.reports import delivery

delivery.CHUNK_BYTES = 200
chunks = 0


def stop():
    print("in the middle", flush=True)
    sys.stdin.read()


def advance(_):
    global chunks
    chunks += 1
    if chunks == 6 and sys.argv[3] == "in mid COPY":
        stop()


def message_write(*arguments):
    written = original(*arguments)
    if sys.argv[3] == "before the rows of DSRs":
        stop()
    return written


original, loading.message_write = loading.message_write, message_write
path = Path(sys.argv[2])
dsr_import(path=path, name=path.name, progress=advance)
"""


@pytest.mark.parametrize("moment", ["in mid COPY", "before the rows of DSRs"])
def test_a_message_whose_import_is_killed_leaves_nothing_and_the_next_one_works(tmp_path, moment):
    options = importing(tmp_path, message_of("MSG-1", "GB", "SE"))
    [file] = options["files"]
    with subprocess.Popen(
        [sys.executable, "-c", IMPORT_THAT_STOPS, connection.settings_dict["NAME"], str(file.path), moment],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"in the middle\n"
        process.kill()
    wait_until_alone()
    assert not any(one.objects.exists() for one in (DSR, ReportMessage, UsageLine, RejectedDelivery))
    assert line_storage() == SHARED_STORAGE

    run(**options)

    assert stored() == [("GB", "MSG-1", 31), ("SE", "MSG-1", 1)]
