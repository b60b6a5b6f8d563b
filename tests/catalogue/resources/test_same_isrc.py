"""The recordings of all services that have one ISRC, with their sums by territory and by month."""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.lines.scope import ALL, Scope
from catalogue.models import Resource
from catalogue.resources import same_isrc as module
from catalogue.resources.same_isrc import same_isrc
from catalogue.resources.services import catalogue_refresh
from dsrhub.exceptions import AnswerTooLarge
from tests.catalogue import recipes
from tests.catalogue.helpers import add_lines, import_report, line
from tests.catalogue.ranking.test_top_percentile_property import in_eur

pytestmark = pytest.mark.django_db

FIRST, SECOND = "ESABC2000001", "ESABC2000002"


@pytest.fixture
def _reports(tmp_path):
    reports = {
        "Spotify_Duo_ES_EUR_20200101-20200131.tsv": [
            line("a", "Aurora", "Ana", FIRST, "5", "3"),
            line("b", isrc=SECOND, usages="1", revenue="1"),
        ],
        "Spotify_Duo_NO_EUR_20200201-20200229.tsv": [line("a", "Aurora", "Ana", FIRST, "", "0.50")],
        "Deezer_Free_ES_EUR_20200115-20200214.tsv": [line("x", "aurora", isrc=FIRST, usages="2", revenue="1")],
        "Tidal_HiFi_ES_EUR_20200101-20200131.tsv": [line("t", isrc="123", usages="2", revenue="1")],
    }
    for name, lines in reports.items():
        import_report(tmp_path, name, *lines)


def resources(same):
    return [(one.dsp, one.dsp_id, one.sums.usages, one.sums.revenue_eur) for one in same.resources]


def groups(sums, *names):
    return [(*(getattr(one, name) for name in names), one.usages, one.revenue_eur) for one in sums]


@pytest.mark.usefixtures("_reports")
def test_recordings_and_sums():
    found = same_isrc(isrcs=[FIRST, SECOND, FIRST], scope=ALL)
    assert list(found) == [FIRST, SECOND]
    first = found[FIRST]
    assert resources(first) == [("Deezer", "x", 2, 1), ("Spotify", "a", 5, Decimal("3.5"))]
    assert [(one.title, one.artists, one.isrc) for one in first.resources] == [
        ("aurora", None, FIRST),
        ("Aurora", "Ana", FIRST),
    ]
    assert groups(first.territories, "territory") == [("ES", 7, 4), ("NO", 0, Decimal("0.5"))]
    # The period of Deezer lies in no month.
    assert groups(first.months, "month", "period_start", "period_end") == [
        (None, date(2020, 1, 15), date(2020, 2, 14), 2, 1),
        ("2020-01", None, None, 5, 3),
        ("2020-02", None, None, 0, Decimal("0.5")),
    ]
    assert resources(found[SECOND]) == [("Spotify", "b", 1, 1)]
    assert not first.has_more


@pytest.mark.usefixtures("_reports")
def test_only_dsrs_in_scope_count():
    first = same_isrc(isrcs=[FIRST], scope=Scope(territory="NO"))[FIRST]
    assert resources(first) == [("Spotify", "a", None, Decimal("0.5"))]
    assert groups(first.territories, "territory") == [("NO", 0, Decimal("0.5"))]


@pytest.mark.usefixtures("_reports")
@pytest.mark.parametrize("isrc", ["123", "", "ESABC2000003", "esabc2000001"])
def test_a_text_that_is_no_isrc_identifies_nothing(isrc):
    same = same_isrc(isrcs=[isrc], scope=ALL)[isrc]
    assert (same.resources, same.territories, same.months, same.has_more) == ([], [], [], False)


@pytest.mark.usefixtures("_reports")
def test_only_the_first_recordings_are_listed_and_added_up(monkeypatch):
    monkeypatch.setattr(module, "MOST", 1)
    first = same_isrc(isrcs=[FIRST], scope=ALL)[FIRST]
    assert (resources(first), first.has_more) == ([("Deezer", "x", 2, 1)], True)
    assert groups(first.territories, "territory") == [("ES", 2, 1)]


