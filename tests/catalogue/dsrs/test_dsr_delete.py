"""`dsr_delete` and `catalogue_refresh`: lines leave all answers at once, and their disk space is freed afterwards."""

from contextlib import contextmanager

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.dsrs.services import dsr_delete
from catalogue.exceptions import DSRNotFound, ReportRefused
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, LeftoverLines, ReportProblem, UsageLine
from catalogue.resources import services
from catalogue.resources.services import catalogue_refresh
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, SHARED_STORAGE, line, line_storage, other_transaction, write_report
from tests.catalogue.ranking.helpers import top_resources

ES_FEBRUARY = "Spotify_SpotifyFamilyPlan_ES_EUR_20200201-20200229.tsv"
TRANSACTIONAL = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["shared partition", "own partition"])
def either_partition(request, settings):
    settings.DSRHUB_SHARED_PARTITION_BYTES = 1024**2 if request.param == "shared partition" else 0


@pytest.fixture
def own_partition(settings):
    settings.DSRHUB_SHARED_PARTITION_BYTES = 0


def import_lines(folder, name, *lines):
    path = write_report(folder, name, *lines)
    return dsr_import(path=path, name=name).dsr


def top():
    """The dsp_ids of all resources with revenue, from the ranking."""
    return [resource.dsp_id for resource in top_resources(percentile=100)]


@pytest.mark.django_db
@pytest.mark.usefixtures("either_partition", "without_versions")
def test_lines_leave_the_answers_at_once_and_are_dropped_afterwards(tmp_path):
    gone = import_lines(tmp_path, ES_JANUARY, line("a", revenue="1"), line("a", revenue="2"))
    kept = import_lines(tmp_path, ES_FEBRUARY, line("b", revenue="3"))
    assert top() == ["a", "b"]

    dsr_delete(dsr_number=gone.pk)

    assert top() == ["b"]
    assert list(DSR.objects.all()) == [kept]
    assert ReportProblem.objects.count() == 0
    assert list(LeftoverLines.objects.values_list("dsr_number", "partition")) == [(gone.pk, gone.partition)]
    catalogue_refresh()
    assert list(UsageLine.objects.values_list("dsr", "dsp_id", "revenue")) == [(kept.pk, "b", 3)]
    assert f"catalogue_usageline_{gone.pk}" not in line_storage()
    assert not LeftoverLines.objects.exists()


@pytest.mark.django_db
def test_a_failed_dsr_is_deleted_with_its_problems(tmp_path):
    with pytest.raises(ReportRefused):
        import_lines(tmp_path, ES_JANUARY, line("", "No id"))

    dsr_delete(dsr_number=DSR.objects.get().pk)

    assert not DSR.objects.exists()
    assert not ReportProblem.objects.exists()
    assert not LeftoverLines.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("dsr_number", [0, -1, 2**31, 10**30])
def test_a_missing_dsr_cannot_be_deleted(dsr_number):
    with pytest.raises(DSRNotFound) as refusal:
        dsr_delete(dsr_number=dsr_number)

    assert refusal.value.extra == {"id": dsr_number}


@pytest.mark.django_db
def test_a_dsr_cannot_be_deleted_twice(tmp_path):
    dsr = import_lines(tmp_path, ES_JANUARY, line("a"))
    dsr_delete(dsr_number=dsr.pk)

    with pytest.raises(DSRNotFound):
        dsr_delete(dsr_number=dsr.pk)


@pytest.mark.django_db
def test_the_report_of_a_deleted_dsr_can_be_imported_again(tmp_path):
    first = import_lines(tmp_path, ES_JANUARY, line("a"))
    dsr_delete(dsr_number=first.pk)

    assert import_lines(tmp_path, ES_JANUARY, line("b")).pk != first.pk


@pytest.mark.on_one_server(reason="a cluster gathers the lines by more statements")
@pytest.mark.django_db
@pytest.mark.usefixtures("either_partition", "without_versions")
def test_deletion_runs_as_many_queries_for_1_line_as_for_1000(tmp_path):
    few = import_lines(tmp_path, ES_JANUARY, line("a"))
    # Each line but the first repeats a dsp_id, which is a problem.
    many = import_lines(tmp_path, ES_FEBRUARY, *[line("a")] * 1000)

    def queries_to_delete(dsr):
        with CaptureQueriesContext(connection) as queries:
            dsr_delete(dsr_number=dsr.pk)
            catalogue_refresh()
        return len(queries)

    assert queries_to_delete(many) == queries_to_delete(few)
    assert not UsageLine.objects.exists()


