"""The totals under the lists: of all rows that the filters find, in EUR and by currency, by one query."""

import html
import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.dsrs.services import dsr_delete
from catalogue.models import DSR
from dsrhub.pages import list_totals
from tests.catalogue import recipes
from tests.catalogue.helpers import shown, staff_with

pytestmark = pytest.mark.django_db

CATALOGUE = "/admin/catalogue/"
DSRS = f"{CATALOGUE}dsr/"


def totals(client, path):
    """The totals under a list by their names, without the full values of rounded amounts."""
    page = client.get(path).content.decode()
    (section,) = re.findall('<section id="list-totals"(.*?)</section>', page, re.DOTALL)
    pairs = re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", section, re.DOTALL)
    return {name: re.sub("<[^>]*>", "", value) for name, value in pairs}


def make_many(count, **values):
    """DSRs of as many offers."""
    recipes.make_many(recipes.dsr, count, offer=(f"Offer {number}" for number in range(count)), **values)


@pytest.fixture
def dsrs():
    """Crowns of two offers at 10 for one euro, euros, and a failed DSR."""
    crowns = {"currency_id": "NOK", "exchange_rate": Decimal(10)}
    recipes.dsr.make(offer="A", line_count=3, total_usages=1000, total_revenue=Decimal("100.5"), **crowns)
    recipes.dsr.make(offer="B", line_count=1, total_usages=1, total_revenue=Decimal("-0.5"), **crowns)
    recipes.dsr.make(
        *(),
        territory_id="ES",
        currency_id="EUR",
        exchange_rate=1,
        line_count=2,
        total_usages=7,
        total_revenue=Decimal("2.25"),
    )
    recipes.failed_dsr.make(territory_id="ES", path="failed.tsv")


ALL = {
    "ingested DSRs": "3",
    "failed DSRs": "1",
    "lines": "6",
    "usages": "1,008",
    # (100.5 - 0.5) / 10 + 2.25
    "revenue in EUR": "12.25",
    "revenue of DSRs in EUR": "2.25 EUR",
    "revenue of DSRs in NOK": "100.00 NOK",
}


@pytest.mark.usefixtures("dsrs")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ALL),
        ("?status__exact=ingested", {name: value for name, value in ALL.items() if name != "failed DSRs"}),
        (
            "?offer=A",
            {
                "ingested DSRs": "1",
                "lines": "3",
                "usages": "1,000",
                "revenue in EUR": "10.05",
                "revenue of DSRs in NOK": "100.50 NOK",
            },
        ),
        (
            "?territory__code_2__exact=ES&status__exact=ingested",
            {"ingested DSRs": "1", "lines": "2", "usages": "7", "revenue in EUR": "2.25"},
        ),
        ("?q=nothing", {"ingested DSRs": "0", "lines": "0", "usages": "0", "revenue in EUR": "0.00"}),
    ],
)
def test_the_list_of_dsrs_adds_up_all_dsrs_that_its_filters_find(admin_client, query, expected):
    assert totals(admin_client, DSRS + query) == expected


def test_the_totals_are_not_of_one_page(admin_client):
    make_many(150, total_revenue=Decimal(1), exchange_rate=2)
    found = totals(admin_client, f"{DSRS}?p=2")
    assert (found["ingested DSRs"], found["revenue in EUR"]) == ("150", "75.00")


def test_revenue_in_eur_is_that_of_whole_dsrs_each_rounded_to_40_decimals(admin_client):
    """Two thirds, not 0.6666 with a 7 at the end."""
    for offer in "ABC":
        recipes.dsr.make(offer=offer, total_revenue=Decimal(1), exchange_rate=3)
    page = admin_client.get(DSRS).content.decode()
    assert f'data-full="0.{40 * "9"}"' in page