@pytest.mark.on_one_server(reason="a cluster gathers the lines by more statements")
@pytest.mark.usefixtures("_reports")
def test_the_number_of_statements_does_not_grow(django_assert_num_queries):
    for isrcs in ([FIRST], [FIRST, SECOND, "123"]):
        with django_assert_num_queries(5):
            same_isrc(isrcs=isrcs, scope=ALL)


def test_texts_that_are_too_long_together_are_refused():
    recipes.resource.make(dsp_id=(f"r{number}" for number in range(50)), isrc=FIRST, title=100_000 * "a", _quantity=50)
    with pytest.raises(AnswerTooLarge):
        same_isrc(isrcs=[FIRST], scope=ALL)


# --- Any reports, compared with a slow and simple calculation ---------------------------------------------------

ANY_LINES = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.sampled_from([FIRST, FIRST, SECOND]),
        st.none() | st.integers(-2, 9),
        st.none() | st.sampled_from(["1", "-0.5", "2.5e-40", "7"]).map(Decimal),
    ),
    max_size=5,
)
PERIODS = [
    (date(2020, 1, 1), date(2020, 1, 31)),
    (date(2020, 2, 1), date(2020, 2, 9)),
    (date(2020, 1, 9), date(2020, 2, 9)),
]
DELIVERIES = st.lists(
    st.tuples(
        st.sampled_from(["Spotify", "Deezer"]),
        st.sampled_from(["ES", "NO"]),
        st.sampled_from(PERIODS),
        st.sampled_from(["1", "3"]).map(Decimal),
        ANY_LINES,
        st.booleans(),
    ),
    max_size=5,
)


@settings(max_examples=20)
@given(deliveries=DELIVERIES)
def test_any_reports(deliveries):
    with transaction.atomic():
        reported = []
        for number, (dsp, territory, (start, end), rate, lines, own_partition) in enumerate(deliveries):
            dsr = recipes.dsr.make(
                dsp=dsp,
                offer=f"Offer {number}",
                territory_id=territory,
                period_start=start,
                period_end=end,
                exchange_rate=rate,
            )
            cells = [["" if value is None else str(value) for value in one] for one in lines]
            add_lines(dsr, *(line(dsp_id, "", "", *rest) for dsp_id, *rest in cells), own_partition=own_partition)
            reported.append((dsr, lines))
        catalogue_refresh()

        known = {(one.dsp, one.dsp_id) for one in Resource.objects.filter(isrc=FIRST)}
        of_resource, of_territory, of_month = (defaultdict(lambda: [0, Fraction(0)]) for _ in range(3))
        for dsr, lines in reported:
            for dsp_id in {dsp_id for dsp_id, *_ in lines if (dsr.dsp, dsp_id) in known}:
                own = [(usages or 0, revenue or 0) for each, _, usages, revenue in lines if each == dsp_id]
                usages = sum(usages for usages, _ in own)
                revenue = in_eur(sum(Fraction(revenue) for _, revenue in own), dsr.exchange_rate)
                is_month = dsr.period_start.month == dsr.period_end.month
                month = (f"{dsr.period_start:%Y-%m}", None) if is_month else (None, dsr.period_start)
                sums = of_resource[dsr.dsp, dsp_id], of_territory[dsr.territory_id], of_month[month]
                for one in sums:
                    one[0] += usages
                    one[1] += revenue

        found = same_isrc(isrcs=[FIRST], scope=ALL)[FIRST]
        assert {
            (one.dsp, one.dsp_id): [one.sums.usages or 0, Fraction(one.sums.revenue_eur or 0)]
            for one in found.resources
        } == of_resource
        assert {one.territory: [one.usages, Fraction(one.revenue_eur)] for one in found.territories} == of_territory
        assert {
            (one.month, one.period_start): [one.usages, Fraction(one.revenue_eur)] for one in found.months
        } == of_month

        transaction.set_rollback(True)
