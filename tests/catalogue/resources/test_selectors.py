"""Lists of resources and their sums, against a plain calculation from the lines of DSRs in several partitions."""

from collections import defaultdict
from datetime import date
from decimal import Decimal

import pytest

from catalogue.lines.scope import ALL, Scope
from catalogue.resources import browsing
from catalogue.resources.found import ResourceKey, ResourceOrder, ResourceSearch, ResourceSums
from catalogue.resources.reported import (
    ResourceDescription,
    ResourceReport,
    reports_by_resource,
    resource_descriptions,
    resource_sums,
)
from catalogue.resources.selectors import resource_count, resource_list, resource_top, resource_top_count
from catalogue.resources.services import catalogue_refresh
from tests.catalogue import recipes
from tests.catalogue.helpers import add_lines, line

pytestmark = pytest.mark.django_db

# Two DSPs report the same dsp_ids, in the shared partition and in partitions of their own. All rates divide exactly.
REPORTS = [
    # DSP, territory, rate, own partition, lines: dsp_id, usages, revenue
    ("Spotify", "ES", "1", False, [("a", 5, "1.5"), ("b", None, "1"), ("a", 2, "0.5"), ("c", 9, None)]),
    ("Spotify", "ES", "1", True, [("a", 1, "3"), ("d", 4, "1"), ("e", 0, "0")]),
    ("Spotify", "NO", "4", False, [("b", 3, "12"), ("f", 1, "-1"), ("é", 2, "4")]),
    ("Spotify", "NO", "2", True, [("a", None, "-2"), ("d", 1, None), ("é", 2, "0.5")]),
    ("Deezer", "ES", "1", False, [("a", 7, "2"), ("b", 1, "0.25")]),
    ("Deezer", "NO", "8", True, [("a", 1, "16"), ("g", 6, "8")]),
]
A, DEEZER_A = ResourceKey("Spotify", "a"), ResourceKey("Deezer", "a")


@pytest.fixture(scope="module", autouse=True)
def dsrs(module_db):
    """A DSR of each report, and a failed one."""
    made = []
    for number, (dsp, territory, rate, own_partition, cells) in enumerate(REPORTS):
        dsr = recipes.dsr.make(dsp=dsp, offer=f"Offer {number}", territory_id=territory, exchange_rate=Decimal(rate))
        lines = (
            line(dsp_id, f"title {number}", usages="" if usages is None else str(usages), revenue=revenue or "")
            for dsp_id, usages, revenue in cells
        )
        add_lines(dsr, *lines, own_partition=own_partition)
        made.append(dsr)
    add_lines(recipes.failed_dsr.make(), line("a", usages="1000", revenue="1000"))
    catalogue_refresh()
    return made


@pytest.fixture(params=[0, 20_000], ids=["many lines", "few lines"])
def _many_or_few_lines(request, monkeypatch):
    """Where the DSRs in scope have few lines, all of them are added up."""
    monkeypatch.setattr(browsing, "FEW_LINES", request.param)


def expected_sums(territory=None):
    """Usages, revenue in EUR and the number of DSRs of each resource."""
    found = defaultdict(lambda: [None, None, set()])
    for number, (dsp, of_territory, rate, _, cells) in enumerate(REPORTS):
        for dsp_id, usages, revenue in cells if territory in (None, of_territory) else ():
            sums = found[ResourceKey(dsp, dsp_id)]
            if usages is not None:
                sums[0] = (sums[0] or 0) + usages
            if revenue is not None:
                sums[1] = (sums[1] or 0) + Decimal(revenue) / Decimal(rate)
            sums[2].add(number)
    return {key: ResourceSums(usages, revenue, len(numbers)) for key, (usages, revenue, numbers) in found.items()}


def expected_by_revenue(territory, min_revenue):
    found = {key: sums.revenue_eur for key, sums in expected_sums(territory).items() if sums.revenue_eur is not None}
    ranked = sorted(found, key=lambda key: (-found[key], key.dsp_id.encode(), key.dsp.encode()))
    return [key for key in ranked if min_revenue is None or found[key] >= min_revenue]


def pages_of(search, limit):
    """The pages of a list. Each page continues after the last resource of the previous page."""
    pages, after = [], None
    while page := resource_list(search=search, after=after, limit=limit):
        pages.append(page)
        after = page[-1].place
    return pages


# --- By revenue ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("territory", [None, "ES", "NO", "FR"])
def test_a_list_by_revenue_is_read_page_by_page_and_counted(territory):
    sums = expected_sums(territory)
    for min_revenue in (None, *map(Decimal, ("-1", "0", "1", "3.0000001", "4", "100"))):
        scope = Scope(territory=territory)
        search = ResourceSearch(order=ResourceOrder.REVENUE, min_revenue=min_revenue, scope=scope)
        expected = expected_by_revenue(territory, min_revenue)
        assert resource_count(search=search) == len(expected)
        for limit in (1, 2, 3, 100):
            pages = pages_of(search, limit)
            assert [resource.key for page in pages for resource in page] == expected
            assert {len(page) for page in pages[:-1]} <= {limit}
            assert all(resource.sums == sums[resource.key] for page in pages for resource in page)


