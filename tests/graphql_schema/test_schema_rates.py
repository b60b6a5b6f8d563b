"""Territories, currencies and exchange rates, and the mutation that sets a rate."""

from datetime import date
from decimal import Decimal

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection

from catalogue.models import DSR, Currency, EcbRate, OperatorRate, RateChange, Territory
from tests.catalogue import recipes
from tests.catalogue.helpers import user_with
from tests.graphql_schema.helpers import ask, nodes, pages, refusal, statements

pytestmark = pytest.mark.django_db

PAGE = "pageInfo { hasNextPage endCursor }"


def test_territories_are_ordered_by_code_and_have_their_currency():
    found = [
        node
        for page in pages(
            "query ($after: String) { territories(first: 100, after: $after) "
            f"{{ edges {{ cursor node {{ code2 name localCurrency {{ code symbol }} }} }} {PAGE} }} }}"
        )
        for node in page
    ]
    assert [node["code2"] for node in found] == sorted(Territory.objects.values_list("code_2", flat=True))
    assert {"code2": "ES", "name": "Spain", "localCurrency": {"code": "EUR", "symbol": "€"}} in found
    assert {"code2": "XK", "name": "Kosovo", "localCurrency": {"code": "EUR", "symbol": "€"}} in found
    count = ask("{ territories(first: 1) { totalCount } }")["territories"]["totalCount"]
    assert count == len(found) == Territory.objects.count()


def test_currencies_are_ordered_by_code():
    found = [
        node
        for page in pages(
            "query ($after: String) { currencies(first: 100, after: $after) "
            f"{{ edges {{ cursor node {{ code name }} }} {PAGE} }} }}"
        )
        for node in page
    ]
    assert [node["code"] for node in found] == sorted(Currency.objects.values_list("code", flat=True))
    assert {"code": "HRK", "name": "Croatian Kuna"} in found


RATES = """query ($currency: String, $from: Date, $to: Date, $first: Int, $after: String) {
    exchangeRates(currency: $currency, from: $from, to: $to, first: $first, after: $after) {
        totalCount edges { cursor node { currency { code } day rate } } pageInfo { hasNextPage endCursor }
    }
}"""


def test_ecb_rates_are_ordered_by_currency_and_day():
    # The rates that the ECB published for the first days of 2020.
    assert nodes(RATES, currency="nok", **{"from": "2020-01-01", "to": "2020-01-03"}) == [
        {"currency": {"code": "NOK"}, "day": "2020-01-02", "rate": "9.8408"},
        {"currency": {"code": "NOK"}, "day": "2020-01-03", "rate": "9.8315"},
    ]


def test_all_rates_of_some_days_can_be_read_page_by_page():
    days = {"from": "2020-01-02", "to": "2020-01-03"}
    found = [(node["currency"]["code"], node["day"]) for page in pages(RATES, first=7, **days) for node in page]
    known = EcbRate.objects.filter(day__range=(date(2020, 1, 2), date(2020, 1, 3)))
    assert found == sorted((rate.currency_id, rate.day.isoformat()) for rate in known)
    assert ask(RATES, **days)["exchangeRates"]["totalCount"] == len(found) == 64


def test_a_range_of_days_that_ends_before_it_starts_is_refused():
    refused = refusal(RATES, **{"from": "2020-01-03", "to": "2020-01-02"})
    assert refused == ("invalid_argument", {"argument": "to"})


def test_a_page_of_rates_is_a_range_of_an_index():
    cursor = ask(RATES, currency="USD", first=1)["exchangeRates"]["pageInfo"]["endCursor"]
    page = next(sql for sql in statements(RATES, first=2, after=cursor) if "LIMIT 3" in sql)
    with connection.cursor() as plan:
        plan.execute(f"EXPLAIN {page}")
        assert "Index Cond: (ROW((currency_id)::text, day) > ROW(" in "".join(row for (row,) in plan.fetchall())


