"""Questions as a cluster answers them, from gathered lines, compared with the answers where lines lie."""

from contextlib import nullcontext
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
