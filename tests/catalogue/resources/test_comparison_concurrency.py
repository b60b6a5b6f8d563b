"""A comparison of recordings while other sessions change its DSRs. All commits are real."""

from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from itertools import count

import pytest
from django.db import connection, transaction

from catalogue.dsrs.statistics.comparison import Period
from catalogue.exceptions import RankingNotReady
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, WantedRanking
from catalogue.ranking.cached import resources as cache
from catalogue.ranking.selectors import resource_ranking
from catalogue.ranking.services import wanted_rankings_build
from catalogue.rates.services import operator_rate_set
from catalogue.resources import comparison, services
from catalogue.resources.comparison import ResourceComparison, Show, resource_comparison
from catalogue.resources.services import catalogue_refresh
from tests.catalogue.helpers import line, write_report
from tests.catalogue.ranking.test_concurrency import Meanwhile, forget

pytestmark = pytest.mark.django_db(transaction=True)

JANUARY, FEBRUARY = "Spotify_Duo_NO_NOK_20200101-20200131.tsv", "Spotify_Duo_NO_NOK_20200201-20200229.tsv"
OTHER_JANUARY = "Spotify_Solo_NO_NOK_20200101-20200131.tsv"


@pytest.fixture(autouse=True)
def _lines_are_dropped_at_once(monkeypatch):
    monkeypatch.setattr(services, "DROP_LOCK_TIMEOUT", "1ms")
    monkeypatch.setattr(services, "DROP_TRIES", 1)
    yield
    forget()


@pytest.fixture
def ingest(tmp_path):
    def ingest(name, *lines, replace=False):
        return dsr_import(path=write_report(tmp_path, name, *lines), name=name, replace=replace).dsr.pk

    return ingest


def nok_rate(rate):
    """Set the rate of both months at once."""
    with transaction.atomic():
        for start, end in [(date(2020, 1, 1), date(2020, 1, 31)), (date(2020, 2, 1), date(2020, 2, 29))]:
            operator_rate_set(currency="NOK", period_start=start, period_end=end, rate=Decimal(rate))


def answer(show):
    """The rows of the comparison, without the ids of the DSRs."""
    asked = ResourceComparison(100, Period.parse("2020-02"), Period.parse("2020-01"), show=show)
    rows = resource_comparison(asked=asked, after=0, limit=10)
    return [(one.resource.dsp_id, one.rank, one.now, one.rank_before, one.before) for one in rows]


AT_FIRST = {
    JANUARY: [line("a", usages="2", revenue="8"), line("b", usages="3", revenue="4"), line("d", revenue="1")],
    FEBRUARY: [line("a", usages="1", revenue="3"), line("b", revenue="4"), line("c", revenue="4")],
}


def replace_january(ingest):
    ingest(JANUARY, line("a", usages="1", revenue="1"), line("x", revenue="5"), replace=True)
    catalogue_refresh()


def replace_february(ingest):
    ingest(FEBRUARY, line("a", usages="3", revenue="9"), line("d", revenue="7"), replace=True)
    catalogue_refresh()


def change_rate(ingest):
    nok_rate("0.5")


def restored(name):
    """A function that replaces the report of this name with its first lines."""
    return lambda ingest: ingest(name, *AT_FIRST[name], replace=True)


@pytest.mark.parametrize(
    ("change", "undo", "show"),
    [
        (replace_january, restored(JANUARY), Show.TOP),
        (change_rate, lambda ingest: nok_rate("4"), Show.TOP),
        (replace_february, restored(FEBRUARY), Show.GONE),
    ],
    ids=["replace_january", "change_rate", "replace_february"],
)
@pytest.mark.usefixtures("without_versions")
def test_a_change_while_periods_are_compared_is_in_the_answer_completely_or_not_at_all(
    ingest, in_other_session, change, undo, show
):
    """The change comes before each third statement in turn, while the rankings of both months are cached."""
    nok_rate("4")
    for name, lines in AT_FIRST.items():
        ingest(name, *lines)
    ingest(OTHER_JANUARY, line("a", usages="5", revenue="2"))
    before = answer(show)
    for number in count(step=3):
        meanwhile = Meanwhile(number, lambda: in_other_session(change, ingest))
        with connection.execute_wrapper(meanwhile):
            found = answer(show)
        after = answer(show)
        assert found in (before, after)
        if not meanwhile.is_done:
            break
        undo(ingest)
        assert answer(show) == before != after
    # The change came before many different statements.
    assert number > 10


@pytest.mark.parametrize(("show", "number"), [(Show.TOP, 0), (Show.TOP, 1), (Show.GONE, 0)])
def test_a_ranking_of_a_rate_that_does_not_last_is_not_used(ingest, monkeypatch, show, number):
    """The rate changes before the ranking with this number is looked for, and changes back when it is found."""
    nok_rate("4")
    ingest(JANUARY, line("a", revenue="8"), line("d", revenue="1"))
    ingest(FEBRUARY, line("a", revenue="3"))
    expected, asked = answer(show), []

    @contextmanager
    def ranking_meanwhile(**question):
        asked.append(question)
        is_due = len(asked) == number + 1
        nok_rate("0.5" if is_due else "4")
        with resource_ranking(**question) as ranking:
            nok_rate("4")
            yield ranking

    monkeypatch.setattr(comparison, "resource_ranking", ranking_meanwhile)
    assert answer(show) == expected
    assert len(asked) > number + 1


def test_a_comparison_without_time_queues_the_ranking_of_everything_before(ingest, monkeypatch):
    nok_rate("4")
    ingest(JANUARY, line("a", revenue="1"), line("b", revenue="3"))
    ingest(FEBRUARY, line("a", revenue="2"))
    build = cache.ranking_cache

    def build_too_slowly(key, percentile, dsrs):
        build(key, percentile, dsrs)
        if percentile == 100:
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 1")
                cursor.execute("SELECT pg_sleep(60)")

    asked = ResourceComparison(50, Period.parse("2020-02"), Period.parse("2020-01"))
    with monkeypatch.context() as patch:
        patch.setattr(cache, "ranking_cache", build_too_slowly)
        with pytest.raises(RankingNotReady):
            resource_comparison(asked=asked, after=0, limit=10)
    assert [(one.percentile, one.dsr_numbers) for one in WantedRanking.objects.all()] == [
        (100, [DSR.objects.get(path=JANUARY).pk])
    ]
    assert wanted_rankings_build() == 1

    def fail(*args):
        raise AssertionError("It is built already.")

    monkeypatch.setattr(cache, "ranking_cache", fail)
    (one,) = resource_comparison(asked=asked, after=0, limit=10)
    assert (one.resource.dsp_id, one.rank, one.rank_before) == ("a", 1, 2)
