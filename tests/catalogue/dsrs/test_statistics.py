"""Statistics by commercial model and by use type: their groups add up to the totals of the DSRs."""

from collections import Counter
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.dsrs.selectors import DSRSearch
from catalogue.dsrs.statistics.groups import Grouping, dsr_statistics
from catalogue.models import DSR, ReportMessage
from tests.catalogue import recipes
from tests.catalogue.helpers import NO_JANUARY, import_report, line
from tests.catalogue.sample_message import dsr_of, import_message

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _wide_numbers():
    """Sums of more than the usual 28 digits."""
    with localcontext(prec=400, rounding=ROUND_HALF_EVEN):
        yield


def in_eur(amount, rate):
    """The definition: the quotient, rounded half-even to 40 decimals."""
    return (amount / rate).quantize(Decimal("1e-40"))


def sums(group):
    return group.line_count, group.blank_isrc_count, group.usages, group.revenue_eur, group.unallocated_revenue_eur


def by(grouping, **search):
    return {
        getattr(group, grouping): group for group in dsr_statistics(group_by=[grouping], search=DSRSearch(**search))
    }


# --- An imported message ---------------------------------------------------------------------------------------


@pytest.fixture
def message(tmp_path):
    """The message of the tests, and a report without use types: two lines, one without ISRC."""
    import_report(tmp_path, NO_JANUARY, line("a", isrc="NOABC2000001", usages="3", revenue="10"), line("b", usages="4"))
    return import_message(tmp_path)


def test_by_use_type_lines_have_their_own_or_that_of_their_dsr(message):
    groups = by(Grouping.USE_TYPE)
    assert {
        name: (one.dsr_count, one.line_count, one.blank_isrc_count, one.usages) for name, one in groups.items()
    } == {
        # The report, and the first context, of whose unallocated revenue no use type is known.
        None: (2, 2, 1, 7),
        "ContentInfluencedStream": (1, 1, 0, 50),
        # In the first and second context: 600 + 250 - 7 and 500. The last context has no lines.
        "OnDemandStream": (3, 4, 0, 1343),
        "NonInteractiveStream": (1, 3, 2, 200),
        "PermanentDownload": (1, 2, 1, 7),
    }
    pounds = dsr_of(message, "1").exchange_rate
    # 74.90 of 700 GBP, and 10 GBP without 20/3, which is rounded down at the 12th decimal.
    assert groups[None].unallocated_revenue_eur == in_eur(Decimal("74.9"), pounds)
    assert groups["NonInteractiveStream"].unallocated_revenue_eur == in_eur(Decimal("3.333333333334"), pounds)
    assert groups["PermanentDownload"].revenue_eur == Decimal("6.93")
    assert groups["PermanentDownload"].without_isrc_share == 50


def test_by_commercial_model(message):
    groups = by(Grouping.COMMERCIAL_MODEL)
    assert {name: (one.dsr_count, one.line_count, one.usages) for name, one in groups.items()} == {
        None: (1, 2, 7),
        "SubscriptionModel": (3, 5, 1393),
        "AdvertisementSupportedModel": (1, 3, 200),
        "PayAsYouGoModel": (1, 2, 7),
    }
    assert groups[None].unallocated_revenue_eur == 0


def test_every_grouping_adds_up_to_the_same_totals(message):
    totals = {
        grouping: tuple(map(sum, zip(*map(sums, dsr_statistics(group_by=[grouping])), strict=True)))
        for grouping in Grouping
    }
    assert set(totals.values()) == {totals[Grouping.TERRITORY]}
    assert totals[Grouping.USE_TYPE][:3] == (12, 4, 1607)


def test_only_the_selected_dsrs_are_added_up_by_use_type(message):
    assert by(Grouping.USE_TYPE, territory="SE").keys() == {"OnDemandStream"}
    assert by(Grouping.USE_TYPE, territory="FR") == {}
    recipes.failed_dsr.make(territory_id="FR", use_type="OnDemandStream")
    assert by(Grouping.USE_TYPE, territory="FR") == {}


def test_statistics_are_two_statements(message, django_assert_num_queries):
    with django_assert_num_queries(2):
        dsr_statistics(group_by=[Grouping.COMMERCIAL_MODEL])
    with django_assert_num_queries(2):
        dsr_statistics(group_by=[Grouping.USE_TYPE, Grouping.MONTH])


# --- Any DSRs --------------------------------------------------------------------------------------------------

NAMES = st.sampled_from([None, "A", "B", "C"])
AMOUNTS = st.integers(-(10**15), 10**15).map(lambda units: Decimal(units).scaleb(-12))
TOTALS = st.dictionaries(NAMES, st.tuples(st.integers(1, 9), st.integers(-99, 99), AMOUNTS), max_size=4)
DSRS = st.lists(
    st.tuples(NAMES, TOTALS, st.none() | AMOUNTS, st.sampled_from(["1", "3", "7", "0.7", "0.8492727"])), max_size=4
)


@settings(max_examples=25)
@given(dsrs=DSRS)
def test_use_types_of_any_dsrs_add_up_to_the_totals_of_the_dsrs(dsrs):
    DSR.objects.all().delete()
    ReportMessage.objects.all().delete()
    lines, revenue, unallocated, total = Counter(), Counter(), Counter(), Decimal(0)
    for number, (use_type, totals, rest, rate) in enumerate(dsrs):
        whole = sum((amount for _, _, amount in totals.values()), Decimal(0))
        dsr = recipes.dsr.make(
            offer=f"Offer {number}",
            message=recipes.message.make(message_id=number),
            use_type=use_type,
            exchange_rate=Decimal(rate),
            unallocated_revenue=rest,
            line_count=sum(count for count, _, _ in totals.values()),
            total_usages=sum(usages for _, usages, _ in totals.values()),
            total_revenue=whole,
        )
        total += in_eur(whole, Decimal(rate))
        unallocated[use_type] += in_eur(rest or Decimal(0), Decimal(rate))
        for name, (count, usages, amount) in totals.items():
            lines[name] += count
            revenue[name] += amount / Decimal(rate)
            recipes.use_type_total.make(
                dsr=dsr, use_type=name, line_count=count, total_usages=usages, total_revenue=amount
            )

    groups = by(Grouping.USE_TYPE)

    assert sum(group.revenue_eur for group in groups.values()) == total
    for name, group in groups.items():
        assert group.line_count == lines[name]
        assert group.unallocated_revenue_eur == unallocated[name]
        assert abs(group.revenue_eur - revenue[name]) <= len(dsrs) * Decimal("1e-40")
    assert +lines == Counter({name: group.line_count for name, group in groups.items() if group.line_count})
