"""Rankings are made once and kept: when one is used again, when another must be made, and how few stay."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.dsrs.services import dsr_delete
from catalogue.imports.services import dsr_import
from catalogue.lines.scope import Scope
from catalogue.models import DSR, SHARED_PARTITION, KeptRanking
from catalogue.ranking import adding_up, building, cache, threshold
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
def made(monkeypatch):
    """The percentiles of the rankings that were made, in turn."""
    percentiles = []

    def noting(number, dsrs, percentile):
        percentiles.append(percentile)
        return building.ranking_build(number, dsrs, percentile)

    monkeypatch.setattr(cache, "ranking_build", noting)
    return percentiles


@pytest.fixture(params=["few lines", "many lines"])
def _few_or_many(request, monkeypatch):
    """Rankings of many lines have a table of their own."""
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


def rows_kept():
    """How many rows of rankings there are, by number of the ranking; by table, those of their own too."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^catalogue_ranking_'")
        own = [name for (name,) in cursor.fetchall()]
        rows = {}
        for table in ["catalogue_rankedresource", *own]:
            cursor.execute(f"SELECT ranking, count(*) FROM {table} GROUP BY ranking")  # noqa: S608
            rows |= dict(cursor.fetchall())
    return rows


# --- Used again ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_few_or_many")
def test_what_was_made_answers_the_same_question_and_every_smaller_one(tmp_path, made):
    lines = [line(dsp_id, revenue=amount) for dsp_id, amount in zip("abcd", "4321", strict=True)]
    import_report(tmp_path, ES_JANUARY, *lines)

    # 40, 70, 90 and 100 % of the revenue.
    answers = {40: "a", 41: "ab", 70: "ab", 71: "abc", 1: "a", 39: "a"}
    assert "".join(top(71)) == "abc"
    assert {percentile: "".join(top(percentile)) for percentile in answers} == answers
    assert made == [71]

    assert ["".join(top(percentile)) for percentile in (91, 71, 90, 91)] == ["abcd", "abc", "abc", "abcd"]
    assert made == [71, 91]


def test_by_threshold_too_every_smaller_share_is_there(made, monkeypatch):
    monkeypatch.setattr(building, "FEW_LINES", 0)
    monkeypatch.setattr(threshold, "LARGEST_HEAD", Decimal(4))
    add_lines(recipes.dsr.make(), *(line(f"r{number:03}", revenue="1") for number in range(1, 101)))

    for percentile in (60, *range(1, 61)):
        assert top(percentile) == [f"r{number:03}" for number in range(1, percentile + 1)]
    assert made == [60]


def test_questions_that_count_the_same_dsrs_have_one_ranking(tmp_path, made):
    import_report(tmp_path, ES_JANUARY, line("a", revenue="1"))
    import_report(tmp_path, DEEZER_JANUARY, line("b", revenue="2"))

    assert top() == top(territory="ES") == top(period_end=date(2020, 1, 31)) == ["b", "a"]
    assert top(territory="NO") == top(period_start=date(2021, 1, 1)) == []
    # That of all, and that of none.
    assert made == [100, 100]


def test_asking_again_takes_three_statements_however_much_there_is(tmp_path):
    def asked():
        with CaptureQueriesContext(connection) as statements:
            answer = top(100)
        return len(answer), len(statements)

    import_report(tmp_path, ES_JANUARY, line("a", revenue="1"))
    top()
    # The ranking of the state as it is, with its lock, its rows, and the lock's end.
    assert asked() == (1, 3)

    import_report(tmp_path, NO_JANUARY, *(line(f"n{number}", revenue="1") for number in range(99)))
    top()
    assert asked() == (100, 3)


# --- Never stale -----------------------------------------------------------------------------------------------


@pytest.fixture(params=["uncatalogued", "catalogued"])
def refresh(request):
    """Brings the catalogue of resources up to date, or leaves it behind: no answer may depend on it."""
    return catalogue_refresh if request.param == "catalogued" else lambda: None


@pytest.mark.usefixtures("_few_or_many")
def test_whatever_changes_what_counts_is_in_the_next_answer(tmp_path, refresh):
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
def test_a_dsr_that_counts_not_may_change_a_title(tmp_path, refresh):
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


