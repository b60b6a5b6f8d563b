"""Rankings while other sessions build and read rankings and change DSRs. All commits are real."""

from datetime import date
from decimal import Decimal
from itertools import count
from threading import Event

import pytest
from django.db import connection

from catalogue.dsrs.services import dsr_delete
from catalogue.imports.services import dsr_import
from catalogue.lines.scope import Scope
from catalogue.models import DSR, KeptRanking
from catalogue.ranking.building import adding_up
from catalogue.ranking.building import ways as building
from catalogue.ranking.cached import resources as cache
from catalogue.ranking.cached.cache import drop_surplus
from catalogue.ranking.selectors import resource_ranking
from catalogue.rates.services import operator_rate_set
from catalogue.resources import services
from catalogue.resources.services import catalogue_refresh
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, line, other_transaction, write_report
from tests.catalogue.ranking.helpers import top_resources
from tests.waiting import PATIENCE, wait_for_lock_waiter

pytestmark = pytest.mark.django_db(transaction=True)

NO_FEBRUARY = "Spotify_SpotifyDuo_NO_NOK_20200201-20200229.tsv"


@pytest.fixture(params=["few lines", "many lines"], autouse=True)
def few_or_many(request, monkeypatch, settings):
    """A ranking of many lines has its own table, and so has a large DSR."""
    # A session that drops lines does not wait for a reader.
    monkeypatch.setattr(services, "DROP_LOCK_TIMEOUT", "1ms")
    monkeypatch.setattr(services, "DROP_TRIES", 1)
    if request.param == "many lines":
        settings.DSRHUB_SHARED_PARTITION_BYTES = 0
        monkeypatch.setattr(adding_up, "MANY_LINES", 0)
    yield request.param
    settings.DSRHUB_KEPT_RANKING_ROWS = 0
    top_resources(percentile=1)


@pytest.fixture
def ingest(tmp_path):
    def ingest(name, *lines, replace=False):
        return dsr_import(path=write_report(tmp_path, name, *lines), name=name, replace=replace).dsr.pk

    return ingest


def nok_rate(rate):
    operator_rate_set(currency="NOK", period_start=date(2020, 1, 1), period_end=date(2020, 1, 31), rate=Decimal(rate))


def everything():
    return top_resources(percentile=100)


def forget():
    """Drop all rankings."""
    KeptRanking.objects.update(used_at="2000-01-01T00:00:00Z")
    drop_surplus(cache.TopQuestion)


# --- Changes while a ranking is built --------------------------------------------------------------------------


class Meanwhile:
    """Runs an action once, before the SQL statement with a given number (from 0) is sent."""

    def __init__(self, number, action):
        self.left, self.action, self.is_done = number, action, False

    def __call__(self, execute, sql, params, many, context):
        self.left -= 1
        if self.left == -1:
            self.action()
            self.is_done = True
        return execute(sql, params, many, context)


def import_february(ingest):
    ingest(NO_FEBRUARY, line("a", "Borealis", usages="5", revenue="9"), line("c", revenue="99"))
    catalogue_refresh()


def delete_february(ingest):
    dsr_delete(dsr_number=DSR.objects.get(path=NO_FEBRUARY).pk)
    catalogue_refresh()


def replace_january(ingest):
    ingest(NO_JANUARY, line("a", "Cascade", usages="7", revenue="10"), line("d", revenue="1"), replace=True)
    catalogue_refresh()


def replace_january_again(ingest):
    ingest(NO_JANUARY, line("a", "", usages="2", revenue="8"), line("b", usages="3", revenue="4"), replace=True)
    catalogue_refresh()


def change_rate(ingest):
    nok_rate("0.5")


def restore_rate(ingest):
    nok_rate("4")


@pytest.mark.parametrize(
    ("change", "undo"),
    [(import_february, delete_february), (change_rate, restore_rate), (replace_january, replace_january_again)],
)
@pytest.mark.usefixtures("without_versions")
def test_a_change_while_a_ranking_is_built_is_in_it_completely_or_not_at_all(
    ingest, in_other_session, change, undo, few_or_many
):
    """The change comes before one statement of the ranking after the other: each third one, and with many lines the
    one behind it. Lines of deleted DSRs are dropped at once.
    """
    nok_rate("4")
    ingest(ES_JANUARY, line("a", "Aurora", usages="1", revenue="3"))
    ingest(NO_JANUARY, line("a", "", usages="2", revenue="8"), line("b", usages="3", revenue="4"))
    catalogue_refresh()
    before = everything()
    for number in count(start=few_or_many == "many lines", step=3):
        forget()
        meanwhile = Meanwhile(number, lambda: in_other_session(change, ingest))

        with connection.execute_wrapper(meanwhile):
            answer = everything()

        after = everything()
        assert answer in (before, after)
        if not meanwhile.is_done:
            break
        # The ranking is cached under the state that it was built from.
        undo(ingest)
        before = everything()  # a report that is imported again is another DSR
        assert before != after
    # The change came before many different statements.
    assert number > 10


