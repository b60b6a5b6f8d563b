"""Every field runs the same number of queries for 1 and for 100 objects, at any depth."""

from datetime import date

import pytest
from graphql import GraphQLObjectType, TypeInfo, TypeInfoVisitor, Visitor, is_introspection_type, parse, visit

from catalogue.dsrs import selectors as dsr_selectors
from catalogue.dsrs.services import dsr_delete
from catalogue.exceptions import DSRNotFound
from graphql_schema.schema import schema
from tests import recipes as dsrhub_recipes
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, add_lines, import_report, line
from tests.graphql_schema.helpers import ask, ask_and_capture, execute, statements
from tests.subscriptions import recipes as usage_recipes
from tests.subscriptions.helpers import VOICE, add, event, subscribe

pytestmark = pytest.mark.django_db

TERRITORY = "territory { code2 name localCurrency { code name symbol } }"
CURRENCY = "currency { code name symbol }"
PAGE_INFO = "totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
LINE = """
    lineNumber dspId title artists isrc usages revenue useType isRoyaltyBearing returns transactionId isRelease iswc
    composers label icpn isrcs artistsDelivered
"""
LINES = f"lines(first: 2) {{ {PAGE_INFO} edges {{ cursor node {{ {LINE} }} }} }}"
PROBLEM = "id level code message file line column value dsrId excerpt { before marked after }"
PROBLEMS = f"problems(first: 2) {{ {PAGE_INFO} edges {{ cursor node {{ {PROBLEM} }} }} }}"
USE_TYPE = "useType lineCount blankIsrcCount totalUsages totalRevenue"
USE_TYPES = f"useTypeTotals(first: 2) {{ {PAGE_INFO} edges {{ cursor node {{ {USE_TYPE} }} }} }}"
MESSAGE = f"""
    id format senderName senderId recipientName recipientId messageId created profile profileVersion
    periodStart periodEnd importedAt dsrCount warningCount {PROBLEMS}
    files(first: 2) {{ {PAGE_INFO} edges {{ cursor node {{ number name sha256 }} }} }}
"""
DSR = f"""
    id path gzipName sha256 dsp offer society {TERRITORY} {CURRENCY} periodStart periodEnd status
    exchangeRate rateMethod rateSource lineCount totalUsages totalRevenue totalRevenueEur blankTitleCount
    blankArtistsCount blankIsrcCount blankUsagesCount blankRevenueCount errorCount warningCount importedAt
    commercialModel useType subscriberType summaryId declaredUsages declaredRevenue unallocatedRevenue revenueKind
    subscribers returns usagesWithoutRoyalty revenueWithoutRoyalty
    comparedTotals(usages: "1") {{
        matches lines {{ declared }} usages {{ declared found difference }} revenue {{ declared }}
    }}
    {LINES} {PROBLEMS} {USE_TYPES} message {{ {MESSAGE} }}
"""
SAME_ISRC = f"""
    isrc hasMore resources(first: 2) {{ {PAGE_INFO} edges {{ cursor node {{ dsp dspId usages revenueEur }} }} }}
    territories(first: 2) {{ {PAGE_INFO} edges {{ cursor node {{ {TERRITORY} usages revenueEur }} }} }}
    months(first: 2) {{ {PAGE_INFO} edges {{ cursor node {{ month periodStart periodEnd usages revenueEur }} }} }}
"""
RESOURCE = f"""
    dsp dspId title artists isrc isrcs iswc composers label icpn usages revenueEur
    reports(first: 2) {{ {PAGE_INFO} edges {{ cursor node {{ dsr {{ {DSR} }} usages revenue revenueEur }} }} }}
"""
USAGE = f"{PAGE_INFO} edges {{ cursor node {{ usageType day month totalPrice totalUsage unit }} }}"
RANGE = 'from: "2026-01-01", to: "2026-02-28"'
SUBSCRIPTION = f"""
    id carrier status
    byType: usage({RANGE}) {{ {USAGE} }} byDay: usage({RANGE}, groupBy: DAY, first: 1) {{ {USAGE} }}
    byMonth: usage({RANGE}, groupBy: MONTH, first: 1) {{ {USAGE} }}
"""

