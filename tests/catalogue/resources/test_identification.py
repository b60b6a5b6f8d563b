"""Recordings without an ISRC, with a malformed one, or with several, in the order of their revenue."""

import re
from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.exceptions import SearchTooWide
from catalogue.lines.scope import ALL, Scope
from catalogue.models import UsageLine
from catalogue.resources import identification as module
from catalogue.resources.identification import IsrcProblem, identification, identification_count
from catalogue.resources.services import catalogue_refresh
from dsrhub.database.pages import CutAt, next_place
from dsrhub.exceptions import InvalidArgument
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, add_lines, import_report, line
from tests.catalogue.ranking.test_top_percentile_property import delivered, top_percentile

pytestmark = pytest.mark.django_db

NO_ISRC, MALFORMED, SEVERAL = IsrcProblem
DEEZER_JANUARY = "Deezer_Free_FR_EUR_20200101-20200131.tsv"
FIRST, SECOND = "ESABC2000001", "ESABC2000002"


@pytest.fixture
def _reports(tmp_path):
    import_report(
        tmp_path,
        ES_JANUARY,
        line("a", "Aurora", "Ana", isrc=FIRST, usages="1", revenue="9"),
        line("b", "Borealis", usages="3", revenue="8"),
        line("c", isrc="123", usages="4", revenue="7"),
        line("d", revenue="6"),
        line("e", isrc=FIRST, revenue="5"),
        line("e", isrc=SECOND, revenue="0.5"),
    )
    # Out of the scope of Spain, but of the same service: it describes the same recordings.
    import_report(tmp_path, NO_JANUARY, line("a", isrc=SECOND, revenue="1"), line("d", isrc=FIRST, revenue="1"))
    import_report(tmp_path, DEEZER_JANUARY, line("c", isrc=SECOND, revenue="1"))


def found(problem, scope=ALL, percentile=100, after=0, limit=100):
    rows = identification(problem=problem, percentile=percentile, scope=scope, after=after, limit=limit)
    return [(one.rank, one.resource.dsp_id, one.resource.isrc, one.isrcs) for one in rows]


@pytest.mark.usefixtures("_reports")
def test_each_problem():
    spain = Scope(territory="ES")
    assert found(NO_ISRC, spain) == [(2, "b", None, None)]
    assert found(MALFORMED, spain) == [(3, "c", "123", None)]
    assert found(SEVERAL, spain) == [(1, "a", FIRST, f"{FIRST}|{SECOND}"), (5, "e", SECOND, f"{FIRST}|{SECOND}")]


@pytest.mark.usefixtures("_reports")
def test_a_recording_has_its_sums_in_scope():
    (borealis,) = identification(problem=NO_ISRC, percentile=100, scope=Scope(territory="ES"), limit=9)
    assert (borealis.problem, borealis.resource.title, borealis.resource.artists) == ("no_isrc", "Borealis", None)
    assert borealis.resource.sums is not None
    assert (borealis.resource.sums.usages, borealis.resource.sums.revenue_eur) == (3, 8)


@pytest.mark.usefixtures("_reports")
def test_only_the_top_is_searched():
    # a has 9 of 35.5, b 8.
    assert found(MALFORMED, Scope(territory="ES"), percentile=40) == []
    assert len(found(MALFORMED, Scope(territory="ES"), percentile=50)) == 1
    with pytest.raises(InvalidArgument):
        found(NO_ISRC, percentile=101)


