"""The comparison of the highest-earning recordings of two periods, with a slow and simple calculation in fractions."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.dsrs.selectors import DSRSearch
from catalogue.dsrs.statistics.comparison import Period
from catalogue.ranking.building import adding_up
from catalogue.ranking.selectors import resource_ranking
from catalogue.resources.comparison import ResourceComparison, Show, resource_comparison, resource_comparison_count
from dsrhub.exceptions import InvalidArgument
from tests.catalogue import recipes
from tests.catalogue.helpers import add_lines, import_report, line
from tests.catalogue.ranking.test_top_percentile_property import (
    AMOUNTS,
    RATES,
    delivered,
    is_in_scope,
    lines,
    sums,
    top_percentile,
)
from tests.catalogue.sample_message import import_message

pytestmark = pytest.mark.django_db

JANUARY, FEBRUARY = Period.parse("2020-01"), Period.parse("2020-02")


def compared(percentile=100, limit=100, **asked):
    """All pages of a comparison of February with January."""
    question = ResourceComparison(percentile, FEBRUARY, JANUARY, **asked)
    found, page = [], resource_comparison(asked=question, after=0, limit=limit)
    while page:
        assert len(page) <= limit
        found += page
        page = resource_comparison(asked=question, after=page[-1].place, limit=limit)
    assert resource_comparison_count(asked=question) == len(found)
    return found


# --- Any reports -----------------------------------------------------------------------------------------------

# Of January, of February, or of neither month.
PERIODS = [
    ("2020-01-01", "2020-01-31"),
    ("2020-01-06", "2020-01-12"),
    ("2020-02-01", "2020-02-29"),
    ("2020-02-29", "2020-02-29"),
    ("2020-01-20", "2020-02-19"),
]


@st.composite
def deliveries(draw):
    """Up to six DSRs: their fields, their lines, and whether they have their own partition."""
    amounts = draw(AMOUNTS)
    drawn = []
    for number in range(draw(st.integers(1, 6))):
        start, end = draw(st.sampled_from(PERIODS))
        fields = {
            "path": f"{number}.tsv",
            "offer": f"Offer{number}",
            "dsp": draw(st.sampled_from(["Spotify", "Spotify", "apple", "Élan"])),
            "territory_id": draw(st.sampled_from(["ES", "ES", "NO"])),
            "period_start": date.fromisoformat(start),
            "period_end": date.fromisoformat(end),
            "exchange_rate": Decimal(draw(RATES)),
        }
        drawn.append((fields, draw(lines(amounts)), draw(st.booleans())))
    return drawn


def expected_rows(reports, percentile, territory):
    """What each list of the comparison has: (DSP, dsp_id, title, rank, rank before, sums now, sums before)."""
    now, before = (
        {"territory": territory, "period_start": period.start, "period_end": period.end}
        for period in (FEBRUARY, JANUARY)
    )
    sums_now, sums_before = (
        {one: found[:2] for one, found in sums([each for each in reports if is_in_scope(each[0], **scope)]).items()}
        for scope in (now, before)
    )
    ranks = {row[1::-1]: rank for rank, row in enumerate(top_percentile(reports, 100, **before), start=1)}
    top, gone = [], []
    for rank, (dsp, dsp_id, title, *_, usages, revenue, _) in enumerate(top_percentile(reports, percentile, **now), 1):
        place = ranks.get((dsp_id, dsp)), (usages, revenue), sums_before.get((dsp_id, dsp))
        top.append((dsp, dsp_id, title, rank, *place))
    for rank, (dsp, dsp_id, title, *_) in enumerate(top_percentile(reports, percentile, **before), start=1):
        if (dsp_id, dsp) not in sums_now:
            gone.append((dsp, dsp_id, title, None, rank, None, sums_before[dsp_id, dsp]))
    return {Show.TOP: top, Show.GONE: gone}


def row_of(one):
    resource = one.resource
    both = (each and (each.usages, none_or_fraction(each.revenue_eur)) for each in (one.now, one.before))
    return (resource.dsp, resource.dsp_id, resource.title, one.rank, one.rank_before, *both)


def none_or_fraction(number):
    return None if number is None else Fraction(number)


def assert_changes(one):
    """That the changes of a row follow from its sums and ranks."""
    both_ranked = one.rank is not None and one.rank_before is not None
    assert one.rank_change == (one.rank_before - one.rank if both_ranked else None)
    assert one.is_new == (one.before is None)
    now, before = (
        [(each and getattr(each, name)) or 0 for name in ("usages", "revenue_eur")] for each in (one.now, one.before)
    )
    differences = [one.usages_difference, one.revenue_difference]
    for new, old, difference, percent in zip(
        now, before, differences, [one.usages_percent, one.revenue_percent], strict=True
    ):
        assert Fraction(difference) == Fraction(new) - Fraction(old)
        assert (percent is None) == (old == 0)
        if percent is not None:
            exact = 100 * Fraction(difference) / Fraction(old)
            assert abs(Fraction(percent) - exact) <= Fraction(1, 2 * 10**12)


@pytest.fixture(scope="module", params=["in the shared table", "in their own tables"])
def _tables(request):
    """Where rankings lie, which must not change the answer."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "in their own tables":
            patch.setattr(adding_up, "MANY_LINES", 0)
        yield


