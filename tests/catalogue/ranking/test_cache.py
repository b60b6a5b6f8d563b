"""The cache of rankings: when a cached ranking is used again, when another one is built, and which ones stay."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from catalogue.dsrs.services import dsr_delete
from catalogue.imports.services import dsr_import
from catalogue.lines.scope import Scope
from catalogue.models import DSR, SHARED_PARTITION, KeptRanking
from catalogue.ranking.building import adding_up, threshold
from catalogue.ranking.building import ways as building
from catalogue.ranking.cached import resources as cache
from catalogue.ranking.selectors import resource_ranking
from catalogue.rates.services import operator_rate_set
from catalogue.resources.services import catalogue_refresh
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, add_lines, import_report, line, write_report
from tests.catalogue.ranking.helpers import top_resources

pytestmark = pytest.mark.django_db

NO_FEBRUARY = "Spotify_SpotifyDuo_NO_NOK_20200201-20200229.tsv"
DEEZER_JANUARY = "Deezer_Free_ES_EUR_20200101-20200131.tsv"


@pytest.fixture
def built(monkeypatch):
    """The percentiles of the rankings that were built, in order."""
    percentiles = []

    def build_and_note(number, dsrs, percentile):
        percentiles.append(percentile)
        return building.ranking_build(number, dsrs, percentile)

    monkeypatch.setattr(cache, "ranking_build", build_and_note)
    return percentiles


@pytest.fixture(params=["few lines", "many lines"])
def _few_or_many(request, monkeypatch):
    """A ranking of many lines has its own table."""
    if request.param == "many lines":
        monkeypatch.setattr(adding_up, "MANY_LINES", 0)


def nok_rate(rate):
    operator_rate_set(currency="NOK", period_start=date(2020, 1, 1), period_end=date(2020, 1, 31), rate=Decimal(rate))


def top(percentile=100, **question):
    return [resource.dsp_id for resource in top_resources(percentile=percentile, **question)]


def titles():
    return {resource.dsp_id: resource.title for resource in top_resources(percentile=100)}


def revenues():
    return {resource.dsp_id: resource.revenue for resource in top_resources(percentile=100)}


def cached_rows():
    """The number of rows of each ranking in all tables, by the number of the ranking."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^catalogue_ranking_'")
        own = [name for (name,) in cursor.fetchall()]
        rows = {}
        for table in ["catalogue_rankedresource", *own]:
            cursor.execute(f"SELECT ranking, count(*) FROM {table} GROUP BY ranking")  # noqa: S608
            rows |= dict(cursor.fetchall())
    return rows


# --- Cache hits ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_few_or_many")
def test_a_cached_ranking_answers_the_same_percentile_and_every_smaller_one(tmp_path, built):
    lines = [line(dsp_id, revenue=amount) for dsp_id, amount in zip("abcd", "4321", strict=True)]
    import_report(tmp_path, ES_JANUARY, *lines)

    # 40, 70, 90 and 100 % of the revenue.
    answers = {40: "a", 41: "ab", 70: "ab", 71: "abc", 1: "a", 39: "a"}
    assert "".join(top(71)) == "abc"
    assert {percentile: "".join(top(percentile)) for percentile in answers} == answers
    assert built == [71]

    assert ["".join(top(percentile)) for percentile in (91, 71, 90, 91)] == ["abcd", "abc", "abc", "abcd"]
    assert built == [71, 91]


def test_a_ranking_by_threshold_answers_every_smaller_percentile_too(built, monkeypatch):
    monkeypatch.setattr(building, "FEW_LINES", 0)
    monkeypatch.setattr(threshold, "LARGEST_HEAD", Decimal(4))
    add_lines(recipes.dsr.make(), *(line(f"r{number:03}", revenue="1") for number in range(1, 101)))

    for percentile in (60, *range(1, 61)):
        assert top(percentile) == [f"r{number:03}" for number in range(1, percentile + 1)]
    assert built == [60]