QUERIES = {
    "dsrs": ("dsrs", DSR),
    "dsrs of messages": ("dsrs(revenueKind: allocated)", DSR),
    "messages": ("messages", f"{MESSAGE} dsrs(first: 2) {{ {PAGE_INFO} edges {{ cursor node {{ {DSR} }} }} }}"),
    "resources": ("resources", RESOURCE),
    "the same ISRC": ("resources", f"sameIsrc {{ {SAME_ISRC} }}"),
    "resources of a territory": ('resources(territory: "NO")', RESOURCE),
    "resources by revenue": ("resources(orderBy: REVENUE)", RESOURCE),
    "resources by usages": ("resources(orderBy: USAGES)", RESOURCE),
    "top resources": ("topResources(percentile: 100)", f"rank cumulativeShare resource {{ {RESOURCE} }}"),
    "identification": (
        'identification(problem: NO_ISRC, percentile: 100, dsp: "Tonbank")',
        f"rank problem isrcs resource {{ {RESOURCE} }}",
    ),
    "territories": ("territories", "code2 name localCurrency { code name symbol }"),
    "currencies": ("currencies", "code name symbol"),
    "exchange rates": ("exchangeRates", f"{CURRENCY} day rate"),
    "operator rates": ("operatorRates", f"{CURRENCY} periodStart periodEnd rate note enteredAt"),
    "statistics": (
        "statistics(groupBy: OFFER)",
        f"""
        {TERRITORY} {CURRENCY} periodStart periodEnd offer dsp commercialModel useType society month quarter year
        dsrCount lineCount usages revenueEur revenueEurPer1000Usages unallocatedRevenueEur revenueKind withoutIsrcShare
        withoutIsrc {{ lines usages revenueEur linesPercent usagesPercent revenuePercent }}
        """,
    ),
    "comparison": (
        'comparison(by: OFFER, period: "1900-01", with: "1901-01")',
        """
        name now { dsrCount lineCount usages revenueEur } before { dsrCount } usagesDifference revenueEurDifference
        usagesPercent revenueEurPercent incomplete { now before }
        """,
    ),
    **{
        f"comparison of recordings: {show}": (
            f'recordingComparison(period: "{period}", with: "{other}", percentile: 100, dsp: "Spotify", show: {show})',
            f"""
            resource {{ {RESOURCE} }} rank rankBefore rankChange isNew now {{ usages revenueEur }} before {{ usages }}
            usagesDifference revenueEurDifference usagesPercent revenueEurPercent incomplete {{ now before }}
            """,
        )
        for show, period, other in (("TOP", "2020", "1900"), ("GONE", "1901", "2020"))
    },
    "artists": (
        "artists(credit: SPLIT)",
        "rank artist recordingCount usages revenueEur revenuePercent cumulativePercent",
    ),
    "coverage": (
        'coverage(from: "2020-01", to: "2020-12")',
        f"""
        dsp offer society {TERRITORY} {CURRENCY}
        months {{ {PAGE_INFO} edges {{ cursor node {{ month state }} }} }}
        """,
    ),
    "DSRs of covered months": (
        'coverage(from: "2020-01", to: "2020-12")',
        "months { edges { node { dsrs { edges { node { id } } } } } }",
    ),
    "statistics of use types": ("statistics(groupBy: USE_TYPE)", "useType dsrCount"),
    "statistics of territories": ("statistics(groupBy: TERRITORY)", f"{TERRITORY} dsrCount"),
    "statistics of currencies": ("statistics(groupBy: CURRENCY)", f"{CURRENCY} dsrCount"),
    "subscriptions": ("subscriptions", SUBSCRIPTION),
    "versions": (
        "versions",
        f"""
        id path sha256 dsp offer society {TERRITORY} {CURRENCY} periodStart periodEnd commercialModel useType
        subscriberType lineCount totalUsages totalRevenue importedAt supersededAt byteCount successor keptUntil standing
        difference {{ lineCount usages revenue }}
        """,
    ),
    "usage metrics": (
        f"usageMetrics({RANGE}, groupBy: DAY)",
        "carrier usageType day month subscriptionCount totalPrice totalUsage unit",
    ),
    "price limits": ("priceLimits", "id usageType span price carrier since subscriptionId"),
    "limit crossings": (
        "limitCrossings",
        "id subscriptionId usageType span month day priceLimit scope foundAt withdrawnAt",
    ),
    "over the limit": (
        'subscriptionsOverLimit(priceLimit: "0")',
        f"subscription {{ {SUBSCRIPTION} }} exceeded {{ usageType totalPrice exceededBy }}",
    ),
}

