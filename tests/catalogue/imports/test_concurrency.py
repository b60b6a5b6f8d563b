"""Imports, deletions and changes of rates at the same time, and imports that are killed. All commits are real.

Each test brings its threads to a certain moment: a callback stops an import in the middle of its COPY, and
`wait_for_lock_waiter` watches the locks of the database until a session waits for one.
"""

import os
import subprocess
import sys
from datetime import date
from decimal import Decimal
from threading import Barrier, Event

import pytest
from django.conf import settings
from django.db import connection, transaction

from catalogue.dsrs.services import dsr_delete
from catalogue.exceptions import DSRExists, ReportRefused
from catalogue.imports.loading.outcome import Outcome
from catalogue.imports.queue.jobs import import_job_add, import_job_confirm
from catalogue.imports.queue.worker import queue_drain
from catalogue.imports.services import dsr_import
from catalogue.lines.storage import abandoned_lines_drop
from catalogue.models import DSR, LeftoverLines, OperatorRate, RateChange, UsageLine
from catalogue.rates.services import operator_rate_delete, operator_rate_set, rates_lock
from catalogue.reports import delivery
from catalogue.resources.services import catalogue_refresh
from dsrhub.exceptions import ConfirmationOutdated
from tests import cluster
from tests.catalogue.helpers import (
    ES_JANUARY,
    NO_JANUARY,
    SHARED_STORAGE,
    line,
    line_storage,
    other_transaction,
    write_report,
)
from tests.waiting import PATIENCE, wait_for_lock_waiter

pytestmark = pytest.mark.django_db(transaction=True)

AR_JANUARY = "Spotify_SpotifyDuo_AR_ARS_20200101-20200131.tsv"
ES_FEBRUARY = "Spotify_SpotifyFamilyPlan_ES_EUR_20200201-20200229.tsv"
MANY_LINES = [line(f"a{number}", revenue="0.10") for number in range(100)]


@pytest.fixture(autouse=True)
def _large_reports_in_small_chunks(transactional_db, settings, monkeypatch):
    """Every report is large and is read in many chunks. The tables of lines are dropped after the test."""
    settings.DSRHUB_SHARED_PARTITION_BYTES = 0
    monkeypatch.setattr(delivery, "CHUNK_BYTES", 100)
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
        # The first chunk is read before COPY begins.
        if self.chunks == 3:
            self.is_there.set()
            assert self.go_on.wait(PATIENCE)


def importing(path, **options):
    return {"function": dsr_import, "path": path, "name": path.name, **options}


def set_rate(currency, rate):
    """For January 2020."""
    return operator_rate_set(
        currency=currency, period_start=date(2020, 1, 1), period_end=date(2020, 1, 31), rate=Decimal(rate)
    )


# --- Imports at once -------------------------------------------------------------------------------------------


def test_of_two_imports_of_one_file_the_second_waits_and_changes_nothing(tmp_path, in_thread):
    path = write_report(tmp_path, ES_JANUARY, *MANY_LINES)
    stop = InMidCopy()

    first = in_thread(**importing(path, progress=stop))
    assert stop.is_there.wait(PATIENCE)
    second = in_thread(**importing(path))
    wait_for_lock_waiter("advisory")
    stop.go_on.set()

    assert first.result(PATIENCE).outcome == Outcome.LOADED
    assert second.result(PATIENCE).outcome == Outcome.UNCHANGED
    assert second.result().dsr == first.result().dsr == DSR.objects.get()
    assert UsageLine.objects.count() == 100
    assert line_storage() == sorted([*SHARED_STORAGE, f"catalogue_usageline_{first.result().dsr.pk}"])


def test_of_two_imports_under_one_key_the_second_is_refused(tmp_path, in_thread):
    (tmp_path / "other").mkdir()
    path = write_report(tmp_path, ES_JANUARY, *MANY_LINES)
    other = write_report(tmp_path / "other", ES_JANUARY, line("b"))
    stop = InMidCopy()

    first = in_thread(**importing(path, progress=stop))
    assert stop.is_there.wait(PATIENCE)
    second = in_thread(**importing(other))
    wait_for_lock_waiter("advisory")
    stop.go_on.set()

    assert first.result(PATIENCE).outcome == Outcome.LOADED
    with pytest.raises(DSRExists):
        second.result(PATIENCE)
    assert DSR.objects.get().line_count == 100


@pytest.fixture
def confirmed_job(tmp_path, settings, admin_user):
    """A job of a file with 100 lines that a user has confirmed as the replacement of a DSR with one line."""
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "up"
    settings.DSRHUB_UPLOAD_DIR.mkdir()
    path = write_report(settings.DSRHUB_UPLOAD_DIR, ES_JANUARY, *MANY_LINES)
    dsr_import(path=write_report(tmp_path, ES_JANUARY, line("a")), name=ES_JANUARY)
    job = import_job_add(upload="u", path=path, name=ES_JANUARY, user=admin_user)
    queue_drain()
    job.refresh_from_db()
    import_job_confirm(job=job, replace=True, user=admin_user)
    return job


