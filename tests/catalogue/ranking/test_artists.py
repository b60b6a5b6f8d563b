"""The ranking of artists: what is credited to each, how much the first ones have, and how it is cached."""

import io
from collections import defaultdict
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.dsrs.selectors import DSRSearch
from catalogue.dsrs.statistics.groups import Grouping, dsr_statistics
from catalogue.exceptions import RankingNotReady
from catalogue.lines.scope import ALL, Scope
from catalogue.models import KeptArtists, WantedArtists
from catalogue.ranking.artists import selectors as artists
from catalogue.ranking.artists.selectors import artist_ranking
from catalogue.ranking.artists.sums import Credit
from catalogue.ranking.building import adding_up
from catalogue.ranking.cached.cache import drop_surplus
from catalogue.ranking.services import wanted_rankings_build
from catalogue.rates.services import operator_rate_set
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, add_lines, import_report, line
from tests.catalogue.sample_message import import_message

pytestmark = pytest.mark.django_db

DEEZER_JANUARY = "Deezer_Free_ES_EUR_20200101-20200131.tsv"


def asked(credit=Credit.FULL, scope=ALL):
    """The totals and all artists."""
    with artist_ranking(credit=credit, scope=scope) as ranking:
        return ranking, ranking.rows(limit=1000)


def credited(credit=Credit.FULL, scope=ALL):
    _, rows = asked(credit, scope)
    return [(row.artist, row.recording_count, f"{row.usages:f}", f"{row.revenue_eur:f}") for row in rows]


@pytest.fixture
def _reports(tmp_path):
    import_report(
        tmp_path,
        ES_JANUARY,
        line("a", artists="Ana|Ben", usages="9", revenue="6"),
        line("b", artists="Ben | Ana||Ben|", usages="1", revenue="1"),
        line("c", artists="Cleo", usages="3", revenue="-2"),
        line("d", usages="4", revenue="5"),
        line("e", artists=" | ", usages="2", revenue=""),
    )
    import_report(
        tmp_path, DEEZER_JANUARY, line("a", artists="Ana|Ben|Dana", usages="1", revenue="1"), line("f", artists="Cleo")
    )


@pytest.mark.usefixtures("_reports")
def test_full_credit_gives_each_artist_the_whole_of_its_lines():
    ranking, rows = asked()
    assert credited() == [("Ana", 3, "11", "8"), ("Ben", 3, "11", "8"), ("Dana", 1, "1", "1"), ("Cleo", 2, "3", "-2")]
    assert [row.rank for row in rows] == [1, 2, 3, 4]
    # Of 15: 8, 8, 1 and -2.
    assert [f"{row.revenue_percent:f}" for row in rows] == [
        *("53.333333333333", "53.333333333333", "6.666666666667", "-13.333333333333")
    ]
    assert [f"{row.cumulative_percent:f}" for row in rows] == [
        *("53.333333333333", "106.666666666667", "113.333333333333", "100")
    ]
    assert ranking.totals[:2] == (4, 15)
    assert (ranking.totals.without_lines, ranking.totals.without_usages, ranking.totals.without_revenue) == (2, 6, 5)
    # 10,000 * (64 + 64 + 1 + 4) / 225.
    assert (ranking.top_percent, ranking.hhi) == (100, Decimal("5911.111111111111"))


@pytest.mark.usefixtures("_reports")
def test_split_credit_divides_each_line_and_adds_up_to_the_whole():
    third = 39 * "3"
    # Two thirds of 1, rounded to 40 decimals, end with 7. Ben has the difference to one third.
    assert credited(Credit.SPLIT) == [
        ("Ben", 3, f"5.{third}4", f"3.8{third[1:]}4"),
        ("Ana", 3, f"5.{third}3", f"3.8{third[1:]}3"),
        ("Dana", 1, f"0.{third}3", f"0.{third}3"),
        ("Cleo", 2, "3", "-2"),
    ]
    ranking, rows = asked(Credit.SPLIT)
    assert sum(Fraction(row.revenue_eur) for row in rows) + Fraction(ranking.totals.without_revenue) == 11