# Fields of a connection itself.
ON_PAGE = {"artists": "revenueEur withoutArtists { lines usages revenueEur } topTenPercent hhi"}


@pytest.fixture
def hundred(tmp_path):
    """At least 100 rows for each type whose rows tests can add."""
    lines = [
        line(f"a{number}", f"Title {number}", f"Artist {number}", f"ESABC20{number:05}", usages="1", revenue="1")
        for number in range(100)
    ]
    for name in (ES_JANUARY, NO_JANUARY):
        import_report(tmp_path, name, *lines)
    many = {"_quantity": 100, "_bulk_create": True}
    days = [date(1900 + number, 1, 1) for number in range(100)]
    offers = (f"Offer {number}" for number in range(100))
    dsrs = recipes.dsr.make(offer=offers, period_start=iter(days), period_end=iter(days), **many)
    for number, dsr in enumerate(dsrs):
        add_lines(dsr, line(f"a{number}", revenue="1"), line("b", revenue="1"))
    recipes.problem.make(dsr=iter(dsrs), level="warning", code="isrc_invalid", **many)
    messages = recipes.message.make(message_id=(f"MSG-{number}" for number in range(100)), **many)
    recipes.problem.make(dsr=None, message=iter(messages), level="warning", code="sender_unknown", **many)
    contexts = recipes.dsr.make(
        dsp="Tonbank",
        offer=(f"Offer {number}" for number in range(100)),
        message=iter(messages),
        revenue_kind="allocated",
        **many,
    )
    recipes.use_type_total.make(dsr=iter(contexts), use_type=(f"Use {number}" for number in range(100)), **many)
    recipes.problem.make(dsr=iter(contexts), level="warning", code="isrc_repeated", **many)
    for number, dsr in enumerate(contexts[:2]):
        add_lines(dsr, line(f"m{number}", revenue="1"))
    replaced = recipes.dsr.make(dsp="Deezer", offer=(f"Offer {number}" for number in range(100)), **many)
    for dsr in replaced:
        dsr_delete(dsr_number=dsr.pk)
    recipes.dsr.make(dsp="Deezer", offer=(f"Offer {number}" for number in range(100)), **many)
    recipes.operator_rate.make(period_start=iter(days), period_end=iter(days), **many)
    everybody = subscribe(100)
    add(*[event(each, day, "1") for each in everybody for day in (5, 6)])
    add(*[event(each, day, "1") for each in everybody for day in (5, 6)], usage_type=VOICE)
    usage_recipes.price_limit.make(subscription=iter(everybody), **many)
    usage_recipes.limit_crossing.make(subscription=iter(everybody), **many)


def queries(first):
    for name, (field, selection) in QUERIES.items():
        paged = field.replace(")", f", first: {first})") if ")" in field else f"{field}(first: {first})"
        on_page = f"{PAGE_INFO} {ON_PAGE.get(name, '')}"
        yield name, f"{{ page: {paged} {{ {on_page} edges {{ cursor node {{ {selection} }} }} }} }}"


