"""Rankings that a worker prepares: of what, when, how many, and that people then find them."""

import io
import logging
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalogue.lines.scope import Scope
from catalogue.models import DSR, AskedScope, KeptRanking, WantedRanking
from catalogue.ranking.artists.selectors import artist_ranking
from catalogue.ranking.artists.sums import Credit
from catalogue.ranking.cached import asked
from catalogue.ranking.cached import resources as cache
from catalogue.ranking.cached.cache import drop_surplus
from catalogue.ranking.prepared import rankings_prepare
from catalogue.ranking.selectors import resource_ranking
from catalogue.rates.services import operator_rate_set
from catalogue.resources.services import catalogue_refresh
from dsrhub.database import locks
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line
from tests.catalogue.ranking.helpers import top_resources

pytestmark = pytest.mark.django_db

ES_FEBRUARY = "Spotify_SpotifyDuo_ES_EUR_20200201-20200229.tsv"
DEEZER_JANUARY = "Deezer_Free_ES_EUR_20200101-20200131.tsv"


def prepare(**options):
    """Prepare rankings at once after an import."""
    return rankings_prepare(quiet_for=timedelta(0), **options)


def imported(folder, name, *lines):
    dsr = import_report(folder, name, *lines)
    catalogue_refresh()
    return dsr


def nok_rate(rate):
    operator_rate_set(currency="NOK", period_start=date(2020, 1, 1), period_end=date(2020, 1, 31), rate=Decimal(rate))


def ask(percentile=1, **scope):
    with resource_ranking(percentile=percentile, scope=Scope(**scope)):
        pass


def top(percentile, **question):
    return [resource.dsp_id for resource in top_resources(percentile=percentile, **question)]


def cached_numbers():
    return set(KeptRanking.objects.values_list("pk", flat=True))


@contextmanager
def held_elsewhere(lock, number):
    """Let another worker hold a lock."""
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [lock.space, number])
        yield
        cursor.execute("SELECT pg_advisory_unlock_all()")  # Closing does not wait for the server.
    other.close()


def forget_rankings():
    """Drop all rankings, as a crash of the server does."""
    KeptRanking.objects.update(used_at="2000-01-01T00:00:00Z")
    drop_surplus(cache.TopQuestion)


# --- What is asked ---------------------------------------------------------------------------------------------


def test_a_scope_is_remembered_once_in_an_hour_and_by_no_statement_of_its_own(tmp_path):
    imported(tmp_path, ES_JANUARY, line("a", revenue="1"))
    ask(100, territory="ES")
    first = AskedScope.objects.get()
    assert (str(first), first.territory, first.period_start, first.dsp) == ("ES", "ES", None, None)

    with CaptureQueriesContext(connection) as statements:
        ask(50, territory="ES")
    # Find and lock the ranking, release the lock.
    assert len(statements) == 2
    assert AskedScope.objects.get().asked_at == first.asked_at

    AskedScope.objects.update(asked_at=timezone.now() - timedelta(hours=1, seconds=1))
    ask(50, territory="ES")
    assert AskedScope.objects.get().asked_at > first.asked_at


def test_each_scope_of_people_is_remembered_and_no_other(tmp_path):
    dsr = imported(tmp_path, ES_JANUARY, line("a", revenue="1"))
    ask()
    ask(territory="ES", period_start=date(2020, 1, 1), period_end=date(2020, 1, 31))
    ask(dsp="Spotify")
    # These are not prepared: certain DSRs, none at all, and artists.
    ask(dsrs=(dsr.pk,))
    ask(territory="NO")
    ask(dsp="x" * 10_000)
    with artist_ranking(credit=Credit.FULL, scope=Scope(period_start=date(2020, 1, 1))):
        pass
    assert sorted(map(str, AskedScope.objects.all())) == ["ES, 2020-01-01, 2020-01-31", "Spotify", "everything"]


def test_the_table_of_scopes_is_bounded_and_old_ones_are_forgotten(tmp_path, monkeypatch):
    imported(tmp_path, ES_JANUARY, line("a", revenue="1"))
    monkeypatch.setitem(asked.BOUNDS, "most_scopes", 4)
    monkeypatch.setattr(asked, "MOST_SCOPES", 4)
    for day in range(1, 7):
        ask(period_end=date(2020, 2, day))
    assert AskedScope.objects.count() == 4

    # Half of a full table stays.
    prepare()
    assert sorted(scope.period_end.day for scope in AskedScope.objects.all()) == [3, 4]
    AskedScope.objects.filter(period_end=date(2020, 2, 3)).update(asked_at=timezone.now() - timedelta(days=7))
    prepare()
    assert [scope.period_end.day for scope in AskedScope.objects.all()] == [4]


# --- What is prepared ------------------------------------------------------------------------------------------