# --- Concurrent readers ----------------------------------------------------------------------------------------


@contextmanager
def reading(monkeypatch):
    """The cursor of a transaction that reads all lines. Dropping them is tried three times, without pauses."""
    with other_transaction() as reader, monkeypatch.context() as patched:
        patched.setattr(services, "DROP_TRIES", 3)
        patched.setattr(services, "DROP_PAUSE", 0)
        reader.execute("SELECT dsp_id FROM catalogue_usageline")
        yield reader


@TRANSACTIONAL
@pytest.mark.usefixtures("own_partition", "without_versions")
def test_a_reader_keeps_the_table_and_a_later_run_drops_it(tmp_path, monkeypatch):
    gone = import_lines(tmp_path, ES_JANUARY, line("a", revenue="1"))
    table = f"catalogue_usageline_{gone.pk}"

    with reading(monkeypatch) as reader:
        # The deletion does not wait for the reader, which still sees the lines that it has begun to read.
        dsr_delete(dsr_number=gone.pk)
        assert top() == []
        assert LeftoverLines.objects.get().dsr_number == gone.pk
        assert table in line_storage()
        assert reader.fetchall() == [("a",)]
        catalogue_refresh()
        assert LeftoverLines.objects.count() == 1

    catalogue_refresh()
    assert LeftoverLines.objects.count() == 0
    assert line_storage() == SHARED_STORAGE
    assert not LeftoverLines.objects.exists()


@pytest.mark.on_one_server(reason="a cluster drops temporary tables, too")
@TRANSACTIONAL
@pytest.mark.usefixtures("own_partition", "without_versions")
def test_a_reader_of_many_tables_is_waited_for_once_and_the_shared_partition_is_cleared(tmp_path, monkeypatch):
    tables = [import_lines(tmp_path, name, line("a")) for name in (ES_JANUARY, ES_FEBRUARY)]
    with reading(monkeypatch):
        for dsr in tables:
            dsr_delete(dsr_number=dsr.pk)
        recipes.lines_to_drop.make(dsr_number=tables[1].pk + 1)

        with CaptureQueriesContext(connection) as queries:
            catalogue_refresh()
            assert LeftoverLines.objects.count() == 2

        dropped = [query["sql"] for query in queries if query["sql"].startswith("DROP TABLE IF")]
        assert dropped == [f'DROP TABLE IF EXISTS "catalogue_usageline_{tables[0].pk}"'] * 3
    catalogue_refresh()
    assert LeftoverLines.objects.count() == 0
    assert line_storage() == SHARED_STORAGE


@TRANSACTIONAL
@pytest.mark.usefixtures("own_partition", "without_versions")
def test_the_next_import_drops_lines_that_a_reader_kept(tmp_path, monkeypatch):
    gone = import_lines(tmp_path, ES_JANUARY, line("a"))
    with reading(monkeypatch):
        dsr_delete(dsr_number=gone.pk)
    assert LeftoverLines.objects.count() == 1

    kept = import_lines(tmp_path, ES_FEBRUARY, line("b"))

    assert line_storage() == sorted([*SHARED_STORAGE, f"catalogue_usageline_{kept.pk}"])
    assert not LeftoverLines.objects.exists()
    dsr_delete(dsr_number=kept.pk)


@TRANSACTIONAL
@pytest.mark.usefixtures("without_versions")
def test_deletion_from_the_shared_partition_does_not_wait_for_readers(tmp_path):
    gone = import_lines(tmp_path, ES_JANUARY, line("a"))

    with other_transaction() as reader:
        reader.execute("SELECT dsp_id FROM catalogue_usageline")
        dsr_delete(dsr_number=gone.pk)
        catalogue_refresh()

        assert not LeftoverLines.objects.exists()
        assert not UsageLine.objects.exists()


@TRANSACTIONAL
@pytest.mark.usefixtures("without_versions")
def test_dropping_keeps_the_lock_timeout_of_the_connection(tmp_path):
    dsr = import_lines(tmp_path, ES_JANUARY, line("a"))

    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '7s'")
        dsr_delete(dsr_number=dsr.pk)
        catalogue_refresh()
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("7s",)
    connection.close()


@TRANSACTIONAL
def test_a_refresh_skips_lines_that_another_refresh_is_dropping(tmp_path):
    recipes.lines_to_drop.make()

    with other_transaction() as other_run:
        other_run.execute("SELECT * FROM catalogue_leftoverlines FOR UPDATE")
        catalogue_refresh()
        assert LeftoverLines.objects.count() == 1
    catalogue_refresh()
    assert LeftoverLines.objects.count() == 0
