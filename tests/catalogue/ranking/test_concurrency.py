"""Rankings while others ask, read and change DSRs at once. All commits are real."""

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
from catalogue.ranking import adding_up, building, cache
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
def _few_or_many(request, monkeypatch, settings):
    """Rankings of many lines have a table of their own, and so have the lines of large DSRs."""
    # Who keeps lines from being dropped keeps nobody waiting.
    monkeypatch.setattr(services, "DROP_LOCK_TIMEOUT", "1ms")
    monkeypatch.setattr(services, "DROP_TRIES", 1)
    if request.param == "many lines":
        settings.DSRHUB_SHARED_PARTITION_BYTES = 0
        monkeypatch.setattr(adding_up, "MANY_LINES", 0)
    yield
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
    cache.rankings_drop_surplus()


# --- Changes while a ranking is made ---------------------------------------------------------------------------


class Meanwhile:
    """Does something once, before the SQL statement with a given number (from 0) is sent."""

    def __init__(self, number, action):
        self.left, self.action, self.is_done = number, action, False

    def __call__(self, execute, sql, params, many, context):
        self.left -= 1
        if self.left == -1:
            self.action()
            self.is_done = True
        return execute(sql, params, many, context)


def come(ingest):
    ingest(NO_FEBRUARY, line("a", "Borealis", usages="5", revenue="9"), line("c", revenue="99"))
    catalogue_refresh()


def go():
    dsr_delete(dsr_number=DSR.objects.get(path=NO_FEBRUARY).pk)
    catalogue_refresh()


def replace(ingest):
    ingest(NO_JANUARY, line("a", "Cascade", usages="7", revenue="10"), line("d", revenue="1"), replace=True)
    catalogue_refresh()


def rate_anew(ingest):
    nok_rate("0.5")


def rate_back():
    nok_rate("4")


@pytest.mark.parametrize(("change", "undo"), [(come, go), (rate_anew, rate_back), (replace, None)])
def test_a_change_while_a_ranking_is_made_is_in_it_wholly_or_not_at_all(ingest, in_thread, change, undo):
    """Whichever two statements of the question the change comes between, and be the lines dropped at once."""
    for number in count():
        nok_rate("4")
        ingest(ES_JANUARY, line("a", "Aurora", usages="1", revenue="3"))
        ingest(NO_JANUARY, line("a", "", usages="2", revenue="8"), line("b", usages="3", revenue="4"))
        catalogue_refresh()
        before = everything()
        forget()
        meanwhile = Meanwhile(number, lambda: in_thread(change, ingest).result(PATIENCE))

        with connection.execute_wrapper(meanwhile):
            answer = everything()

        after = everything()
        assert answer in (before, after)
        if not meanwhile.is_done:
            break
        # What was made meanwhile is kept under the state that it is of.
        if undo:
            undo()
            assert everything() == before != after
        forget()
        for dsr in DSR.objects.all():
            dsr_delete(dsr_number=dsr.pk)
        catalogue_refresh()
    # The question had statements for the change to come between.
    assert number > 10


# --- Two at once -----------------------------------------------------------------------------------------------


def test_of_two_that_ask_at_once_one_makes_the_ranking_and_the_other_reads_it(ingest, in_thread, monkeypatch):
    ingest(ES_JANUARY, line("a", revenue="3"), line("b", revenue="1"))
    is_made, go_on, made = Event(), Event(), []

    def make(number, dsrs, percentile):
        made.append(percentile)
        is_made.set()
        assert go_on.wait(PATIENCE)
        return building.ranking_build(number, dsrs, percentile)

    monkeypatch.setattr(cache, "ranking_build", make)
    first = in_thread(everything)
    assert is_made.wait(PATIENCE)
    second = in_thread(everything)
    wait_for_lock_waiter("advisory")
    go_on.set()

    assert [one.dsp_id for one in first.result(PATIENCE)] == ["a", "b"]
    assert second.result(PATIENCE) == first.result()
    assert made == [100]


def test_where_making_fails_the_other_makes_it(ingest, in_thread, monkeypatch):
    ingest(ES_JANUARY, line("a", revenue="3"))
    is_made, go_on = Event(), Event()

    def fail(number, dsrs, percentile):
        monkeypatch.setattr(cache, "ranking_build", building.ranking_build)
        building.ranking_build(number, dsrs, percentile)
        is_made.set()
        assert go_on.wait(PATIENCE)
        raise OSError("the disk is full")

    monkeypatch.setattr(cache, "ranking_build", fail)
    first = in_thread(everything)
    assert is_made.wait(PATIENCE)
    second = in_thread(everything)
    wait_for_lock_waiter("advisory")
    go_on.set()

    with pytest.raises(OSError, match="the disk is full"):
        first.result(PATIENCE)
    assert [one.dsp_id for one in second.result(PATIENCE)] == ["a"]
    assert KeptRanking.objects.count() == 1


# --- Readers ---------------------------------------------------------------------------------------------------


def test_what_somebody_reads_stays_whoever_else_asks_and_goes_with_the_next_question(ingest, in_thread, settings):
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


def test_who_reads_holds_no_transaction(ingest):
    ingest(ES_JANUARY, line("a", revenue="3"))
    with resource_ranking(percentile=100) as ranked:
        assert not connection.in_atomic_block
        ranked.rows(limit=1)
        with other_transaction() as cursor:
            # In this database: other tests run at the same time on the same server.
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
            )
            assert cursor.fetchone() == (0,)


def test_a_crash_of_the_server_empties_all_of_it(ingest):
    """Tables that are not logged are emptied when a server that crashed starts again."""
    ingest(ES_JANUARY, line("a", revenue="3"))
    everything()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, relpersistence FROM pg_class "
            "WHERE relkind = 'r' AND relname ~ '^catalogue_(keptranking|rankedresource|ranking_)'"
        )
        kept = dict(cursor.fetchall())
    assert {"catalogue_keptranking", "catalogue_rankedresource"} <= kept.keys()
    assert set(kept.values()) == {"u"}
