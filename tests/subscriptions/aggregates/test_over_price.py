"""The subscriptions whose price reached a limit. Expected values are summed by hand."""

from datetime import date
from decimal import Decimal

import pytest

from subscriptions.aggregates.answers import ReachedPrice, SubscriptionOverPrice
from subscriptions.aggregates.over_price import subscription_count_over_price, subscription_list_over_price
from subscriptions.exceptions import InvalidUsageQuestion
from tests.subscriptions.helpers import DATA, VOICE, add, event, over, subscribe

pytestmark = pytest.mark.django_db


def test_a_price_is_reached_from_the_limit_on(state):
    below, at, above = subscribe(3)
    add(event(below, price="9.999"), event(at, price="10"), event(above, price="12.50"))
    state()
    assert over("10") == {at.pk: {"data": ("10.00", "0.00")}, above.pk: {"data": ("12.50", "2.50")}}


def test_each_usage_type_is_judged_by_itself(state):
    split, both = subscribe(2)
    add(event(split, price="6"), event(both, price="11"))
    add(event(split, price="6"), event(both, price="10.5"), usage_type=VOICE)
    state()
    assert over("10") == {both.pk: {"data": ("11.00", "1.00"), "voice": ("10.50", "0.50")}}
    assert over("6") == {
        split.pk: {"data": ("6.00", "0.00"), "voice": ("6.00", "0.00")},
        both.pk: {"data": ("11.00", "5.00"), "voice": ("10.50", "4.50")},
    }


def test_the_answer_has_rows_of_reached_prices(state):
    someone = subscribe()
    add(event(someone, price="12.50"))
    state()
    assert subscription_list_over_price(price_limit=Decimal(10)).rows == [
        SubscriptionOverPrice(someone.pk, [ReachedPrice(DATA, Decimal("12.50"), Decimal("2.50"))])
    ]


def test_only_the_range_counts(state):
    someone = subscribe()
    add(event(someone, 31, "6"), event(someone, 1, "6", month=2), event(someone, 28, "5", month=2))
    state()
    assert over("11") == {someone.pk: {"data": ("17.00", "6.00")}}
    assert over("11", start=date(2026, 2, 1)) == {someone.pk: {"data": ("11.00", "0.00")}}
    assert over("11", end=date(2026, 2, 1)) == {someone.pk: {"data": ("12.00", "1.00")}}
    assert over("11", start=date(2026, 2, 1), end=date(2026, 2, 27)) == {}
    assert over("6", start=date(2026, 1, 31), end=date(2026, 1, 31)) == {someone.pk: {"data": ("6.00", "0.00")}}


def test_a_limit_of_zero_lists_subscriptions_with_a_record_in_the_range(state):
    free, credited, _idle = subscribe(3)
    add(event(free, price="0"), event(credited, price="-1"))
    state()
    assert over("0") == {free.pk: {"data": ("0.00", "0.00")}}
    assert over("0", start=date(2026, 2, 1)) == {}


def test_prices_of_one_carrier(carriers):
    one, two, sprint = carriers
    assert over("2", carrier="att").keys() == {one.pk, two.pk}
    assert over("2", usage_type=VOICE).keys() == {sprint.pk}
    assert over("2", usage_type=VOICE, carrier="att") == {}
    assert subscription_count_over_price(price_limit=Decimal(2), usage_type=DATA, carrier="att") == 2
    assert subscription_count_over_price(price_limit=Decimal(2), usage_type=DATA, carrier="sprint") == 0


@pytest.mark.parametrize("ask", [subscription_list_over_price, subscription_count_over_price])
def test_a_negative_price_limit_is_refused(ask):
    with pytest.raises(InvalidUsageQuestion) as refusal:
        ask(price_limit=Decimal("-0.01"))
    assert refusal.value.extra == {"parameter": "price_limit"}


def test_pages_of_subscriptions(state):
    subscriptions = subscribe(5)
    add(*[event(one, price="3") for one in subscriptions])
    state()
    first = over("1", limit=2)
    assert list(first) == [subscriptions[0].pk, subscriptions[1].pk]
    assert list(over("1", after=subscriptions[1].pk, limit=10)) == [one.pk for one in subscriptions[2:]]
    assert over("1", after=2**63 - 1) == {}


def test_the_percentage_above_the_limit_is_exact():
    digits = "1" * 30 + "." + "1" * 20
    assert ReachedPrice(DATA, Decimal("12.50"), Decimal("2.50")).exceeded_percent == Decimal(25)
    assert ReachedPrice(DATA, Decimal(7), Decimal(4)).exceeded_percent == Decimal("133.333333333333")
    assert ReachedPrice(DATA, 2 * Decimal(digits[:20]), Decimal(digits[:20])).exceeded_percent == 100
    assert ReachedPrice(DATA, Decimal(digits), Decimal(0)).exceeded_percent == 0
    assert ReachedPrice(DATA, Decimal(digits), Decimal(digits)).exceeded_percent is None