def test_a_list_by_revenue_continues_after_any_rank():
    expected = expected_by_revenue(None, None)
    # By hand: 4 EUR for both a (1.5 + 0.5 + 3 - 1 and 2 + 2) and for b (1 + 3), é 1.25 (1 + 0.25), d and g 1.
    assert [dsp_id for _, dsp_id in expected] == ["a", "a", "b", "é", "d", "g", "b", "e", "f"]
    search = ResourceSearch(order=ResourceOrder.REVENUE)
    for rank in range(len(expected) + 2):
        found = resource_list(search=search, after=(rank,), limit=3)
        assert [resource.key for resource in found] == expected[rank : rank + 3]
        assert [resource.place for resource in found] == [(rank + nth + 1,) for nth in range(len(found))]


# --- Other orders and searches ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("_many_or_few_lines")
@pytest.mark.parametrize("territory", ["ES", "NO", "FR"])
def test_resources_of_one_dsp_id_are_found_with_their_sums_in_all_partitions(territory):
    search = ResourceSearch(dsp_id="a", order=ResourceOrder.USAGES, scope=Scope(territory=territory))
    sums = {key: one for key, one in expected_sums(territory).items() if key.dsp_id == "a" and one.usages is not None}

    found = resource_list(search=search, after=None, limit=10)

    assert {resource.key: resource.sums for resource in found} == sums
    assert [resource.sums.usages for resource in found] == sorted((one.usages for one in sums.values()), reverse=True)
    assert resource_count(search=search) == len(sums)


@pytest.mark.usefixtures("_many_or_few_lines")
@pytest.mark.parametrize("territory", [None, "ES", "NO", "FR"])
def test_a_list_by_dsp_id_has_what_the_dsrs_in_scope_report(territory):
    search = ResourceSearch(order=ResourceOrder.DSP_ID, scope=Scope(territory=territory))
    keys = expected_sums(territory).keys()

    found = [resource.key for page in pages_of(search, 2) for resource in page]

    # Resources with the same dsp_id come in the order in which they were registered.
    assert sorted(found) == sorted(keys)
    assert [key.dsp_id for key in found] == sorted((key.dsp_id for key in keys), key=str.encode)
    assert resource_count(search=search) == len(keys)


# --- Sums and reports of single resources ----------------------------------------------------------------------


@pytest.mark.parametrize("territory", [None, "ES", "NO"])
def test_the_sums_of_each_resource(territory):
    keys = [*expected_sums(), ResourceKey("Deezer", "c"), ResourceKey("Apple", "a")]

    found = resource_sums(resources=keys, scope=Scope(territory=territory))

    expected = expected_sums(territory)
    assert found == {key: expected.get(key, ResourceSums(None, None, 0)) for key in keys}


def test_the_reports_of_each_resource_by_dsr(dsrs):
    first, second, _, fourth, deezer, other_deezer = (dsr.pk for dsr in dsrs)

    def reports(after=0, limit=10, scope=ALL):
        return reports_by_resource(resources=[A, DEEZER_A], scope=scope, after=after, limit=limit)

    of_a = [
        ResourceReport(first, 7, Decimal("2.0"), Decimal(2)),
        ResourceReport(second, 1, Decimal(3), Decimal(3)),
        ResourceReport(fourth, None, Decimal(-2), Decimal(-1)),
    ]
    of_deezer = [
        ResourceReport(deezer, 7, Decimal(2), Decimal(2)),
        ResourceReport(other_deezer, 1, Decimal(16), Decimal(2)),
    ]
    assert reports() == {A: of_a, DEEZER_A: of_deezer}
    assert reports(after=first, limit=1) == {A: of_a[1:2], DEEZER_A: of_deezer[:1]}
    assert reports(scope=Scope(territory="NO")) == {A: of_a[2:], DEEZER_A: of_deezer[1:]}


def test_the_descriptions_of_a_resource_by_dsr(dsrs):
    first, second, _, fourth, *_ = (dsr.pk for dsr in dsrs)

    found = resource_descriptions(resource=A, scope=ALL, after=0, limit=10, lines=10)

    assert found == [
        ResourceDescription(first, "title 0", None, None, 2, [2, 4]),
        ResourceDescription(second, "title 1", None, None, 1, [2]),
        ResourceDescription(fourth, "title 3", None, None, 1, [2]),
    ]


# --- Scopes without DSRs ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_many_or_few_lines")
@pytest.mark.parametrize("order", ResourceOrder)
@pytest.mark.parametrize("min_revenue", [None, Decimal(0)])
def test_a_scope_without_dsrs_has_no_resource(order, min_revenue):
    scope = Scope(period_start=date(2020, 1, 31), period_end=date(2020, 1, 31))
    search = ResourceSearch(order=order, min_revenue=min_revenue, scope=scope)

    assert resource_list(search=search, after=None, limit=10) == []
    assert resource_count(search=search) == 0
    assert resource_top(percentile=100, scope=scope, after=0, limit=10) == []
    assert resource_top_count(percentile=100, scope=scope) == 0