@pytest.mark.usefixtures("without_versions")
def test_a_delivery_that_comes_in_while_a_confirmed_replacement_waits_is_kept(tmp_path, in_thread, confirmed_job):
    (tmp_path / "other").mkdir()
    other = write_report(tmp_path / "other", ES_JANUARY, *MANY_LINES, line("nobody has seen this"))
    stop = InMidCopy()

    unseen = in_thread(**importing(other, replace=True, progress=stop))
    assert stop.is_there.wait(PATIENCE)
    # The worker waits for the lock of the key: the DSR that people saw is still there.
    worker = in_thread(queue_drain)
    wait_for_lock_waiter("advisory")
    stop.go_on.set()

    assert unseen.result(PATIENCE).outcome == Outcome.REPLACED
    assert worker.result(PATIENCE) == 1
    confirmed_job.refresh_from_db()
    assert (confirmed_job.state, confirmed_job.message) == (
        "refused",
        "The earlier delivery is not the one that was shown. Check the file again.",
    )
    assert DSR.objects.get() == unseen.result().dsr
    assert UsageLine.objects.count() == 101


def test_a_replacement_names_the_dsrs_that_it_may_replace(tmp_path):
    path = write_report(tmp_path, ES_JANUARY, *MANY_LINES)
    (tmp_path / "other").mkdir()
    other = write_report(tmp_path / "other", ES_JANUARY, line("b"))
    first = dsr_import(path=path, name=ES_JANUARY).dsr
    for ids in ([], [first.pk + 1], [first.pk, first.pk + 1]):
        with pytest.raises(ConfirmationOutdated) as refused:
            dsr_import(path=other, name=ES_JANUARY, replace=True, replace_only=ids)
        assert refused.value.code == "confirmation_outdated"
        assert DSR.objects.get() == first
    report = dsr_import(path=other, name=ES_JANUARY, replace=True, replace_only=[first.pk])
    assert report.outcome == Outcome.REPLACED
    # A worker that was killed after its commit tries again: the content is there, so nothing is dropped.
    again = dsr_import(path=other, name=ES_JANUARY, replace=True, replace_only=[first.pk])
    assert again.outcome == Outcome.UNCHANGED


def test_two_large_reports_load_at_once(tmp_path, in_thread):
    # Each waits in the middle of its COPY until the other one is there too.
    both = Barrier(2, timeout=PATIENCE)

    def meeting_the_other():
        stop = InMidCopy()
        stop.is_there.set, stop.go_on.wait = both.wait, lambda _: True
        return stop

    imports = [
        in_thread(**importing(write_report(tmp_path, name, *MANY_LINES), progress=meeting_the_other()))
        for name in (ES_JANUARY, ES_FEBRUARY)
    ]

    dsrs = [done.result(PATIENCE).dsr for done in imports]
    assert [UsageLine.objects.of([dsr]).count() for dsr in dsrs] == [100, 100]
    assert line_storage() == sorted([*SHARED_STORAGE, *(f"catalogue_usageline_{dsr.pk}" for dsr in dsrs)])


def test_an_import_is_not_visible_before_its_end(tmp_path, in_thread):
    stop = InMidCopy()
    loading = in_thread(**importing(write_report(tmp_path, ES_JANUARY, *MANY_LINES), progress=stop))
    assert stop.is_there.wait(PATIENCE)

    assert not DSR.objects.exists()
    assert not UsageLine.objects.exists()

    stop.go_on.set()
    assert loading.result(PATIENCE).dsr == DSR.objects.get()


# --- An import that is killed ----------------------------------------------------------------------------------

IMPORT_THAT_STOPS_IN_MID_COPY = """
import sys
from pathlib import Path

import django
from django.conf import settings

settings.DATABASES["default"]["NAME"] = sys.argv[1]
settings.DSRHUB_SHARED_PARTITION_BYTES = 0
django.setup()

from catalogue.reports import delivery
from catalogue.imports.services import dsr_import

delivery.CHUNK_BYTES = 100
chunks = 0


def stop(_):
    global chunks
    chunks += 1
    if chunks == 3:
        print("in the middle", flush=True)
        sys.stdin.read()


path = Path(sys.argv[2])
dsr_import(path=path, name=path.name, progress=stop)
"""


def test_an_import_that_is_killed_leaves_nothing_and_the_next_one_works(tmp_path):
    path = write_report(tmp_path, ES_JANUARY, *MANY_LINES)
    database = connection.settings_dict["NAME"]

    with subprocess.Popen(
        [sys.executable, "-c", IMPORT_THAT_STOPS_IN_MID_COPY, database, str(path)],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"in the middle\n"
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND state = 'active' AND query LIKE 'COPY \"catalogue_usageline%'"
            )
            assert cursor.fetchone() == (1,)
        process.kill()

    # This import gets the lock as soon as the server has noticed that the killed client is gone.
    report = dsr_import(path=path, name=path.name)

    assert report.outcome == Outcome.LOADED
    assert DSR.objects.get() == report.dsr
    assert UsageLine.objects.count() == 100
    assert line_storage() == sorted([*SHARED_STORAGE, f"catalogue_usageline_{report.dsr.pk}"])