def test_many_currencies_are_added_up_in_eur_only(admin_client):
    for currency in ("NOK", "SEK", "DKK", "CHF", "GBP", "USD", "JPY", "PLN", "CZK"):
        recipes.dsr.make(currency_id=currency, total_revenue=Decimal(5), exchange_rate=5)
    assert [name for name in totals(admin_client, DSRS) if name.startswith("revenue")] == ["revenue in EUR"]
    assert totals(admin_client, DSRS)["revenue in EUR"] == "9.00"


@pytest.mark.usefixtures("dsrs")
def test_the_totals_take_one_query(admin_client):
    with CaptureQueriesContext(connection) as captured:
        admin_client.get(DSRS)
    assert sum("catalogue_eur" in query["sql"] and "GROUP BY" in query["sql"] for query in captured) == 1


@pytest.mark.usefixtures("dsrs")
def test_totals_that_take_long_are_left_out_and_the_list_is_shown(admin_client, monkeypatch):
    monkeypatch.setattr(list_totals, "TOTAL_SECONDS", 0)

    def slow(self, rows):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")

    monkeypatch.setattr("catalogue.admin.dsrs.admin.DSRAdmin.list_totals", slow)
    response = admin_client.get(DSRS)
    assert "The totals take more than 0 seconds. Narrow the list to see them." in response.content.decode()
    assert len(shown(response, "path")) == 4


def test_earlier_versions_are_added_up_at_their_own_rates(admin_client):
    for offer, rate in (("A", 10), ("B", 5)):
        dsr = recipes.dsr.make(
            offer=offer, line_count=2, total_usages=3, total_revenue=Decimal(100), exchange_rate=rate
        )
        dsr_delete(dsr_number=dsr.pk)
    path = f"{CATALOGUE}supersededdsr/"
    assert totals(admin_client, path) == {
        "earlier versions": "2",
        "lines": "4",
        "usages": "6",
        "revenue in EUR": "30.00",
        "revenue of DSRs in NOK": "200.00 NOK",
    }
    assert totals(admin_client, f"{path}?offer=B")["revenue in EUR"] == "20.00"
    assert shown(admin_client.get(path), "revenue_eur") == ["20.00", "10.00"]


def test_messages_have_the_sums_of_their_dsrs(admin_client):
    first, second = (recipes.told_message.make(message_id=name) for name in ("1", "2"))
    amounts = {"line_count": 1, "total_usages": 2, "total_revenue": Decimal(30)}
    recipes.dsr_of_message.make(message=first, offer="A", currency_id="NOK", exchange_rate=10, **amounts)
    recipes.dsr_of_message.make(message=first, offer="B", currency_id="EUR", exchange_rate=1, **amounts)
    recipes.dsr_of_message.make(message=second, offer="C", currency_id="EUR", exchange_rate=1, **amounts)
    recipes.dsr.make(offer="of no message", total_revenue=Decimal(1000))
    path = f"{CATALOGUE}reportmessage/"
    response = admin_client.get(path)
    assert (shown(response, "lines"), shown(response, "revenue_eur")) == (["1", "2"], ["30.00", "33.00"])
    assert totals(admin_client, path) == {
        "messages": "2",
        "DSRs": "3",
        "lines": "3",
        "usages": "6",
        "revenue in EUR": "63.00",
        "revenue of DSRs in EUR": "60.00 EUR",
        "revenue of DSRs in NOK": "30.00 NOK",
    }
    page = admin_client.get(f"{path}{first.pk}/change/").content.decode()
    (table,) = re.findall('<table id="totals">(.*?)</table>', page, re.DOTALL)
    rows = [re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall("<tr>(.*?)</tr>", table, re.DOTALL)]
    assert rows[1:] == [
        ["EUR", "1", "1", "2", "0.00 EUR", "30.00 EUR", "0.00 EUR", "30.00"],
        ["NOK", "1", "1", "2", "0.00 NOK", "30.00 NOK", "0.00 NOK", "3.00"],
        ["all", "2", "2", "4", "–", "–", "–", "33.00"],
    ]