def test_the_top_ten_and_the_index(tmp_path):
    lines = [line(f"r{number}", artists=f"Artist {number:02}", revenue="1") for number in range(16)]
    import_report(tmp_path, ES_JANUARY, *lines)
    ranking, rows = asked()
    # 16 shares of 6.25 %.
    assert (ranking.top_percent, ranking.hhi) == (Decimal("62.5"), 625)
    assert [row.artist for row in rows][:2] == ["Artist 00", "Artist 01"]


@pytest.mark.parametrize("revenue", ["0", "-1", ""])
def test_shares_of_nothing_are_none(tmp_path, revenue):
    import_report(tmp_path, ES_JANUARY, line("a", artists="Ana", revenue=revenue, usages="1"))
    ranking, (ana,) = asked()
    assert (ranking.top_percent, ranking.hhi, ana.revenue_percent, ana.cumulative_percent) == (None, None, None, None)
    assert ana.revenue_eur == Decimal(revenue or 0)


def test_without_dsrs_there_are_no_artists():
    ranking, rows = asked(Credit.SPLIT)
    assert (ranking.totals, rows) == ((0, 0, 0, 0, 0, 0, 0), [])


def test_artists_of_a_message(tmp_path):
    message = import_message(tmp_path)
    numbers = tuple(message.dsrs.values_list("pk", flat=True))
    ranking, rows = asked(Credit.SPLIT, Scope(dsrs=numbers))
    (message_sums,) = dsr_statistics(group_by=[Grouping.DSP], search=DSRSearch(message=message.pk))
    credited_sum = sum(Fraction(row.revenue_eur) for row in rows)
    assert credited_sum + Fraction(ranking.totals.without_revenue) == Fraction(message_sums.revenue_eur)
    assert len(rows) == 3


def test_spaces_that_look_like_a_space_are_trimmed(tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a", artists="\u00a0Ana\u3000|Ana\u2003 |\u202f", revenue="1"))
    assert credited() == [("Ana", 1, "0", "1")]


def test_a_recording_with_several_texts_counts_once(tmp_path):
    import_report(
        tmp_path, ES_JANUARY, line("a", artists="Ana"), line("a", artists="Ana|Ben"), line("b", artists="Ana")
    )
    import_report(tmp_path, NO_JANUARY, line("a", artists="Ben|Ana"))
    # The same id at another service is another recording.
    import_report(tmp_path, DEEZER_JANUARY, line("a", artists="Ana"))
    assert [row[:2] for row in credited()] == [("Ana", 3), ("Ben", 1)]


# --- The cache -------------------------------------------------------------------------------------------------


@pytest.fixture
def built(monkeypatch):
    """The credits of the rankings that were built, in order."""
    credits_built = []
    rank = artists.artists_rank

    def rank_and_note(number, dsrs, credit):
        credits_built.append(str(credit))
        return rank(number, dsrs, credit)

    monkeypatch.setattr(artists, "artists_rank", rank_and_note)
    return credits_built


@pytest.mark.usefixtures("_reports")
def test_a_ranking_is_built_once_for_each_credit_and_state(built):
    for _ in range(2):
        credited(), credited(Credit.SPLIT), credited(scope=DSRSearch().scope())
    assert built == ["full", "split"]
    assert credited(scope=DSRSearch(dsp="Deezer").scope())[0] == ("Ana", 1, "1", "1")
    assert built == ["full", "split", "full"]


def test_a_change_of_rates_is_in_the_next_answer(tmp_path, built):
    import_report(tmp_path, NO_JANUARY, line("a", artists="Ana", revenue="8"))
    for rate in ("4", "2", "4"):
        operator_rate_set(
            currency="NOK", period_start=date(2020, 1, 1), period_end=date(2020, 1, 31), rate=Decimal(rate)
        )
        assert credited() == [("Ana", 1, "0", f"{8 // int(rate)}")]
    assert built == ["full", "full"]


@pytest.mark.usefixtures("_reports")
def test_a_cached_page_takes_three_statements(django_assert_num_queries):
    credited()
    for limit in (1, 1000):
        with django_assert_num_queries(3), artist_ranking(credit=Credit.FULL) as ranking:
            ranking.rows(limit=limit)


@pytest.mark.usefixtures("_reports")
def test_pages_continue_by_rank():
    with artist_ranking(credit=Credit.FULL) as ranking:
        pages = [[row.artist for row in ranking.rows(after_rank=rank, limit=3)] for rank in (0, 3, 4)]
    assert pages == [["Ana", "Ben", "Dana"], ["Cleo"], []]


@pytest.mark.usefixtures("_reports")
def test_surplus_rankings_are_dropped_but_not_while_they_are_read(settings):
    settings.DSRHUB_KEPT_RANKING_ROWS = 7
    with artist_ranking(credit=Credit.FULL) as ranking:
        credited(Credit.SPLIT)
        assert len(ranking.rows(limit=10)) == 4
    drop_surplus(artists.ArtistQuestion)
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT ranking FROM catalogue_rankedartist")
        rankings = [number for (number,) in cursor.fetchall()]
    assert rankings == list(KeptArtists.objects.values_list("pk", flat=True))
    assert len(rankings) == 1

    KeptArtists.objects.update(used_at="2000-01-01T00:00:00Z")
    drop_surplus(artists.ArtistQuestion)
    assert not KeptArtists.objects.exists()


def test_the_tables_are_unlogged():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relpersistence FROM pg_class WHERE relname IN ('catalogue_keptartists', 'catalogue_rankedartist')"
        )
        assert cursor.fetchall() == [("u",), ("u",)]