# --- Imports and deletions -------------------------------------------------------------------------------------


@pytest.mark.on_one_server(reason="a cluster drops no table while a large DSR loads: a later run does")
@pytest.mark.usefixtures("without_versions")
def test_a_table_is_dropped_while_another_report_is_loading(tmp_path, in_thread):
    gone = dsr_import(path=write_report(tmp_path, ES_JANUARY, line("a")), name=ES_JANUARY).dsr
    stop = InMidCopy()
    loading = in_thread(**importing(write_report(tmp_path, ES_FEBRUARY, *MANY_LINES), progress=stop))
    assert stop.is_there.wait(PATIENCE)

    dsr_delete(dsr_number=gone.pk)
    catalogue_refresh()

    assert not LeftoverLines.objects.exists()
    assert f"catalogue_usageline_{gone.pk}" not in line_storage()
    stop.go_on.set()
    assert loading.result(PATIENCE).dsr.line_count == 100


@pytest.mark.usefixtures("without_versions")
def test_a_dsr_that_is_deleted_while_its_replacement_loads_is_removed_once(tmp_path, in_thread):
    earlier = dsr_import(path=write_report(tmp_path, ES_JANUARY, line("a")), name=ES_JANUARY).dsr
    path = write_report(tmp_path, ES_JANUARY, *MANY_LINES)

    with transaction.atomic():
        dsr_delete(dsr_number=earlier.pk)
        replacing = in_thread(**importing(path, replace=True))
        wait_for_lock_waiter("transactionid")

    dsr = replacing.result(PATIENCE).dsr
    assert DSR.objects.get() == dsr
    assert not LeftoverLines.objects.exists()
    assert line_storage() == sorted([*SHARED_STORAGE, f"catalogue_usageline_{dsr.pk}"])


# --- Imports and exchange rates --------------------------------------------------------------------------------


def test_a_rate_that_is_set_while_a_report_loads_is_the_rate_of_its_dsr(tmp_path, in_thread):
    stop = InMidCopy()
    loading = in_thread(**importing(write_report(tmp_path, NO_JANUARY, *MANY_LINES), progress=stop))
    assert stop.is_there.wait(PATIENCE)

    set_rate("NOK", "9.5")
    stop.go_on.set()

    assert loading.result(PATIENCE).dsr.exchange_rate == Decimal("9.5")
    assert DSR.objects.get().exchange_rate == Decimal("9.5")


def test_a_report_whose_rate_is_deleted_while_it_loads_is_refused(tmp_path, in_thread):
    # The ECB publishes no rate of the Argentine peso.
    set_rate("ARS", "66")
    stop = InMidCopy()
    loading = in_thread(**importing(write_report(tmp_path, AR_JANUARY, *MANY_LINES), progress=stop))
    assert stop.is_there.wait(PATIENCE)

    operator_rate_delete(operator_rate=OperatorRate.objects.get())
    stop.go_on.set()

    with pytest.raises(ReportRefused, match="publishes no rate of ARS"):
        loading.result(PATIENCE)
    assert DSR.objects.get().status == DSR.Status.FAILED
    cluster.transactions_settle()
    abandoned_lines_drop(lock_timeout="10s")
    assert line_storage() == SHARED_STORAGE


def test_setting_a_rate_waits_for_an_import_that_has_read_the_old_rate(tmp_path, in_thread):
    path = write_report(tmp_path, NO_JANUARY, *MANY_LINES)

    with other_transaction() as other:
        # The import can read DSRs but not write one, so it stops after it has read its rate.
        other.execute("LOCK TABLE catalogue_dsr IN SHARE MODE")
        loading = in_thread(**importing(path))
        wait_for_lock_waiter("relation")
        setting = in_thread(function=set_rate, currency="NOK", rate="9.5")
        wait_for_lock_waiter("advisory")

    assert loading.result(PATIENCE).dsr.rate_method == "ecb_mean"
    assert setting.result(PATIENCE).dsrs == 1
    assert DSR.objects.get().exchange_rate == Decimal("9.5")
    assert RateChange.objects.get().new_rate == Decimal("9.5")


def test_a_replacement_waits_for_a_change_of_rates_and_uses_the_new_rate(tmp_path, in_thread):
    # The operator changes the rate of the DSR that is being replaced.
    earlier = dsr_import(path=write_report(tmp_path, NO_JANUARY, line("a")), name=NO_JANUARY).dsr
    path = write_report(tmp_path, NO_JANUARY, *MANY_LINES)

    with transaction.atomic():
        rates_lock(shared=False)
        replacing = in_thread(**importing(path, replace=True))
        wait_for_lock_waiter("advisory")
        assert set_rate("NOK", "9.5").dsrs == 1

    report = replacing.result(PATIENCE)
    assert report.outcome == Outcome.REPLACED
    assert DSR.objects.get() == report.dsr != earlier
    assert DSR.objects.get().exchange_rate == Decimal("9.5")
