"""Questions as a cluster answers them, from gathered lines, compared with the answers where lines lie."""

import re
from contextlib import nullcontext
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.dsrs.selectors import lines_by_dsr, own_resource_count
from catalogue.dsrs.services import dsr_delete
from catalogue.dsrs.statistics.comparison import Period
from catalogue.dsrs.statistics.totals import totals_complete
from catalogue.dsrs.versions import differences
from catalogue.exceptions import DSRNotFound
from catalogue.lines import gathering
from catalogue.lines.gathering import lines_gathered, places_of
from catalogue.lines.lookups import LineSearch, lines_after, lines_found
from catalogue.lines.scope import ALL, Scope
from catalogue.models import DSR, KeptRanking, Resource
from catalogue.ranking.artists.selectors import artist_ranking
from catalogue.ranking.artists.sums import Credit
from catalogue.resources import browsing
from catalogue.resources import services as catalogue
from catalogue.resources.comparison import ResourceComparison, Show, resource_comparison, resource_comparison_count
from catalogue.resources.found import ResourceKey, ResourceOrder, ResourceSearch
from catalogue.resources.identification import IsrcProblem, identification
from catalogue.resources.reported import (
    reports_by_resource,
    resource_descriptions,
    resource_facts,
    resource_sums,
    resource_territories,
)
from catalogue.resources.same_isrc import same_isrc
from catalogue.resources.selectors import resource_count, resource_list, resource_page
from catalogue.resources.services import catalogue_refresh
from dsrhub.database import pages as pages_module
from dsrhub.database.statements import rows_of
from tests.catalogue.lines.spread import as_on_a_cluster
from tests.catalogue.ranking.test_top_percentile_property import DSP_IDS, deliveries, reported

pytestmark = pytest.mark.django_db

ON_ONE_SERVER = pytest.mark.on_one_server(reason="a cluster has no lines where they could be read without it")
SEARCHES = [
    ResourceSearch(),
    ResourceSearch(scope=Scope(territory="ES")),
    ResourceSearch(scope=Scope(territory="ES"), words="aur"),
    ResourceSearch(dsp_id="a", order=ResourceOrder.DSP_ID),
    ResourceSearch(isrc="ESABC2000001", min_usages=0, order=ResourceOrder.USAGES),
    ResourceSearch(words="sea", order=ResourceOrder.REVENUE),
    ResourceSearch(words="ana", min_revenue=Decimal("0.1"), scope=Scope(territory="NO")),
]
JANUARY, FEBRUARY = Period.parse("2020-01"), Period.parse("2020-02")


def rows(lines):
    return [tuple(getattr(one, field.attname) for field in one._meta.concrete_fields) for one in lines]


def answers(dsrs):
    """What dsrhub says of recordings and lines."""
    keys = [ResourceKey(dsp, dsp_id) for dsp in ("Spotify", "apple") for dsp_id in DSP_IDS]
    page = {"after": None, "limit": 50}
    compared = [ResourceComparison(80, JANUARY, FEBRUARY, show=show) for show in Show]
    ingested = [dsr for dsr in dsrs if dsr.status == DSR.Status.INGESTED]
    return [
        [resource_sums(resources=keys, scope=scope) for scope in (ALL, Scope(territory="ES"))],
        resource_territories(resource=keys[0], scope=ALL),
        resource_facts(resources=keys, scope=ALL),
        dict(reports_by_resource(resources=keys, scope=ALL, **page)),
        [resource_descriptions(resource=key, scope=ALL, **page, lines=2) for key in keys[:2]],
        [(resource_list(search=search, **page), resource_count(search=search)) for search in SEARCHES],
        [resource_page(text=text, kind=None, scope=ALL, **page) for text in ("a", "ESABC2000002", "aurora", "b")],
        [identification(problem=problem, percentile=100, scope=ALL, limit=50) for problem in IsrcProblem],
        same_isrc(isrcs=["ESABC2000001", "ESABC2000002"], scope=ALL),
        [(resource_comparison(asked=one, after=0, limit=50), resource_comparison_count(asked=one)) for one in compared],
        {number: rows(lines) for number, lines in lines_by_dsr(dsrs, after=3, limit=4).items()},
        [rows(lines_found(dsr, search=LineSearch(dsp_id="b"), limit=3)) for dsr in dsrs],
        [rows(lines_found(dsr, search=LineSearch(words="aurora"), before=6, limit=3)) for dsr in dsrs],
        [rows(lines_found(dsr, search=LineSearch(isrcs=("ESABC2000001",)), after=2, limit=3)) for dsr in dsrs],
        own_resource_count(ingested[:1]),
        differences._find(dsrs[0], dsrs[-1]),
    ]


def catalogued():
    """Register and remove what is to be registered and removed, and return the catalogue; then undo it."""
    with transaction.atomic():
        catalogue_refresh()
        found = sorted(Resource.objects.values_list("dsp", "dsp_id", "title", "artists", "isrc"), key=str)
        transaction.set_rollback(True)
    return found