def test_scopes_with_the_same_dsrs_share_a_ranking(tmp_path, built):
    import_report(tmp_path, ES_JANUARY, line("a", revenue="1"))
    import_report(tmp_path, DEEZER_JANUARY, line("b", revenue="2"))

    assert top() == top(territory="ES") == top(period_end=date(2020, 1, 31)) == ["b", "a"]
    assert top(territory="NO") == top(period_start=date(2021, 1, 1)) == []
    # One with all DSRs in scope, and one without any.
    assert built == [100, 100]


def test_a_cached_answer_of_any_size_takes_three_statements(tmp_path):
    def size_and_statements():
        with CaptureQueriesContext(connection) as statements:
            answer = top(100)
        return len(answer), len(statements)

    import_report(tmp_path, ES_JANUARY, line("a", revenue="1"))
    top()
    # Find and lock the ranking of the current state, read its rows, release the lock.
    assert size_and_statements() == (1, 3)

    import_report(tmp_path, NO_JANUARY, *(line(f"n{number}", revenue="1") for number in range(99)))
    top()
    assert size_and_statements() == (100, 3)


# --- Never stale -----------------------------------------------------------------------------------------------


@pytest.fixture(params=["uncatalogued", "catalogued"])
def refresh(request):
    """Refresh the catalogue of resources, or leave it out of date: no answer may depend on it."""
    return catalogue_refresh if request.param == "catalogued" else lambda: None


@pytest.mark.usefixtures("_few_or_many")
def test_every_change_of_lines_and_rates_is_in_the_next_answer(tmp_path, refresh):
    nok_rate("4")
    import_report(tmp_path, ES_JANUARY, line("a", revenue="3"))
    import_report(tmp_path, NO_JANUARY, line("a", revenue="8"), line("b", revenue="4"))
    refresh()
    assert revenues() == {"a": 5, "b": 1}

    nok_rate("0.5")
    assert revenues() == {"a": 19, "b": 8}

    path = write_report(tmp_path, NO_JANUARY, line("b", revenue="1"))
    dsr_import(path=path, name=path.name, replace=True)
    assert revenues() == {"a": 3, "b": 2}
    refresh()
    assert revenues() == {"a": 3, "b": 2}

    dsr_delete(dsr_number=DSR.objects.get(territory="NO").pk)
    assert revenues() == {"a": 3}
    refresh()
    assert revenues() == {"a": 3}


@pytest.mark.usefixtures("_few_or_many")
def test_a_dsr_out_of_scope_can_change_a_title(tmp_path, refresh):
    import_report(tmp_path, ES_JANUARY, line("a", "Aurora", revenue="3"), line("b", "Borealis", revenue="1"))
    refresh()
    question = {"territory": "ES", "percentile": 100}
    assert [one.title for one in top_resources(**question)] == ["Aurora", "Borealis"]

    later = import_report(tmp_path, NO_FEBRUARY, line("b", "Cascade"), line("c", "Dune", revenue="5"))
    assert [one.title for one in top_resources(**question)] == ["Aurora", "Cascade"]
    refresh()
    assert [one.title for one in top_resources(**question)] == ["Aurora", "Cascade"]

    dsr_delete(dsr_number=later.pk)
    assert [one.title for one in top_resources(**question)] == ["Aurora", "Borealis"]
    refresh()
    assert [one.title for one in top_resources(**question)] == ["Aurora", "Borealis"]