@pytest.mark.usefixtures("_tables")
@settings(max_examples=20)
@given(
    drawn=deliveries(),
    percentile=st.sampled_from([*range(10, 100, 10), 100, 100, 100]),
    territory=st.sampled_from([None, None, "ES", "NO"]),
    limit=st.sampled_from([1, 2, 100]),
)
def test_the_answer_equals_that_of_a_simple_calculation(drawn, percentile, territory, limit):
    with transaction.atomic():
        reports = []
        for fields, of_dsr, own_partition in drawn:
            dsr = recipes.dsr.make(**fields)
            add_lines(dsr, *(delivered(one) for one in of_dsr), own_partition=own_partition)
            reports.append((dsr, of_dsr))
        for show, expected in expected_rows(reports, percentile, territory).items():
            found = compared(percentile, limit, show=show, search=DSRSearch(territory=territory))
            assert [row_of(one) for one in found] == expected
            for one in found:
                assert_changes(one)
        transaction.set_rollback(True)


# --- Refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("show", Show)
@pytest.mark.parametrize("percentile", [0, 101])
def test_a_percentile_outside_1_to_100_is_refused(percentile, show):
    with pytest.raises(InvalidArgument, match=f"from 1 to 100: {percentile}") as refusal:
        compared(percentile, show=show)
    assert refusal.value.extra == {"argument": "percentile"}


def test_a_use_type_that_shares_a_dsr_with_others_is_refused(tmp_path):
    import_message(tmp_path, start="2020-02-01", end="2020-02-29")
    with pytest.raises(InvalidArgument, match="has lines of OnDemandStream and others") as refusal:
        compared(search=DSRSearch(use_type="OnDemandStream"))
    assert refusal.value.extra == {"argument": "use_type"}


@pytest.mark.usefixtures("_tables")
def test_every_resource_is_found_at_its_rank_among_others_with_the_same_revenue(tmp_path):
    for dsp in ("Deezer", "Spotify", "apple", "Élan"):
        revenues = {"a": "1", "B": "1", "b": "1", "é": "1", "😀": "1", "x": "0", "y": "0.0", "z": "2"}
        lines = [line(dsp_id, revenue=revenue) for dsp_id, revenue in revenues.items()]
        import_report(tmp_path, f"{dsp}_Duo_ES_EUR_20200101-20200131.tsv", *lines)
    with resource_ranking(percentile=100) as ranking:
        rows = ranking.rows(limit=ranking.count)
        assert len(rows) == 32
        ranks = ranking.ranks({(row.dsp, row.dsp_id): row.revenue for row in reversed(rows)})
    assert ranks == {(row.dsp, row.dsp_id): row.rank for row in rows}


def test_a_rank_of_other_sums_is_no_answer(tmp_path):
    import_report(tmp_path, "Spotify_Duo_ES_EUR_20200101-20200131.tsv", line("a", revenue="1"), line("b", revenue="2"))
    with resource_ranking(percentile=100) as ranking:
        assert ranking.ranks({("Spotify", "a"): Decimal("1.00"), ("Spotify", "b"): Decimal(2)}) == {
            ("Spotify", "a"): 2,
            ("Spotify", "b"): 1,
        }
        for dsp, dsp_id, revenue in [("Spotify", "a", 2), ("Spotify", "c", 1), ("Deezer", "a", 1), ("Spotify", "a", 0)]:
            with pytest.raises(LookupError):
                ranking.ranks({(dsp, dsp_id): Decimal(revenue)})