def test_problems_are_counted_by_level_and_code(admin_client):
    dsr, other = recipes.dsr.make(offer="A"), recipes.dsr.make(offer="B")
    for owner, level in ((dsr, "error"), (dsr, "warning"), (other, "warning")):
        recipes.problem.make(dsr=owner, level=level)
    path = f"{CATALOGUE}reportproblem/"
    assert counts(admin_client, path) == {"error": "1", "warning": "2"}
    assert counts(admin_client, f"{path}?dsr={other.pk}") == {"warning": "1"}


def counts(client, path):
    return {one["level"]: one["count"] for one in client.get(path).context["by_code"]}


# --- Territories and currencies --------------------------------------------------------------------------------


@pytest.mark.usefixtures("dsrs")
@pytest.mark.parametrize(
    ("name", "key", "sums", "lookup"),
    [
        ("territory", "NO", ["2", "4", "10.00"], "territory__code_2__exact=NO"),
        ("territory", "ES", ["1", "2", "2.25"], "territory__code_2__exact=ES"),
        ("currency", "NOK", ["2", "4", "10.00"], "currency__code__exact=NOK"),
    ],
)
def test_a_territory_and_a_currency_have_sums_and_lead_on(admin_client, name, key, sums, lookup):
    response = admin_client.get(f"{CATALOGUE}{name}/?q={key}")
    place = shown(response, "code_2" if name == "territory" else "code").index(key)
    assert [shown(response, column)[place] for column in ("dsrs", "lines", "revenue_eur")] == sums
    page = admin_client.get(f"{CATALOGUE}{name}/{key}/change/").content.decode()
    for address in (
        f"{DSRS}?status__exact=ingested&amp;{lookup}",
        f"{DSRS}breakdown/?by=month&amp;{name}={key}",
        f"{DSRS}coverage/?{name}={key}",
        f"{CATALOGUE}resource/top/?{name}={key}",
    ):
        assert f'href="{address}"' in page
        assert admin_client.get(address.replace("&amp;", "&")).status_code == 200, address
    (section,) = re.findall('<section class="part" id="sums">(.*?)</section>', page, re.DOTALL)
    assert f"<dt>revenue in EUR</dt><dd>{sums[-1]}" in re.sub("<data.*?<span>|</span></data>", "", section)


@pytest.mark.usefixtures("dsrs")
def test_users_who_may_not_view_dsrs_see_no_sums(client):
    client.force_login(staff_with("view_territory"))
    assert shown(client.get(f"{CATALOGUE}territory/?q=NO"), "revenue_eur") == []
    assert 'id="sums"' not in client.get(f"{CATALOGUE}territory/NO/change/").content.decode()


def test_the_lists_of_territories_take_the_same_number_of_queries_for_1_and_for_100_dsrs(admin_client):
    counts = []
    for number in (1, 100):
        DSR.objects.all().delete()
        make_many(number)
        with CaptureQueriesContext(connection) as captured:
            admin_client.get(f"{CATALOGUE}territory/")
        counts.append(len(captured))
    assert counts[0] == counts[1]


# --- The counts of Django --------------------------------------------------------------------------------------

ENGLISH = {"1,001 results", "1,002 total", "1,001 DSRs", "All 1,001 selected", "Select all 1,001 DSRs"}
SPANISH = {"1\xa0001 resultados", "1\xa0002 en total", "1\xa0001 DSR", "Seleccionar todos los 1\xa0001 DSR"}


def test_counts_of_a_list_have_the_separators_of_the_reader(admin_client):
    make_many(1001, path="a.tsv")
    recipes.dsr.make(path="b.tsv")
    for language, expected in (("en", ENGLISH), ("es", SPANISH)):
        page = admin_client.get(f"{DSRS}?q=a.tsv", headers={"Accept-Language": language}).content.decode()
        texts = html.unescape(re.sub(r"<[^>]*>", "\n", page)).splitlines()
        assert expected <= {text.strip(" (") for text in texts}
        assert not [text for text in texts if re.search("100[12]", text)]