def test_an_asked_territory_is_ready_at_every_percentile_after_an_import(tmp_path, client, caplog):
    imported(tmp_path, ES_JANUARY, line("a", revenue="3"), line("b", revenue="1"))
    imported(tmp_path, NO_JANUARY, line("n", revenue="1"))
    assert top(50, territory="ES") == ["a"]

    imported(tmp_path, ES_FEBRUARY, line("b", revenue="5"), line("c", revenue="1"))
    with caplog.at_level(logging.INFO):
        assert prepare() == 1
    assert [text.partition(" in ")[0] for text in caplog.messages if "prepared" in text] == [
        "prepared the ranking of ES: 3 rows"
    ]

    ready = cached_numbers()
    for percentile, expected in ((1, ["b"]), (50, ["b"]), (90, ["b", "a"]), (100, ["b", "a", "c"])):
        with CaptureQueriesContext(connection) as statements:
            response = client.get(f"/resources/percentile/{percentile}?territory=ES")
        assert [resource["dsp_id"] for resource in response.json()] == expected
        assert sum("catalogue_" in one["sql"] for one in statements) == 2
    assert cached_numbers() == ready
    # Nothing is left to do.
    assert prepare() == 0


def test_answers_are_the_same_as_without_preparation(tmp_path):
    nok_rate("3")
    imported(tmp_path, ES_JANUARY, line("a", "A", "Ana", "ESABC2000001", "2", "3"), line("b", revenue="1"))
    imported(tmp_path, NO_JANUARY, line("a", "N", usages="1", revenue="1"), line("c", "C", revenue="0"))
    unprepared = {percentile: top_resources(percentile=percentile) for percentile in range(1, 101)}

    forget_rankings()
    AskedScope.objects.update(state="")
    assert prepare() == 1
    ready = cached_numbers()
    assert {percentile: top_resources(percentile=percentile) for percentile in range(1, 101)} == unprepared
    assert cached_numbers() == ready


def test_a_changed_rate_leads_to_another_ranking_and_the_old_one_goes(tmp_path):
    nok_rate("4")
    imported(tmp_path, ES_JANUARY, line("a", revenue="3"))
    imported(tmp_path, NO_JANUARY, line("b", revenue="8"))
    ask()
    ask(territory="ES")
    # Everything, and Spain: the small shares do not tell the larger ones.
    assert prepare() == 2
    old = KeptRanking.objects.get(key=AskedScope.objects.get(territory=None).key, ends__99__isnull=False)

    nok_rate("2")
    assert prepare() == 1
    assert old.pk not in cached_numbers()
    assert not KeptRanking.objects.filter(key=old.key).exists()
    ready = cached_numbers()
    assert (top(100), top(100, territory="ES")) == (["b", "a"], ["a"])
    assert cached_numbers() == ready


def test_an_old_ranking_stays_while_it_is_read_or_while_another_scope_has_its_state(tmp_path):
    imported(tmp_path, DEEZER_JANUARY, line("a", revenue="1"))
    ask(period_end=date(2020, 1, 31))
    ask()
    # Both scopes have the same DSRs.
    assert prepare() == 1
    (old,) = cached_numbers_of_all()

    imported(tmp_path, ES_FEBRUARY, line("b", revenue="2"))
    with resource_ranking(percentile=100, scope=Scope(period_end=date(2020, 1, 31))) as ranking:
        assert ranking.number == old
    assert prepare() == 1
    assert old in cached_numbers()
    assert (top(100), top(100, period_end=date(2020, 1, 31))) == (["b", "a"], ["a"])

    with resource_ranking(percentile=100) as ranking:
        imported(tmp_path, NO_JANUARY, line("c", revenue="1"))
        prepare()
        assert ranking.number in cached_numbers()


def cached_numbers_of_all():
    return set(KeptRanking.objects.filter(ends__99__isnull=False).values_list("pk", flat=True))


def test_a_prepared_ranking_is_not_the_first_to_go(tmp_path, settings):
    imported(tmp_path, ES_JANUARY, line("a", revenue="2"), line("b", revenue="1"))
    imported(tmp_path, DEEZER_JANUARY, line("c", revenue="1"))
    ask(dsrs=(DSR.objects.get(dsp="Deezer").pk,))
    KeptRanking.objects.update(used_at=timezone.now() - timedelta(days=1))
    ask(dsp="Spotify")
    prepare()
    ready = cached_numbers_of_all()

    # The limit counts each ranking as one row more. Everything has three rows: the others have to go.
    settings.DSRHUB_KEPT_RANKING_ROWS = 8
    ask(100)
    assert ready < cached_numbers()


# --- What is not prepared --------------------------------------------------------------------------------------


@pytest.fixture
def spain(tmp_path):
    """A DSR of Spain with two resources, about which somebody asked; its rankings are gone."""
    dsr = imported(tmp_path, ES_JANUARY, line("a", revenue="2"), line("b", revenue="1"))
    ask(territory="ES")
    forget_rankings()
    return dsr