@pytest.mark.usefixtures("hundred")
def test_1_object_needs_as_many_queries_as_100(subtests):
    user = dsrhub_recipes.superuser.make()
    for (name, of_one), (_, of_many) in zip(queries(1), queries(100), strict=True):
        with subtests.test(name):
            ask(of_one, user)  # the ranking of the question is made once
            one, statements_of_one = ask_and_capture(of_one, user=user)
            many, statements_of_many = ask_and_capture(of_many, user=user)
            assert (len(one["page"]["edges"]), len(many["page"]["edges"]) > 1) == (1, True)
            assert len(statements_of_one) == len(statements_of_many)


def test_the_queries_above_contain_every_field():
    known = TypeInfo(schema.graphql_schema)
    asked = set()

    class Fields(Visitor):
        def enter_field(self, node, *_):
            asked.add(f"{known.get_parent_type()}.{node.name.value}")

    for _, query in queries(1):
        visit(parse(query), TypeInfoVisitor(known, Fields()))
    every = {
        f"{name}.{field}"
        for name, of_type in schema.graphql_schema.type_map.items()
        if isinstance(of_type, GraphQLObjectType) and not is_introspection_type(of_type)
        for field in of_type.fields
    }
    mutations = {"Mutation.deleteDsr", "Mutation.setOperatorRate", "DeleteDSR.id"}
    mutations |= {"Mutation.deleteMessage", "DeleteMessage.id"}
    mutations |= {f"SetOperatorRate.{field}" for field in ("rate", "replacedRate", "changedDsrCount")}
    mutations |= {"Mutation.deleteVersion", "Mutation.revertToVersion", "DeleteVersion.id"}
    mutations |= {"RevertToVersion.id", "RevertToVersion.dsrCount"}
    mutations |= {"Mutation.sendUsageRecords"}
    mutations |= {f"SendUsageRecords.{field}" for field in ("added", "repeated", "refused", "results")}
    mutations |= {name for name in every if name.startswith("UsageRecordResult.")}
    for name in ("createSubscription", "changeSubscription"):
        mutations |= {f"Mutation.{name}", f"{name[0].upper()}{name[1:]}.subscription"}
    mutations |= {"Mutation.setPriceLimit", "Mutation.deletePriceLimit"}
    mutations |= {"SetPriceLimit.priceLimit", "DeletePriceLimit.id", "Query.limitsAreCurrent"}
    # Not a list: its two DSRs are compared.
    version = {"Query.version", "VersionWithRecordings.version", "VersionWithRecordings.recordings"}
    version |= {f"RecordingsDifference.{kind}" for kind in ("came", "went", "changed")}
    version |= {f"DifferentRecordings.{field}" for field in ("count", "largest")}
    version |= {name for name in every if name.startswith("DifferentRecording.")}
    assert every - asked == mutations | version | {"Query.dsr", "Query.message", "Query.subscription"}


def test_a_failing_batch_is_loaded_once_for_a_whole_page(monkeypatch):
    dsrs, asked = [recipes.dsr.make(offer=str(number)) for number in range(3)], []

    def fail(page, **_):
        asked.append([dsr.pk for dsr in page])
        raise DSRNotFound("gone")

    monkeypatch.setattr(dsr_selectors, "problems_by_dsr", fail)
    answer = execute("{ dsrs { edges { node { problems { edges { cursor } } } } } }")
    assert {error.original_error.code for error in answer.errors} == {"dsr_not_found"}
    assert asked == [[dsr.pk for dsr in dsrs]]


def test_rows_are_counted_only_if_the_count_is_selected():
    for field in ("dsrs", "messages", "resources", "territories", "exchangeRates", "subscriptions"):
        with_count = statements(f"{{ {field} {{ totalCount }} }}")
        without = statements(f"{{ {field} {{ edges {{ cursor }} }} }}")
        assert any("count(" in sql.lower() for sql in with_count)
        assert not any("count(*)" in sql.lower() for sql in without)