@ON_ONE_SERVER
@settings(max_examples=5)
@given(drawn=deliveries(), is_rebuilt=st.booleans(), few_lines=st.sampled_from([0, browsing.FEW_LINES]))
def test_a_cluster_gives_the_same_answers(monkeypatch, drawn, is_rebuilt, few_lines):
    monkeypatch.setattr(browsing, "FEW_LINES", few_lines)
    # Any DSR may stand for a version.
    monkeypatch.setattr(differences, "SupersededDSR", DSR)
    if is_rebuilt:
        monkeypatch.setattr(catalogue, "REBUILD_LINES", 0)
    with transaction.atomic():
        gone = reported(*drawn[0], offer="Gone", status="ingested")
        catalogue_refresh()
        dsrs = [reported(*one) for one in drawn]
        dsr_delete(dsr_number=gone.pk)

        inline = catalogued()
        with as_on_a_cluster():
            assert catalogued() == inline

        catalogue_refresh()
        inline = answers(dsrs)
        KeptRanking.objects.all().delete()
        with as_on_a_cluster():
            assert answers(dsrs) == inline
        transaction.set_rollback(True)


@ON_ONE_SERVER
@settings(max_examples=4)
@given(drawn=deliveries())
def test_totals_and_artists_are_the_same(drawn):
    found = []
    for way in (nullcontext, as_on_a_cluster):
        with transaction.atomic(), way():
            for one in drawn:
                reported(*one)
            DSR.objects.update(blank_isrc_usages=None, blank_isrc_revenue=None)
            totals_complete()
            with artist_ranking(credit=Credit.SPLIT) as ranking:
                artists = [one[:-2] for one in ranking.rows(limit=50)]
            totals = DSR.objects.order_by("pk").values_list("blank_isrc_usages", "blank_isrc_revenue")
            found.append((artists, list(totals)))
            transaction.set_rollback(True)
    assert found[0] == found[1]


def pages(search, limit):
    """All pages of a list, each read behind the last resource of the one before it."""
    found, after = [], None
    while page := resource_list(search=search, after=after, limit=limit):
        found.append(page)
        after = page[-1].place
    return found


@ON_ONE_SERVER
@settings(max_examples=8)
@given(drawn=deliveries(), limit=st.integers(1, 3), first=st.integers(1, 2), growth=st.integers(2, 4))
def test_a_list_that_is_walked_in_batches_is_the_same(monkeypatch, drawn, limit, first, growth):
    monkeypatch.setattr(browsing, "FEW_LINES", 0)
    monkeypatch.setattr(browsing, "FIRST_BATCH", first)
    monkeypatch.setattr(gathering, "BATCH_GROWTH", growth)
    scopes = [ALL, Scope(territory="ES"), Scope(territory="NO", dsp="Spotify"), Scope(period_end=date(2020, 1, 31))]
    searches = [
        ResourceSearch(scope=scope, order=order)
        for scope in scopes
        for order in (ResourceOrder.TITLE, ResourceOrder.DSP_ID)
    ]
    with transaction.atomic():
        # Its resources stay in the catalogue for a while, and are in no list.
        gone = reported(*drawn[0], offer="Gone", status="ingested")
        for one in drawn:
            reported(*one)
        catalogue_refresh()
        dsr_delete(dsr_number=gone.pk)
        inline = [pages(search, limit) for search in searches]
        with as_on_a_cluster():
            assert [pages(search, limit) for search in searches] == inline
        transaction.set_rollback(True)


@pytest.fixture
def gathered_lines(monkeypatch):
    """How many lines lists have gathered, batch by batch."""
    counts = []
    read = browsing.page_rows

    def counted(statement, /, *texts, **parameters):
        table = re.search(r"gathered_lines_\d+", statement)
        counts.append(rows_of(f"SELECT count(*) FROM {table.group()}")[0][0])  # noqa: S608
        return read(statement, *texts, **parameters)

    monkeypatch.setattr(browsing, "page_rows", counted)
    return counts


@pytest.fixture
def thirty_titles(monkeypatch):
    """The titles 00 to 29: Norway has all of them, and Spain the last three."""
    monkeypatch.setattr(browsing, "FEW_LINES", 0)
    blank = dict.fromkeys(["artists", "isrc", "usages", "revenue"])
    lines = [blank | {"dsp_id": f"{number:02}", "title": f"{number:02}"} for number in range(30)]
    reported({"territory_id": "NO"}, lines, False)
    reported({"territory_id": "ES", "offer": "Other"}, lines[27:] * 10, False)
    catalogue_refresh()


