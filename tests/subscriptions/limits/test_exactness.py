"""After any sequence of writes and changes of limits, the crossings are those of a plain calculation.

The books of `test_exactness` have the records. Here, limits are set and deleted as well, subscriptions change their
carrier, and the worker follows now and then.
"""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriptions.limits import changes
from subscriptions.limits.comparing import limit_crossings_check
from subscriptions.limits.following import limits_follow
from subscriptions.limits.selectors import limits_are_current
from subscriptions.limits.services import limits_apply_anew, price_limit_delete, price_limit_set
from subscriptions.models import LimitCrossing, LimitSpan, PriceLimit, Subscription, UsageType
from subscriptions.records.events import UsageEvent
from tests.subscriptions.helpers import forget_everything
from tests.subscriptions.test_exactness import SUBSCRIPTIONS, Books
from tests.subscriptions.test_exactness import steps as steps_of_records

MONTHS = (date(2026, 1, 1), date(2026, 2, 1))
usage_types = st.sampled_from(list(UsageType))
spans = st.sampled_from(list(LimitSpan))
scopes = st.sampled_from([*range(SUBSCRIPTIONS), "att", "sprint", None])
# Unlike those of the books, of many days of both months, so that sums grow and shrink over a month.
events_of_months = st.builds(
    UsageEvent,
    subscription=st.integers(0, SUBSCRIPTIONS - 1),
    usage_date=st.builds(lambda day: datetime(2026, 1, 10, 12, tzinfo=UTC) + timedelta(days=day), st.integers(0, 40)),
    price=st.decimals("-30", "60", places=1),
    amount=st.just(1),
    external_id=st.none(),
)
additions = st.tuples(st.just("add"), usage_types, st.lists(events_of_months, min_size=1, max_size=8), st.booleans())
steps = st.one_of(
    steps_of_records,
    additions,
    additions,
    st.tuples(st.just("limit"), usage_types, spans, scopes, st.integers(1, 150), st.sampled_from(MONTHS)),
    st.tuples(st.just("unlimit"), st.integers(0)),
    st.tuples(st.just("move"), st.integers(0, SUBSCRIPTIONS - 1), st.sampled_from(["att", "sprint"])),
)
# Limits of which some are reached by a record or two, before the steps begin.
first_limits = st.lists(st.tuples(spans, scopes, st.integers(20, 150)), min_size=1, max_size=3)


class LimitBooks(Books):
    def __init__(self):
        super().__init__()
        self.carriers = dict.fromkeys(self.ids, "att")
        self.limits = {}  # (usage type, span, scope) -> (price, since)

    def limit(self, usage_type, span, scope, price, since):
        scope = self.ids[scope] if isinstance(scope, int) else scope
        since = since if span == LimitSpan.MONTH else None
        whose = {"subscription_id": scope} if isinstance(scope, int) else {"carrier": scope}
        price_limit_set(usage_type=usage_type, span=span, price=Decimal(price), since=since, **whose)
        self.limits[usage_type, span, scope] = (Decimal(price), since)

    def unlimit(self, nth):
        if self.limits:
            usage_type, span, scope = key = sorted(self.limits, key=str)[nth % len(self.limits)]
            rows = PriceLimit.objects.filter(usage_type=usage_type, span=span)
            (number,) = [row.pk for row in rows if scope in (row.subscription_id, row.carrier) and _is_of(row, scope)]
            price_limit_delete(limit_number=number)
            del self.limits[key]

    def move(self, nth, carrier):
        Subscription.objects.filter(pk=self.ids[nth]).update(carrier=carrier)
        limits_apply_anew(subscription_id=self.ids[nth])
        self.carriers[self.ids[nth]] = carrier

    def applies(self, subscription, usage_type, span, month):
        """The price and the scope of the limit that applies; None where there is none."""
        for scope, name in (
            (subscription, "subscription"),
            (self.carriers[subscription], "carrier"),
            (None, "all"),
        ):
            price, since = self.limits.get((usage_type, span, scope), (None, None))
            if price is not None and (month is None or since <= month):
                return price, name
        return None

    def crossings(self):
        by_day = defaultdict(Decimal)
        for subscription, usage_type, day, price, _ in self.all_records():
            by_day[subscription, usage_type, day] += price
        found = {}
        for subscription in self.ids:
            for usage_type in UsageType:
                for span, month in ((LimitSpan.TOTAL, None), *((LimitSpan.MONTH, month) for month in MONTHS)):
                    limit, total = self.applies(subscription, usage_type, span, month), Decimal(0)
                    of_span = sorted(
                        (key[2], price)
                        for key, price in by_day.items()
                        if key[:2] == (subscription, usage_type) and (month is None or key[2].replace(day=1) == month)
                    )
                    for day, price in of_span:
                        total += price
                        if limit and total >= limit[0]:
                            found[subscription, usage_type, span, month] = (day, *limit)
                            break
        return found


def _is_of(row, scope):
    return scope is not None or (row.subscription_id is None and row.carrier is None)


def standing():
    return {
        (one.subscription_id, one.usage_type, one.span, one.month): (one.day, one.price_limit, one.scope)
        for one in LimitCrossing.objects.filter(withdrawn_at=None)
    }


@pytest.mark.usefixtures("real_commits")
@settings(max_examples=15)
@given(
    limits=first_limits,
    steps=st.lists(st.tuples(steps, st.booleans()), min_size=4, max_size=14),
    batch=st.sampled_from([1, 2000]),
)
def test_the_crossings_are_those_of_a_plain_calculation(limits, steps, batch):
    forget_everything()
    books = LimitBooks()
    with patch.object(changes, "BATCH", batch):
        for span, scope, price in limits:
            books.limit(UsageType.DATA, span, scope, price, MONTHS[0])
        for (name, *arguments), is_followed in steps:
            getattr(books, name)(*arguments)
            if is_followed:
                limits_follow()
                assert standing() == books.crossings()
        limits_follow()
        assert standing() == books.crossings()
        assert limits_are_current()
        assert limit_crossings_check().differences == []
        # Whatever was worked out step by step is what is worked out at once.
        before = LimitCrossing.objects.count()
        for number in books.ids:
            limits_apply_anew(subscription_id=number)
        assert limits_follow() == 0
        assert LimitCrossing.objects.count() == before