def test_operator_rates_are_ordered_by_currency_and_period():
    for currency, month in (("NOK", 2), ("AED", 3), ("NOK", 1)):
        recipes.operator_rate.make(
            currency_id=currency, period_start=date(2020, month, 1), period_end=date(2020, month, 28), rate="1.50"
        )
    query = """query ($currency: String, $after: String) { operatorRates(currency: $currency, first: 2, after: $after) {
        edges { cursor node { currency { code } periodStart periodEnd rate note } } pageInfo { hasNextPage endCursor }
    } }"""
    found = [node for page in pages(query) for node in page]
    assert [(node["currency"]["code"], node["periodStart"]) for node in found] == [
        ("AED", "2020-03-01"),
        ("NOK", "2020-01-01"),
        ("NOK", "2020-02-01"),
    ]
    assert found[0] == {
        "currency": {"code": "AED"},
        "periodStart": "2020-03-01",
        "periodEnd": "2020-03-28",
        "rate": "1.50",
        "note": "",
    }
    assert len(nodes(query, currency="NOK")) == 2


# --- Setting a rate --------------------------------------------------------------------------------------------

SET = """mutation ($currency: String!, $start: Date!, $rate: Decimal!, $note: String) {
    setOperatorRate(currency: $currency, periodStart: $start, periodEnd: "2020-01-31", rate: $rate, note: $note) {
        changedDsrCount rate { currency { code } periodStart periodEnd rate note }
    }
}"""
NOK = {"currency": "NOK", "start": "2020-01-01", "rate": "0.0000001"}


def test_a_user_with_the_permissions_sets_a_rate_and_its_dsrs_use_it():
    dsr, other = recipes.dsr.make(), recipes.dsr.make(period_start=date(2020, 1, 2))
    user = user_with("add_operatorrate", "change_operatorrate")
    assert ask(SET, user, **NOK, note="by letter")["setOperatorRate"] == {
        "changedDsrCount": 1,
        "rate": {
            "currency": {"code": "NOK"},
            "periodStart": "2020-01-01",
            "periodEnd": "2020-01-31",
            "rate": "0.0000001",
            "note": "by letter",
        },
    }
    assert DSR.objects.get(pk=dsr.pk).exchange_rate == Decimal("0.0000001")
    assert DSR.objects.get(pk=other.pk).exchange_rate == other.exchange_rate
    assert RateChange.objects.get().changed_by == user
    # The next rate replaces it.
    assert ask(SET, user, **NOK | {"rate": "2"})["setOperatorRate"]["rate"]["rate"] == "2"
    assert OperatorRate.objects.get().rate == 2


def test_the_amounts_of_one_rate_are_told_apart_in_one_document():
    user = user_with("add_operatorrate", "change_operatorrate")
    one = """setOperatorRate(currency: "NOK", periodStart: "2020-01-01", periodEnd: "2020-01-31", rate: "%s") {
        replacedRate rate { rate } }"""
    fields = (f"{alias}: {one % rate}" for alias, rate in (("a", "9.85"), ("b", "98.5"), ("c", "98.50")))
    answer = ask(f"mutation {{ {' '.join(fields)} }}", user)
    assert answer == {
        "a": {"replacedRate": None, "rate": {"rate": "9.85"}},
        "b": {"replacedRate": "9.85", "rate": {"rate": "98.5"}},
        "c": {"replacedRate": None, "rate": {"rate": "98.50"}},
    }


@pytest.mark.parametrize("permissions", [["add_operatorrate"], ["change_operatorrate"], []])
def test_a_user_without_the_permissions_sets_no_rate(permissions):
    assert refusal(SET, user_with(*permissions), **NOK)[0] == "permission_denied"
    assert refusal(SET, AnonymousUser(), **NOK)[0] == "not_authenticated"
    assert not OperatorRate.objects.exists()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"rate": "0"}, "rate"),
        ({"rate": "-1"}, "rate"),
        ({"rate": "0." + "1" * 41}, "rate"),
        ({"currency": "EUR"}, "currency"),
        ({"currency": "QQQ"}, "currency"),
        ({"start": "2020-02-01"}, "period_end"),
        ({"note": "n" * 201}, "note"),
    ],
)
def test_an_invalid_rate_is_refused(change, named):
    user = user_with("add_operatorrate", "change_operatorrate")
    code, extra = refusal(SET, user, **NOK | change)
    assert code == "invalid_rate"
    assert named in extra
    assert not OperatorRate.objects.exists()