def test_several_isrcs_in_one_cell(tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a", isrc=f"{SECOND} | x", revenue="2"), line("b", isrc="x", revenue="1"))
    assert found(SEVERAL) == [(1, "a", f"{SECOND} | x", f"{SECOND}|x")]
    UsageLine.objects.filter(dsp_id="b").update(isrcs=f"x|{FIRST}")
    assert found(SEVERAL)[1:] == [(2, "b", "x", f"{FIRST}|x")]


@pytest.mark.parametrize("problem", IsrcProblem)
def test_a_page_searches_a_bounded_number_of_ranks(tmp_path, monkeypatch, problem):
    monkeypatch.setitem(module.SEARCHED, problem, 2)
    isrcs = {NO_ISRC: [""], MALFORMED: ["123"], SEVERAL: [FIRST, SECOND]}[problem]
    lines = [line(f"r{number}", isrc=FIRST, revenue=str(10 - number)) for number in range(1, 6)]
    import_report(tmp_path, ES_JANUARY, *lines, *[line("r6", isrc=isrc, revenue="1") for isrc in isrcs])

    pages, after = [], 0
    while after is not None:
        page = identification(problem=problem, percentile=100, scope=ALL, after=after, limit=3)
        pages.append([one.rank for one in page])
        assert isinstance(page, CutAt) == (after < 4)
        after = next_place(page, 2, lambda one: one.rank)
    assert pages == [[], [], [6]]
    assert identification_count(problem=problem, percentile=100, scope=ALL) == 1


@pytest.mark.on_one_server(reason="a cluster gathers the lines by more statements")
@pytest.mark.usefixtures("_reports")
@pytest.mark.parametrize("problem", IsrcProblem)
def test_the_number_of_statements_does_not_grow(tmp_path, problem):
    found(problem)
    counts = []
    for limit in (1, 100):
        with CaptureQueriesContext(connection) as captured:
            found(problem, limit=limit)
        counts.append(len(captured))
    assert counts[0] == counts[1] == 5


def test_several_are_counted_only_in_a_bounded_top(tmp_path, monkeypatch):
    import_report(tmp_path, ES_JANUARY, *[line(dsp_id, revenue="1") for dsp_id in "abc"])
    monkeypatch.setattr(module, "MOST_COUNTED", 2)
    with pytest.raises(SearchTooWide):
        identification_count(problem=SEVERAL, percentile=100, scope=ALL)
    assert identification_count(problem=SEVERAL, percentile=50, scope=ALL) == 0
    assert identification_count(problem=NO_ISRC, percentile=100, scope=ALL) == 3


@pytest.mark.usefixtures("_reports")
def test_a_change_meanwhile_is_in_the_answer_completely(tmp_path, monkeypatch):
    """A report that comes while the page is read has another ISRC for b, so b is no recording without one."""
    page_rows, changes = module.page_rows, [(NO_JANUARY.replace("Duo", "Solo"), line("b", isrc=FIRST, revenue="1"))]

    def change_and_read(*args, **parameters):
        while changes:
            import_report(tmp_path, *changes.pop())
        return page_rows(*args, **parameters)

    monkeypatch.setattr(module, "page_rows", change_and_read)
    assert found(NO_ISRC, Scope(territory="ES")) == []


# --- Any reports, compared with a slow and simple calculation ---------------------------------------------------

ISRCS = st.none() | st.sampled_from([FIRST, FIRST, SECOND, "esabc2000001", "ÉSABC2000001", "1", f"{FIRST}|1", "|"])
ANY_LINES = st.lists(
    st.fixed_dictionaries(
        {
            "dsp_id": st.sampled_from(["a", "B", "b", "é"]),
            "title": st.none() | st.sampled_from(["Aurora", "Sea"]),
            "artists": st.none(),
            "isrc": ISRCS,
            "usages": st.none() | st.integers(0, 3),
            "revenue": st.none() | st.sampled_from(["0", "1", "2.5", "7e-40"]).map(Decimal),
        }
    ),
    max_size=6,
)
DELIVERIES = st.lists(
    st.tuples(
        st.sampled_from(["Spotify", "Spotify", "Deezer"]),
        st.sampled_from(["ES", "ES", "NO"]),
        st.sampled_from(["1", "3"]).map(Decimal),
        ANY_LINES,
        st.booleans(),
    ),
    max_size=4,
)


def isrcs_of(reports, dsp, dsp_id):
    texts = [
        cells["isrc"] or "" for dsr, lines in reports if dsr.dsp == dsp for cells in lines if cells["dsp_id"] == dsp_id
    ]
    return {part.strip(" ") for text in texts for part in text.split("|")} - {""}


def has(problem, isrc, isrcs):
    is_well_formed = isrc is not None and re.fullmatch("[A-Z]{2}[A-Z0-9]{3}[0-9]{7}", isrc, re.ASCII) is not None
    return {NO_ISRC: isrc is None, MALFORMED: isrc is not None and not is_well_formed, SEVERAL: len(isrcs) > 1}[problem]


@settings(max_examples=25)
@given(
    deliveries=DELIVERIES,
    problem=st.sampled_from(IsrcProblem),
    percentile=st.sampled_from([40, 90, 100]),
    territory=st.sampled_from([None, "ES"]),
    is_catalogued=st.booleans(),
)
def test_any_reports(deliveries, problem, percentile, territory, is_catalogued):
    with transaction.atomic(), pytest.MonkeyPatch.context() as patch:
        patch.setitem(module.SEARCHED, problem, 2)
        reports = []
        for number, (dsp, code, rate, lines, own_partition) in enumerate(deliveries):
            dsr = recipes.dsr.make(dsp=dsp, offer=f"Offer {number}", territory_id=code, exchange_rate=rate)
            add_lines(dsr, *map(delivered, lines), own_partition=own_partition)
            reports.append((dsr, lines))
        if is_catalogued:
            catalogue_refresh()

        scope, answer, after = Scope(territory=territory), [], 0
        while after is not None:
            page = identification(problem=problem, percentile=percentile, scope=scope, after=after, limit=2)
            answer += page[:1]
            after = next_place(page, 1, lambda one: one.rank)

        ranked = top_percentile(reports, percentile, territory=territory, period_start=None, period_end=None)
        expected = []
        for rank, (dsp, dsp_id, title, artists, isrc, usages, revenue, _) in enumerate(ranked, 1):
            isrcs = isrcs_of(reports, dsp, dsp_id)
            if has(problem, isrc, isrcs):
                joined = "|".join(sorted(isrcs, key=str.encode)) if problem == SEVERAL else None
                expected.append((rank, dsp, dsp_id, title, artists, isrc, joined, usages, revenue))
        assert [
            (
                *(one.rank, one.resource.dsp, one.resource.dsp_id, one.resource.title, one.resource.artists),
                *(one.resource.isrc, one.isrcs, one.resource.sums.usages, Fraction(one.resource.sums.revenue_eur)),
            )
            for one in answer
        ] == expected
        assert identification_count(problem=problem, percentile=percentile, scope=scope) == len(expected)

        transaction.set_rollback(True)