def test_a_registered_dsp_is_described_by_the_catalogue_and_another_one_by_its_lines(tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a", "Aurora", "Ana", "ESABC2000001", revenue="2"))
    catalogue_refresh()
    import_report(tmp_path, DEEZER_JANUARY, line("a", "Sea", revenue="1"))

    assert [(one.dsp, one.title, one.artists, one.isrc) for one in top_resources(percentile=100)] == [
        ("Spotify", "Aurora", "Ana", "ESABC2000001"),
        ("Deezer", "Sea", None, None),
    ]


def test_an_earlier_state_finds_its_ranking_again(tmp_path, built):
    import_report(tmp_path, ES_JANUARY, line("a", revenue="1"))
    nok_rate("4")
    import_report(tmp_path, NO_JANUARY, line("b", revenue="8"))

    assert top() == ["b", "a"]
    nok_rate("10")
    assert top() == ["a", "b"]
    nok_rate("4")
    assert top() == ["b", "a"]
    assert built == [100, 100]


def test_failed_dsrs_and_dsrs_of_other_dsps_do_not_make_a_ranking_stale(tmp_path, built):
    import_report(tmp_path, ES_JANUARY, line("a", revenue="1"))
    assert top(territory="ES") == ["a"]

    import_report(tmp_path, "Deezer_Free_NO_NOK_20200101-20200131.tsv", line("a", revenue="1"))
    recipes.failed_dsr.make()
    assert top(territory="ES") == ["a"]
    assert built == [100]


# --- Ranks, shares and pages -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("_few_or_many")
def test_each_resource_has_its_rank_and_its_cumulative_share(tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a", revenue="1"), line("b", revenue="2"), line("c", revenue="3"))

    with resource_ranking(percentile=100) as ranked:
        assert (ranked.count, ranked.total) == (3, 6)
        rows = ranked.rows(limit=10)
    assert [(row.rank, row.dsp_id, str(row.cumulative_share)) for row in rows] == [
        (1, "c", "50.0000000000"),
        (2, "b", "83.3333333333"),
        (3, "a", "100.0000000000"),
    ]


def test_the_total_has_twenty_digits_and_the_last_share_is_100(tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a", revenue="1" + "0" * 29), line("b", revenue="3e-40"))

    with resource_ranking(percentile=100) as ranked:
        assert ranked.total == Decimal("1" + "0" * 29)
        assert [str(row.cumulative_share) for row in ranked.rows(limit=2)] == ["100.0000000000"] * 2


def test_a_share_has_all_its_digits_if_negative_revenue_nearly_cancels_the_rest(tmp_path):
    # The total is 1 + 10^-24, and 10^31 / (1 + 10^-24) = 10^31 - 10^7 + 10^-17 - ...
    cancelling = "-99999999999999999999999999998.999999999999999999999999"
    import_report(tmp_path, ES_JANUARY, line("a", revenue="1" + "0" * 29), line("b", revenue=cancelling))

    with resource_ranking(percentile=100) as ranked:
        assert ranked.total == Decimal("1.000000000000000000000001")
        assert [str(row.cumulative_share) for row in ranked.rows(limit=2)] == [
            "9999999999999999999999990000000.0000000000",
            "100.0000000000",
        ]


@pytest.mark.usefixtures("_few_or_many")
def test_pages_continue_by_rank_to_the_end_of_the_percentile(tmp_path):
    import_report(tmp_path, ES_JANUARY, *(line(dsp_id, revenue="1") for dsp_id in "abcdefghij"))
    top(100)

    with resource_ranking(percentile=50) as ranked:
        pages = [ranked.rows(after_rank=after, limit=2) for after in (0, 2, 4, 5, 6)]
    assert ["".join(row.dsp_id for row in page) for page in pages] == ["ab", "cd", "e", "", ""]


def test_a_ranking_without_dsrs_or_with_a_negative_total_has_no_rows(tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a", revenue="5"), line("b", revenue="-6"))

    with resource_ranking(percentile=50) as ranked:
        assert (ranked.count, ranked.total, ranked.rows(limit=10)) == (0, -1, [])
    with resource_ranking(percentile=50, scope=Scope(territory="NO")) as ranked:
        assert (ranked.count, ranked.total, ranked.rows(limit=10)) == (0, 0, [])


# --- Which rankings stay ---------------------------------------------------------------------------------------


@pytest.fixture
def _three_territories(tmp_path):
    """The rankings of Spain, Norway and Chile have two rows each. The limit counts each of them as three rows."""
    for territory in ("ES", "NO", "CL"):
        name = f"{territory}Music_Free_{territory}_EUR_20200101-20200131.tsv"
        import_report(tmp_path, name, line("a", revenue="2"), line("b", revenue="1"))


def a_while_passes():
    """A use is written once a minute."""
    KeptRanking.objects.update(used_at=F("used_at") - timedelta(seconds=61))


@pytest.mark.usefixtures("_few_or_many", "_three_territories")
def test_the_most_recently_used_rankings_stay_within_the_limit(settings, built):
    settings.DSRHUB_KEPT_RANKING_ROWS = 6
    for territory in ("ES", "NO", "ES", "CL"):
        a_while_passes()
        assert top(territory=territory) == ["a", "b"]
    assert sorted(cached_rows().values()) == [2, 2]
    assert KeptRanking.objects.count() == 2

    # Norway's ranking was dropped, as it was the least recently used.
    assert top(territory="ES") == top(territory="CL") == ["a", "b"]
    assert built == [100, 100, 100]
    assert top(territory="NO") == ["a", "b"]
    assert built == [100, 100, 100, 100]


@pytest.mark.usefixtures("_few_or_many", "_three_territories")
def test_a_ranking_above_the_limit_is_dropped_and_the_others_stay(settings, built):
    settings.DSRHUB_KEPT_RANKING_ROWS = 5
    assert top(territory="ES") == ["a", "b"]
    # The ranking of everything has six rows.
    assert len(top()) == 6
    assert list(cached_rows().values()) == [2]
    assert top(territory="ES") == ["a", "b"]
    assert built == [100, 100]


@pytest.mark.usefixtures("_few_or_many", "_three_territories")
def test_with_a_limit_of_zero_no_ranking_stays(settings, built):
    settings.DSRHUB_KEPT_RANKING_ROWS = 0
    assert top(territory="ES") == top(territory="ES") == ["a", "b"]
    assert built == [100, 100]
    assert cached_rows() == {}
    assert not KeptRanking.objects.exists()


@pytest.mark.usefixtures("_few_or_many", "_three_territories")
def test_a_ranking_stays_while_it_is_read(settings):
    settings.DSRHUB_KEPT_RANKING_ROWS = 0
    with resource_ranking(percentile=100, scope=Scope(territory="ES")) as ranked:
        assert top(territory="NO") == ["a", "b"]
        assert [row.dsp_id for row in ranked.rows(limit=2)] == ["a", "b"]
    assert cached_rows() == {}


def test_a_use_is_written_once_a_minute(tmp_path):
    """Each write leaves a dead row, which other transactions may need for long."""
    import_report(tmp_path, ES_JANUARY, line("a", revenue="1"))
    top()
    (built,) = KeptRanking.objects.values_list("used_at", flat=True)
    top()
    assert KeptRanking.objects.get().used_at == built
    a_while_passes()
    top()
    assert KeptRanking.objects.get().used_at >= built


def test_a_ranking_that_was_not_used_for_a_week_is_dropped(tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a", revenue="1"))
    top()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalogue_keptranking SET used_at = used_at - interval '7 days 1 second'")
    (old,) = KeptRanking.objects.values_list("pk", flat=True)

    top(territory="NO")
    assert old not in KeptRanking.objects.values_list("pk", flat=True)
    assert old not in cached_rows()


# --- Many DSRs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_threshold", [False, True])
def test_many_small_dsrs_lock_no_more_relations_than_one(monkeypatch, by_threshold):
    if by_threshold:
        monkeypatch.setattr(building, "FEW_LINES", 0)
        monkeypatch.setattr(threshold, "LARGEST_HEAD", Decimal(4))

    def locked():
        """The relations that the ranking's statements locked. Locks are held until the test's transaction ends."""
        with connection.cursor() as cursor:
            top(50)
            cursor.execute(
                "SELECT DISTINCT relation::regclass::text FROM pg_locks "
                "WHERE pid = pg_backend_pid() AND locktype = 'relation'"
            )
            return {name for (name,) in cursor.fetchall() if "usageline" in name}

    add_lines(recipes.dsr.make(), line("a", revenue="1"))
    of_one = locked()
    for number in range(50):
        dsr = recipes.dsr.make(offer=f"Offer {number}")
        add_lines(dsr, line("a", revenue="1"), line("b", revenue="1"))
        assert dsr.partition == SHARED_PARTITION
    assert locked() == of_one
    # The parent, the shared partition, and its indexes.
    assert len(of_one) <= 5