@pytest.mark.usefixtures("_reports")
def test_no_table_of_a_step_is_left():
    credited()
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relname ~ '^catalogue_artists_'")
        assert cursor.fetchall() == []


@pytest.mark.django_db(transaction=True)
def test_a_ranking_that_takes_too_long_is_built_by_a_worker(tmp_path, monkeypatch):
    spain = import_report(tmp_path, ES_JANUARY, line("a", artists="Ana|Ben", revenue="2"))
    import_report(tmp_path, NO_JANUARY, line("a", artists="Cleo", revenue="2"))
    build, scope = artists.artists_cache, DSRSearch(territory="ES").scope()

    def build_too_slowly(*args):
        build(*args)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 1")
            cursor.execute("SELECT pg_sleep(60)")

    with monkeypatch.context() as patch:
        patch.setattr(artists, "artists_cache", build_too_slowly)
        for credit in (*Credit, *Credit):
            with pytest.raises(RankingNotReady):
                credited(credit, scope)
    assert not KeptArtists.objects.exists()
    wanted = sorted(WantedArtists.objects.values_list("credit", "dsr_numbers"))
    assert wanted == [("full", [spain.pk]), ("split", [spain.pk])]

    call_command("worker", once=True, stdout=io.StringIO())

    assert not WantedArtists.objects.exists()
    assert KeptArtists.objects.count() == 2
    assert credited(Credit.SPLIT, scope) == [("Ana", 1, "0", "1"), ("Ben", 1, "0", "1")]
    assert wanted_rankings_build() == 0


# --- Any reports, compared with a slow and simple calculation in fractions --------------------------------------

TEXTS = st.lists(st.sampled_from(["Ana", "ana", " Ana", "Ben", "Ben ", "", "Ø", "😀", "ﬀ", "Cleo"]), max_size=5)
AMOUNTS = st.sampled_from(
    ["0", "1", "2", "-1", "7", "0.5", "-3.25", "5e-41", "1.5e-40", "1e-60", "123456789.987654321"]
)
ANY_LINES = st.lists(
    st.fixed_dictionaries(
        {
            "dsp_id": st.sampled_from(["a", "b", "c"]),
            "artists": TEXTS.map("|".join),
            "usages": st.none() | st.integers(-3, 9) | st.integers(-(2**63), 2**63 - 1),
            "revenue": st.none() | AMOUNTS.map(Decimal),
        }
    ),
    max_size=7,
)
RATES = st.sampled_from(["1", "3", "0.5", "9.9384227272727272727272727272727272727273"])
DELIVERIES = st.lists(
    st.tuples(st.sampled_from(["Spotify", "Deezer"]), RATES.map(Decimal), ANY_LINES, st.booleans()), max_size=4
)
STEP = Fraction(1, 10**40)