def test_of_several_dsps_each_is_described_by_the_catalogue_or_by_lines_as_it_is_registered(tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a", "Aurora", "Ana", "ESABC2000001", revenue="2"))
    catalogue_refresh()
    import_report(tmp_path, DEEZER_JANUARY, line("a", "Sea", revenue="1"))

    assert [(one.dsp, one.title, one.artists, one.isrc) for one in top_resources(percentile=100)] == [
        ("Spotify", "Aurora", "Ana", "ESABC2000001"),
        ("Deezer", "Sea", None, None),
    ]


def test_a_state_that_comes_back_finds_its_ranking(tmp_path, made):
    import_report(tmp_path, ES_JANUARY, line("a", revenue="1"))
    nok_rate("4")
    import_report(tmp_path, NO_JANUARY, line("b", revenue="8"))

    assert top() == ["b", "a"]
    nok_rate("10")
    assert top() == ["a", "b"]
    nok_rate("4")
    assert top() == ["b", "a"]
    assert made == [100, 100]


def test_what_comes_to_another_dsp_or_fails_leaves_a_ranking_as_it_is(tmp_path, made):
    import_report(tmp_path, ES_JANUARY, line("a", revenue="1"))
    assert top(territory="ES") == ["a"]

    import_report(tmp_path, "Deezer_Free_NO_NOK_20200101-20200131.tsv", line("a", revenue="1"))
    recipes.failed_dsr.make()
    assert top(territory="ES") == ["a"]
    assert made == [100]


# --- Ranks, shares and pages -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("_few_or_many")
def test_each_resource_has_its_rank_and_the_share_up_to_it(tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a", revenue="1"), line("b", revenue="2"), line("c", revenue="3"))

    with resource_ranking(percentile=100) as ranked:
        assert (ranked.count, ranked.total) == (3, 6)
        rows = ranked.rows(limit=10)
    assert [(row.rank, row.dsp_id, str(row.cumulative_share)) for row in rows] == [
        (1, "c", "50.0000000000"),
        (2, "b", "83.3333333333"),
        (3, "a", "100.0000000000"),
    ]


def test_the_total_is_told_to_twenty_digits_and_the_last_has_all_of_it(tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a", revenue="1" + "0" * 29), line("b", revenue="3e-40"))

    with resource_ranking(percentile=100) as ranked:
        assert ranked.total == Decimal("1" + "0" * 29)
        assert [str(row.cumulative_share) for row in ranked.rows(limit=2)] == ["100.0000000000"] * 2


def test_where_negative_revenue_nearly_cancels_the_rest_a_share_has_all_its_digits(tmp_path):
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
def test_pages_follow_each_other_by_rank_up_to_the_end_of_what_was_asked(tmp_path):
    import_report(tmp_path, ES_JANUARY, *(line(dsp_id, revenue="1") for dsp_id in "abcdefghij"))
    top(100)

    with resource_ranking(percentile=50) as ranked:
        pages = [ranked.rows(after_rank=after, limit=2) for after in (0, 2, 4, 5, 6)]
    assert ["".join(row.dsp_id for row in page) for page in pages] == ["ab", "cd", "e", "", ""]


def test_a_ranking_of_nothing_has_no_rows(tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a", revenue="5"), line("b", revenue="-6"))

    with resource_ranking(percentile=50) as ranked:
        assert (ranked.count, ranked.total, ranked.rows(limit=10)) == (0, -1, [])
    with resource_ranking(percentile=50, scope=Scope(territory="NO")) as ranked:
        assert (ranked.count, ranked.total, ranked.rows(limit=10)) == (0, 0, [])


# --- How few stay ----------------------------------------------------------------------------------------------


@pytest.fixture
def _three_territories(tmp_path):
    """In Spain, Norway and Chile a ranking has two rows, and counts as three."""
    for territory in ("ES", "NO", "CL"):
        name = f"{territory}Music_Free_{territory}_EUR_20200101-20200131.tsv"
        import_report(tmp_path, name, line("a", revenue="2"), line("b", revenue="1"))


@pytest.mark.usefixtures("_few_or_many", "_three_territories")
def test_those_used_last_stay_as_many_as_the_setting_allows(settings, made):
    settings.DSRHUB_KEPT_RANKING_ROWS = 6
    for territory in ("ES", "NO", "ES", "CL"):
        assert top(territory=territory) == ["a", "b"]
    assert sorted(rows_kept().values()) == [2, 2]
    assert KeptRanking.objects.count() == 2

    # Norway's went, as it was unused for the longest time.
    assert top(territory="ES") == top(territory="CL") == ["a", "b"]
    assert made == [100, 100, 100]
    assert top(territory="NO") == ["a", "b"]
    assert made == [100, 100, 100, 100]


@pytest.mark.usefixtures("_few_or_many", "_three_territories")
def test_one_that_is_larger_than_all_that_may_stay_takes_no_other_with_it(settings, made):
    settings.DSRHUB_KEPT_RANKING_ROWS = 5
    assert top(territory="ES") == ["a", "b"]
    # Of all: six rows.
    assert len(top()) == 6
    assert list(rows_kept().values()) == [2]
    assert top(territory="ES") == ["a", "b"]
    assert made == [100, 100]


@pytest.mark.usefixtures("_few_or_many", "_three_territories")
def test_none_stays_where_none_may(settings, made):
    settings.DSRHUB_KEPT_RANKING_ROWS = 0
    assert top(territory="ES") == top(territory="ES") == ["a", "b"]
    assert made == [100, 100]
    assert rows_kept() == {}
    assert not KeptRanking.objects.exists()


@pytest.mark.usefixtures("_few_or_many", "_three_territories")
def test_one_that_is_being_read_stays_until_it_is_read(settings):
    settings.DSRHUB_KEPT_RANKING_ROWS = 0
    with resource_ranking(percentile=100, scope=Scope(territory="ES")) as ranked:
        assert top(territory="NO") == ["a", "b"]
        assert [row.dsp_id for row in ranked.rows(limit=2)] == ["a", "b"]
    assert rows_kept() == {}


def test_one_that_nobody_used_for_a_week_goes(tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a", revenue="1"))
    top()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalogue_keptranking SET used_at = used_at - interval '7 days 1 second'")
    (old,) = KeptRanking.objects.values_list("pk", flat=True)

    top(territory="NO")
    assert old not in KeptRanking.objects.values_list("pk", flat=True)
    assert old not in rows_kept()


# --- Many DSRs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_threshold", [False, True])
def test_many_small_dsrs_lock_no_more_relations_than_one(monkeypatch, by_threshold):
    if by_threshold:
        monkeypatch.setattr(building, "FEW_LINES", 0)
        monkeypatch.setattr(threshold, "LARGEST_HEAD", Decimal(4))

    def locked():
        """The relations that the question's statements locked: all are held to the end of the test's transaction."""
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
