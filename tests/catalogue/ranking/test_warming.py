"""After a start of the database server, a worker reads what small questions need, and keeps nobody waiting."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.imports.queue.worker import nothing_waits
from catalogue.lines.reading import partitions_within
from catalogue.management.commands.worker import Command
from catalogue.models import ImportJob, KeptRanking, WantedRanking
from catalogue.ranking import warming
from catalogue.ranking.building import ways as building
from catalogue.ranking.warming import WarmUp
from dsrhub.database.statements import execute, rows_of
from tests import cluster
from tests.catalogue import recipes
from tests.catalogue.helpers import import_report, line

ES_JANUARY = "Spotify_Duo_ES_EUR_20200101-20200131.tsv"
ES_FEBRUARY = "Spotify_Duo_ES_EUR_20200201-20200229.tsv"
FR_FEBRUARY = "Spotify_Duo_FR_EUR_20200201-20200229.tsv"
# Two shares are asked for, each of both territories, the latest period, and all. One server reads the table of each of
# the three DSRs before it.
QUESTIONS = 2 * (2 + 1 + 1)
STEPS = QUESTIONS if cluster.is_named() else QUESTIONS + 3

pytestmark = pytest.mark.django_db
READS_TABLES = pytest.mark.on_one_server(reason="a cluster has no lines in the memory of the coordinator")


@pytest.fixture(autouse=True)
def few_lines_are_many(monkeypatch, settings):
    """Each DSR has its own table, and the highest lines are searched in however few."""
    settings.DSRHUB_SHARED_PARTITION_BYTES = 0
    monkeypatch.setattr(building, "FEW_LINES", 1)


@pytest.fixture
def dsrs(tmp_path):
    """DSRs of January and February in Spain, and of February in France, where the revenue was higher."""
    return [
        import_report(tmp_path, name, *(line(f"a{n}", "One", revenue=revenue) for n in range(3)))
        for name, revenue in ((ES_JANUARY, "3"), (ES_FEBRUARY, "1"), (FR_FEBRUARY, "2"))
    ]


def go_on(warm_up):
    return warm_up.go_on(is_idle=lambda: True)


def tables_read(queries):
    """The tables that are read from their beginning to their end, in this order."""
    texts = (query["sql"] for query in queries)
    return [text.split('"')[1] for text in texts if text.startswith("SELECT count(dsp_id) FROM")]


@READS_TABLES
def test_all_lines_are_read_and_questions_are_asked_that_nobody_finds(dsrs):
    with CaptureQueriesContext(connection) as queries:
        assert go_on(WarmUp()) == STEPS

    texts = [query["sql"] for query in queries]
    # The latest period comes first, and in it the DSR with the most revenue.
    spain, spain_later, france = (dsr.pk for dsr in dsrs)
    assert tables_read(queries) == [f"catalogue_usageline_{number}" for number in (france, spain_later, spain)]
    assert sum("INSERT INTO catalogue_rankedresource" in text for text in texts) == QUESTIONS
    assert rows_of("SELECT count(*) FROM catalogue_rankedresource") == [(0,)]
    assert not KeptRanking.objects.exists()


@READS_TABLES
def test_tables_are_read_up_to_a_bound(dsrs):
    spain, spain_later, france = (dsr.pk for dsr in dsrs)
    # The lines of each take one page of 8,192 bytes.
    assert partitions_within(8191) == []
    assert partitions_within(2 * 8192) == [france, spain_later]
    assert partitions_within(3 * 8192) == [france, spain_later, spain]


@READS_TABLES
def test_a_table_beyond_the_bound_is_left_out_and_smaller_ones_are_not(tmp_path):
    small = import_report(tmp_path, ES_JANUARY, line("a", revenue="1"))
    import_report(tmp_path, ES_FEBRUARY, *(line(f"a{n}", revenue="1") for n in range(300)))

    assert partitions_within(8192) == [small.pk]


@READS_TABLES
def test_the_shared_table_is_read_once_for_all_of_its_dsrs(tmp_path, settings):
    settings.DSRHUB_SHARED_PARTITION_BYTES = 1024**2
    for name in (ES_JANUARY, ES_FEBRUARY):
        import_report(tmp_path, name, line("a", revenue="1"))

    with CaptureQueriesContext(connection) as queries:
        go_on(WarmUp())

    assert tables_read(queries) == ["catalogue_usageline_shared"]


def test_as_many_statements_for_1_line_as_for_307(tmp_path):
    def statements():
        with CaptureQueriesContext(connection) as queries:
            go_on(WarmUp())
        return len(queries)

    import_report(tmp_path, ES_JANUARY, line("a0", revenue="1"))
    for_one = statements()
    execute("UPDATE catalogue_dsr SET status = 'failed'")
    import_report(tmp_path, ES_FEBRUARY, *(line(f"a{n}", revenue="1") for n in range(307)))

    assert statements() == for_one


@pytest.mark.usefixtures("dsrs")
def test_it_stops_for_what_waits_and_goes_on_afterwards():
    warm_up, idle = WarmUp(), iter([True, True, False])

    assert warm_up.go_on(is_idle=lambda: next(idle)) == 2
    assert go_on(warm_up) == STEPS - 2


@pytest.mark.usefixtures("dsrs")
def test_it_is_done_once_after_each_start_of_the_server(monkeypatch):
    warm_up = WarmUp()

    assert [go_on(warm_up), go_on(warm_up)] == [STEPS, 0]
    monkeypatch.setattr(warming, "SERVER_START", "SELECT 'a later start'")
    assert [go_on(warm_up), go_on(warm_up)] == [STEPS, 0]


@pytest.mark.usefixtures("dsrs")
def test_it_ends_when_its_time_is_over(monkeypatch):
    monkeypatch.setattr(warming, "SECONDS", 0)

    assert go_on(WarmUp()) == 0


@READS_TABLES
@pytest.mark.django_db(transaction=True)
def test_a_dsr_that_is_deleted_meanwhile_does_no_harm(dsrs):
    warm_up, idle = WarmUp(), iter([True, False])
    warm_up.go_on(is_idle=lambda: next(idle))
    execute(f"DROP TABLE catalogue_usageline_{dsrs[0].pk}")

    assert go_on(warm_up) == STEPS - 1
    assert rows_of("SELECT current_setting('statement_timeout')") == [("0",)]


def test_a_job_and_a_ranking_that_wait_come_first():
    assert nothing_waits()
    job = recipes.import_job.make(state=ImportJob.State.TO_CHECK)
    assert not nothing_waits()
    job.delete()
    WantedRanking.objects.create(key="k", percentile=10, dsr_numbers=[1])
    assert not nothing_waits()


def test_a_worker_does_it_while_nothing_waits_and_until_it_is_stopped(monkeypatch):
    command, seen = Command(), []
    command.parent, command.warm_up = None, WarmUp()

    def stop(warm_up, *, is_idle):
        seen.append(is_idle())
        recipes.import_job.make(state=ImportJob.State.TO_CHECK)
        seen.append(is_idle())
        ImportJob.objects.all().delete()
        command.is_stopping = True
        seen.append(is_idle())

    monkeypatch.setattr(WarmUp, "go_on", stop)
    command._serve()

    assert seen == [True, False, False]
