"""A ranking that takes longer than a request may: the request fails with a clear error, and a worker builds it."""

import io

import pytest
from django.core.management import call_command
from django.db import connection

from catalogue.exceptions import RankingNotReady
from catalogue.models import KeptRanking, WantedRanking
from catalogue.ranking.cached import resources as cache
from catalogue.ranking.services import wanted_rankings_build
from tests.catalogue.helpers import import_report, line
from tests.catalogue.ranking.helpers import top_resources

ES_JANUARY = "Spotify_Duo_ES_EUR_20200101-20200131.tsv"
FR_JANUARY = "Spotify_Duo_FR_EUR_20200101-20200131.tsv"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def no_time(tmp_path, monkeypatch):
    """Two DSRs, and two requests for a ranking that the database canceled. Returns the DSR in scope."""
    spain = import_report(tmp_path, ES_JANUARY, line("a", revenue="2"), line("b", revenue="1"))
    import_report(tmp_path, FR_JANUARY, line("c", revenue="3"))
    build = cache.ranking_cache

    def build_too_slowly(*args):
        build(*args)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 1")
            cursor.execute("SELECT pg_sleep(60)")

    with monkeypatch.context() as patch:
        patch.setattr(cache, "ranking_cache", build_too_slowly)
        with pytest.raises(RankingNotReady) as refusal:
            top_resources(percentile=50, territory="ES")
        assert refusal.value.code == "ranking_not_ready"
        with pytest.raises(RankingNotReady):
            top_resources(percentile=80, territory="ES")
    return spain


def test_nothing_is_cached_and_the_largest_percentile_is_queued_once(no_time):
    assert not KeptRanking.objects.exists()
    wanted = WantedRanking.objects.get()
    assert (wanted.percentile, wanted.dsr_numbers) == (80, [no_time.pk])


def test_a_worker_builds_the_queued_ranking(no_time, django_assert_num_queries):
    call_command("worker", once=True, stdout=io.StringIO())

    assert not WantedRanking.objects.exists()
    ranking = KeptRanking.objects.get()
    assert ranking.ends[79] == 2
    assert [one.dsp_id for one in top_resources(percentile=80, territory="ES")] == ["a", "b"]
    assert KeptRanking.objects.get() == ranking


def test_the_ranking_of_a_deleted_dsr_leaves_the_queue(no_time):
    no_time.delete()

    assert wanted_rankings_build() == 1
    assert not WantedRanking.objects.exists()


def test_rest_asks_to_retry_later(no_time, client, monkeypatch):
    def not_ready(*args):
        raise RankingNotReady("Later.")

    monkeypatch.setattr(cache, "ranking_cache", not_ready)

    response = client.get("/resources/percentile/50?territory=ES")

    assert response.status_code == 503
    assert response.json() == {"detail": "Later.", "code": "ranking_not_ready"}


def test_other_errors_of_the_database_are_raised(tmp_path, monkeypatch):
    import_report(tmp_path, ES_JANUARY, line("a", revenue="2"))

    def fail(*args):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    monkeypatch.setattr(cache, "ranking_cache", fail)
    with pytest.raises(Exception, match="division by zero"):
        top_resources(percentile=50)
    assert not WantedRanking.objects.exists()