def test_nothing_is_prepared_while_something_else_comes_first(spain):
    assert rankings_prepare() == 0  # The DSR is younger than a minute.
    assert prepare(may_continue=lambda: False) == 0

    DSR.objects.update(is_catalogued=False)
    assert prepare() == 0
    DSR.objects.update(is_catalogued=True)

    wanted = WantedRanking.objects.create(key="k", percentile=50, dsr_numbers=[spain.pk])
    assert prepare() == 0
    wanted.delete()

    DSR.objects.update(imported_at=timezone.now() - timedelta(minutes=1))
    assert rankings_prepare() == 1


def test_a_worker_prepares_when_no_import_job_waits(spain):
    DSR.objects.update(imported_at=timezone.now() - timedelta(minutes=1))
    job = recipes.import_job.make()
    with held_elsewhere(locks.IMPORT_JOBS, job.pk):
        call_command("worker", once=True, stdout=io.StringIO())
    assert cached_numbers() == set()

    job.delete()
    call_command("worker", once=True, stdout=io.StringIO())
    assert len(cached_numbers()) == 1


def test_between_two_rankings_a_worker_looks_at_what_comes_first(spain):
    ask()
    forget_rankings()
    AskedScope.objects.update(state="")
    KeptRanking.objects.all().delete()
    imports = iter([True, False])
    assert prepare(may_continue=lambda: next(imports)) == 1


def test_one_worker_at_a_time_prepares(spain):
    with held_elsewhere(locks.PREPARING_RANKINGS, 0):
        assert prepare() == 0
    assert prepare() == 1


def test_with_0_days_nothing_is_remembered_or_prepared(spain, settings):
    settings.DSRHUB_PREPARED_DAYS = 0
    ask()
    assert prepare() == 0
    assert not AskedScope.objects.exists()


@pytest.fixture
def three_services(tmp_path):
    """The ranking of Spotify counts as 5 rows, those of Deezer and Napster as 3 each. None is left."""
    imported(tmp_path, ES_JANUARY, *(line(dsp_id, revenue="1") for dsp_id in "abcd"))
    for name in (DEEZER_JANUARY, "Napster_Free_ES_EUR_20200101-20200131.tsv"):
        imported(tmp_path, name, line("a", revenue="2"), line("b", revenue="1"))
    for dsp in ("Napster", "Deezer", "Spotify"):
        ask(dsp=dsp)
    forget_rankings()


def used_before(hours, **which):
    KeptRanking.objects.filter(**which).update(used_at=timezone.now() - timedelta(hours=hours))


def prepared_services():
    kept = KeptRanking.objects.values("key")
    return sorted(AskedScope.objects.filter(key__in=kept).values_list("dsp", flat=True))


@pytest.mark.usefixtures("three_services")
def test_what_does_not_fit_is_not_prepared_and_pushes_no_prepared_ranking_out(settings):
    settings.DSRHUB_KEPT_RANKING_ROWS = 4
    assert prepare() == 1
    assert prepared_services() == ["Deezer"]

    settings.DSRHUB_KEPT_RANKING_ROWS = 6
    AskedScope.objects.update(state="")
    used_before(hours=2)
    assert prepare() == 1
    assert prepared_services() == ["Deezer", "Napster"]

    AskedScope.objects.update(state="")
    used_before(hours=2)
    assert prepare() == 0
    assert prepared_services() == ["Deezer", "Napster"]


@pytest.mark.usefixtures("three_services")
def test_a_prepared_ranking_pushes_out_what_nobody_used_for_an_hour(settings):
    settings.DSRHUB_KEPT_RANKING_ROWS = 8
    AskedScope.objects.exclude(dsp="Deezer").delete()
    assert prepare() == 1
    deezer = AskedScope.objects.get().key
    with resource_ranking(percentile=100, scope=Scope(dsrs=(DSR.objects.get(dsp="Napster").pk,))) as ranking:
        napster = ranking.number
    AskedScope.objects.create(dsp="Spotify", asked_at=timezone.now())

    # Only 2 rows are left: both were used just now.
    assert prepare() == 0

    used_before(hours=2, pk=napster)
    used_before(hours=3, key=deezer)
    AskedScope.objects.update(state="")
    assert prepare() == 1
    assert prepared_services() == ["Deezer", "Spotify"]
    assert napster not in cached_numbers()


def test_a_ranking_has_at_most_as_many_rows_as_its_dsps_have_resources(tmp_path, settings):
    imported(tmp_path, ES_JANUARY, *(line("a", revenue="1") for _ in range(9)))
    ask(dsp="Spotify")
    forget_rankings()
    settings.DSRHUB_KEPT_RANKING_ROWS = 2
    assert prepare() == 1


def test_a_prepared_ranking_takes_one_core(spain, monkeypatch):
    workers = []

    def noting(*args):
        with connection.cursor() as cursor:
            for setting in ("max_parallel_workers_per_gather", "max_parallel_maintenance_workers"):
                cursor.execute(f"SHOW {setting}")
                workers.extend(cursor.fetchone())
        return build(*args)

    build = cache.ranking_build
    monkeypatch.setattr(cache, "ranking_build", noting)
    assert prepare() == 1
    assert workers == ["0", "0"]