# --- Two requests at once --------------------------------------------------------------------------------------


def test_of_two_requests_at_once_one_builds_the_ranking_and_the_other_reads_it(ingest, in_thread, monkeypatch):
    ingest(ES_JANUARY, line("a", revenue="3"), line("b", revenue="1"))
    is_built, go_on, built = Event(), Event(), []

    def build(number, dsrs, percentile):
        built.append(percentile)
        is_built.set()
        assert go_on.wait(PATIENCE)
        return building.ranking_build(number, dsrs, percentile)

    monkeypatch.setattr(cache, "ranking_build", build)
    first = in_thread(everything)
    assert is_built.wait(PATIENCE)
    second = in_thread(everything)
    wait_for_lock_waiter("advisory")
    go_on.set()

    assert [one.dsp_id for one in first.result(PATIENCE)] == ["a", "b"]
    assert second.result(PATIENCE) == first.result()
    assert built == [100]


def test_if_building_fails_the_waiting_request_builds_the_ranking(ingest, in_thread, monkeypatch):
    ingest(ES_JANUARY, line("a", revenue="3"))
    is_built, go_on = Event(), Event()

    def fail(number, dsrs, percentile):
        monkeypatch.setattr(cache, "ranking_build", building.ranking_build)
        building.ranking_build(number, dsrs, percentile)
        is_built.set()
        assert go_on.wait(PATIENCE)
        raise OSError("the disk is full")

    monkeypatch.setattr(cache, "ranking_build", fail)
    first = in_thread(everything)
    assert is_built.wait(PATIENCE)
    second = in_thread(everything)
    wait_for_lock_waiter("advisory")
    go_on.set()

    with pytest.raises(OSError, match="the disk is full"):
        first.result(PATIENCE)
    assert [one.dsp_id for one in second.result(PATIENCE)] == ["a"]
    assert KeptRanking.objects.count() == 1


# --- Readers ---------------------------------------------------------------------------------------------------


def test_a_ranking_stays_while_it_is_read_and_is_dropped_by_the_next_request(ingest, in_thread, settings):
    settings.DSRHUB_KEPT_RANKING_ROWS = 3
    ingest(ES_JANUARY, line("a", revenue="3"), line("b", revenue="1"))
    ingest("Deezer_Free_NO_EUR_20200101-20200131.tsv", line("c", revenue="3"), line("d", revenue="1"))

    def ask(territory):
        return [one.dsp_id for one in top_resources(percentile=100, territory=territory)]

    with resource_ranking(percentile=100, scope=Scope(territory="ES")) as ranked:
        assert in_thread(ask, "NO").result(PATIENCE) == ["c", "d"]
        assert [one.dsp_id for one in ranked.rows(limit=10)] == ["a", "b"]
        assert KeptRanking.objects.filter(pk=ranked.number).exists()
    assert ask("DE") == []
    assert not KeptRanking.objects.filter(pk=ranked.number).exists()


def test_a_reader_holds_no_transaction(ingest):
    ingest(ES_JANUARY, line("a", revenue="3"))
    with resource_ranking(percentile=100) as ranked:
        assert not connection.in_atomic_block
        ranked.rows(limit=1)
        with other_transaction() as cursor:
            # Only in this database: other tests run at the same time on the same server.
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
            )
            assert cursor.fetchone() == (0,)


def test_rankings_are_in_unlogged_tables(ingest):
    """PostgreSQL empties unlogged tables when it starts after a crash."""
    ingest(ES_JANUARY, line("a", revenue="3"))
    everything()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, relpersistence FROM pg_class "
            "WHERE relkind = 'r' AND relname ~ '^catalogue_(keptranking|rankedresource|ranking_|askedscope)'"
        )
        kept = dict(cursor.fetchall())
    assert {"catalogue_keptranking", "catalogue_rankedresource", "catalogue_askedscope"} <= kept.keys()
    assert set(kept.values()) == {"u"}


def test_a_table_that_a_crash_left_does_not_stop_a_ranking_of_its_number(ingest):
    """A crash, and a restore without the data of unlogged tables, empty the tables and begin the numbers again."""
    ingest(ES_JANUARY, line("a", revenue="3"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('catalogue_keptranking', 'id')) + 1")
        (number,) = cursor.fetchone()
        cursor.execute(f"CREATE UNLOGGED TABLE catalogue_ranking_{number} (ranking integer)")
    try:
        assert [one.dsp_id for one in everything()] == ["a"]
    finally:
        forget()
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS catalogue_ranking_{number}")