@pytest.mark.usefixtures("thirty_titles")
def test_a_page_gathers_the_lines_of_the_next_titles_alone(gathered_lines):
    norway = ResourceSearch(scope=Scope(territory="NO"))
    with as_on_a_cluster():
        (first, second) = resource_list(search=norway, after=None, limit=2)
        assert (first.dsp_id, second.dsp_id, gathered_lines) == ("00", "01", [8])
        (last,) = resource_list(search=norway, after=("28", 10**9), limit=3)
    assert (last.dsp_id, gathered_lines) == ("29", [8, 1])


@pytest.mark.usefixtures("thirty_titles")
def test_batches_grow_until_a_page_is_full(gathered_lines, monkeypatch):
    monkeypatch.setattr(browsing, "FIRST_BATCH", 1)
    spain = ResourceSearch(scope=Scope(territory="ES"))
    with as_on_a_cluster():
        found = resource_list(search=spain, after=None, limit=2)
        # Of the titles 00 to 01 and 02 to 09, Spain has none. The next 32 are fewer than all of its lines, too.
        assert ([resource.dsp_id for resource in found], gathered_lines) == (["27", "28"], [0, 0, 30])


@pytest.mark.usefixtures("thirty_titles")
def test_where_a_batch_would_have_more_keys_than_there_are_lines_all_lines_are_gathered(gathered_lines, monkeypatch):
    monkeypatch.setattr(browsing, "FIRST_BATCH", 30)
    norway = ResourceSearch(scope=Scope(territory="NO"))
    with as_on_a_cluster():
        assert len(resource_list(search=norway, after=None, limit=1)) == 1
    assert gathered_lines == [30]


@pytest.mark.usefixtures("thirty_titles")
def test_a_page_of_several_batches_is_cut_short_where_its_texts_are_long(monkeypatch):
    monkeypatch.setattr(browsing, "batch_sizes", lambda **_: [1] * 30)
    # A resource has four bytes: those of its title and of its dsp_id.
    monkeypatch.setattr(pages_module, "PAGE_BYTES", 10)
    norway = ResourceSearch(scope=Scope(territory="NO"))
    with as_on_a_cluster():
        page = resource_list(search=norway, after=None, limit=20)
    assert ([resource.dsp_id for resource in page], type(page)) == (["00", "01", "02"], pages_module.CutShort)


# --- What is gathered goes -------------------------------------------------------------------------------------


def temporary_tables():
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'")
        return cursor.fetchall()


@pytest.fixture
def dsr():
    return reported({}, [dict.fromkeys(["title", "artists", "isrc", "usages", "revenue"]) | {"dsp_id": "a"}], False)


@pytest.mark.parametrize("own_partition", [False, True])
def test_a_line_that_is_gathered_twice_is_there_once(own_partition):
    lines = [dict.fromkeys(["title", "artists", "isrc", "usages"]) | {"dsp_id": "a", "revenue": n} for n in (1, 2, 1)]
    dsr = reported({}, lines, own_partition)
    with as_on_a_cluster(), lines_gathered() as gathered:
        for _ in range(2):
            gathered.add_of_dsrs(places_of([dsr]))
            gathered.add_of_keys("SELECT %(key)s::text AS dsp_id", places_of([dsr]), key="a")
        with connection.cursor() as cursor:
            cursor.execute(gathered.statement("SELECT revenue FROM catalogue_usageline ORDER BY line_number"))
            assert cursor.fetchall() == [(1,), (2,), (1,)]


@pytest.mark.usefixtures("dsr")
def test_nothing_stays_of_what_was_gathered():
    with as_on_a_cluster():
        with lines_gathered() as gathered:
            gathered.add_of_dsrs(places_of(DSR.objects.all()))
            assert temporary_tables() == [(gathered.table,)]
        assert temporary_tables() == []


@pytest.mark.django_db(transaction=True)
def test_nothing_stays_after_an_error():
    with as_on_a_cluster():
        with pytest.raises(LookupError), lines_gathered():
            raise LookupError
        with transaction.atomic():
            with pytest.raises(LookupError), lines_gathered():
                raise LookupError
            assert len(temporary_tables()) == 1
    assert temporary_tables() == []


def test_a_page_with_a_dsr_that_goes_meanwhile_is_refused(dsr):
    gone = reported({"offer": "Gone"}, [], False)
    dsr_delete(dsr_number=gone.pk)
    with as_on_a_cluster(), pytest.raises(DSRNotFound):
        lines_after([dsr, gone], after=0, limit=5)


@ON_ONE_SERVER
def test_on_one_server_nothing_is_gathered(dsr, django_assert_num_queries):
    with django_assert_num_queries(0), lines_gathered() as lines:
        lines.add_of_dsrs(places_of([dsr]))
        lines.add_of_keys("SELECT 'a' AS dsp_id", places_of([dsr]))
        lines.add_of_each("nothing")
        lines.add_highest("nothing")
        assert lines.statement("SELECT 1 FROM catalogue_usageline") == "SELECT 1 FROM catalogue_usageline"
        assert type(lines) is gathering.Lines