def names_in(text):
    return {name.strip() for name in text.split("|") if name.strip()}


def rounded(amount):
    """Python rounds a fraction to a whole number half-even."""
    return round(Fraction(amount) / STEP) * STEP


def parts_of(lines, column, credit):
    """The exact parts of a column of a DSR, by artist; None is what has no artist."""
    parts = defaultdict(Fraction)
    for cells in lines:
        names = names_in(cells["artists"])
        for name in names or {None}:
            parts[name] += Fraction(cells[column] or 0) / (len(names) if names and credit == Credit.SPLIT else 1)
    return parts


def simply(deliveries, credit):
    """The usages and the revenue in EUR of each artist, by name; of None, what has no artist."""
    sums = defaultdict(lambda: [Fraction(0), Fraction(0)])
    for _, rate, lines, _ in deliveries:
        for place, (column, divisor) in enumerate((("usages", Fraction(1)), ("revenue", Fraction(rate)))):
            parts = parts_of(lines, column, credit)
            running = before = Fraction(0)
            for name in sorted(parts, key=lambda name: (name or "").encode()):
                running += parts[name] / divisor
                whole = rounded(parts[name] / divisor)
                sums[name][place] += whole if credit == Credit.FULL else rounded(running) - before
                before = rounded(running)
    return sums


def recordings_of(deliveries, name):
    return {
        (dsp, cells["dsp_id"])
        for dsp, _, lines, _ in deliveries
        for cells in lines
        if name in names_in(cells["artists"])
    }


def percent(part, whole):
    units = round(100 * Fraction(part) / whole * 10**12)
    return Fraction(units, 10**12)


@pytest.mark.parametrize("has_many_lines", [False, True])
@settings(max_examples=20)
@given(deliveries=DELIVERIES, credit=st.sampled_from(Credit))
def test_any_reports(deliveries, credit, has_many_lines):
    with transaction.atomic(), pytest.MonkeyPatch.context() as patch:
        if has_many_lines:
            patch.setattr(adding_up, "MANY_LINES", 0)
        for number, (dsp, rate, lines, own_partition) in enumerate(deliveries):
            dsr = recipes.dsr.make(dsp=dsp, offer=f"Offer {number}", exchange_rate=rate)
            cells = [{name: "" if value is None else str(value) for name, value in one.items()} for one in lines]
            add_lines(dsr, *(line(**one) for one in cells), own_partition=own_partition)

        ranking, rows = asked(credit)
        sums = simply(deliveries, credit)
        without = sums.pop(None, [0, 0])
        order = sorted(sums, key=lambda name: (-sums[name][1], name.encode()))
        total, running = sum(revenue for _, revenue in sums.values()), Fraction(0)
        expected = []
        for rank, name in enumerate(order, 1):
            usages, revenue = sums[name]
            running += revenue
            shares = [percent(part, total) for part in (revenue, running)] if total > 0 else [None, None]
            expected.append((rank, name, len(recordings_of(deliveries, name)), usages, revenue, *shares))
        assert rows == expected

        assert ranking.totals.revenue == total
        assert ranking.totals.without_usages == without[0]
        assert ranking.totals.without_revenue == without[1]
        blank = [cells for *_, lines, _ in deliveries for cells in lines if not names_in(cells["artists"])]
        assert ranking.totals.without_lines == len(blank)
        top = sum(sums[name][1] for name in order[:10])
        squares = sum(Fraction(100 * revenue, total) ** 2 for _, revenue in sums.values()) if total > 0 else None
        assert ranking.top_percent == (percent(top, total) if total > 0 else None)
        assert ranking.hhi == (None if squares is None else Fraction(round(squares * 10**12), 10**12))
        if credit == Credit.SPLIT:
            statistics = dsr_statistics(group_by=[Grouping.DSP])
            assert total + without[1] == sum(Fraction(one.revenue_eur) for one in statistics)
            assert sum(usages for usages, _ in sums.values()) + without[0] == sum(int(one.usages) for one in statistics)

        transaction.set_rollback(True)
