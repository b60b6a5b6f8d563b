"""After any sequence of writes, refreshes and purges, each answer is the sum of all records.

The answers after random sequences are compared with the sum of a list of records in Python.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriptions.aggregates.over_price import subscription_list_over_price
from subscriptions.aggregates.ranges import Step
from subscriptions.aggregates.services import daily_usage_check, daily_usage_refresh
from subscriptions.exceptions import DaySealed, UsageRecordNotFound
from subscriptions.models import RECORD_MODELS, UsageType
from subscriptions.records import services
from subscriptions.records.events import UsageEvent
from subscriptions.records.services import usage_record_edit, usage_records_add, usage_records_delete
from subscriptions.retention.services import usage_records_purge
from tests.subscriptions.helpers import ALWAYS, as_text, forget_everything, mark_singly, naive_sums, subscribe, sums

FIRST_DAY = date(2026, 1, 31)
# Few keys, so that steps affect the same keys: two subscriptions, and days around the end of January.
SUBSCRIPTIONS = 2
DAYS = 3
FEBRUARY = date(2026, 2, 1), date(2026, 2, 28)

usage_types = st.sampled_from(list(UsageType))
events = st.builds(
    UsageEvent,
    subscription=st.integers(0, SUBSCRIPTIONS - 1),
    usage_date=st.builds(
        lambda day, second: datetime(2026, 1, 31, tzinfo=UTC) + timedelta(days=day, seconds=second),
        st.integers(0, DAYS - 1),
        st.integers(0, 86_399),
    ),
    price=st.decimals("-5", "100", places=3),
    amount=st.integers(0, 2**40),
    external_id=st.none(),
)
days = st.integers(0, DAYS).map(lambda number: FIRST_DAY + timedelta(days=number))
steps = st.one_of(
    st.tuples(st.just("add"), usage_types, st.lists(events, min_size=1, max_size=5), st.booleans()),
    st.tuples(st.just("edit"), st.integers(0), events, st.booleans()),
    st.tuples(st.just("delete"), st.integers(0)),
    st.tuples(st.just("refresh"), days, days),
    st.tuples(st.just("rebuild")),
    st.tuples(st.just("purge"), days),
)


class Books:
    """Calls the services, and keeps a plain list of the records that were accepted and not deleted."""

    def __init__(self):
        self.ids = [one.pk for one in subscribe(SUBSCRIPTIONS)]
        self.records = {}  # (usage type, id) -> event
        self.purged = []  # (usage type, event)
        self.sealed = set()  # (usage type, day)

    def _of(self, event):
        return event._replace(subscription=self.ids[event.subscription])

    def _is_sealed(self, usage_type, event):
        return (usage_type, event.usage_date.date()) in self.sealed

    def add(self, usage_type, new, backfill):
        new = [self._of(event) for event in new]
        if not backfill and any(self._is_sealed(usage_type, event) for event in new):
            with pytest.raises(DaySealed):
                usage_records_add(usage_type=usage_type, records=new)
            return
        before = self._ids(usage_type)
        assert usage_records_add(usage_type=usage_type, records=new, backfill=backfill).added == len(new)
        self.records |= zip(
            [(usage_type, number) for number in sorted(self._ids(usage_type) - before)], new, strict=True
        )

    def _ids(self, usage_type):
        return set(RECORD_MODELS[usage_type].objects.values_list("pk", flat=True))

    def edit(self, nth, event, backfill):
        if not self.records:
            with pytest.raises(UsageRecordNotFound):
                usage_record_edit(usage_type=UsageType.DATA, record_id=2**40, values=self._of(event))
            return
        usage_type, number = sorted(self.records)[nth % len(self.records)]
        old, new = self.records[usage_type, number], self._of(event)
        edit = {"usage_type": usage_type, "record_id": number, "values": new, "backfill": backfill}
        moves = old.usage_date.date() != new.usage_date.date()
        if moves and not backfill and self._is_sealed(usage_type, new):
            with pytest.raises(DaySealed):
                usage_record_edit(**edit)
            return
        usage_record_edit(**edit)
        self.records[usage_type, number] = new

    def delete(self, nth):
        if self.records:
            usage_type, number = sorted(self.records)[nth % len(self.records)]
            assert usage_records_delete(usage_type=usage_type, record_ids=[number]) == 1
            del self.records[usage_type, number]

    def refresh(self, *days):
        daily_usage_refresh(start=min(days), end=max(days))

    def rebuild(self):
        daily_usage_refresh(rebuild=True)

    def purge(self, before):
        for day in usage_records_purge(before=before).purged:
            self.sealed.add((day.usage_type, day.day))
        gone = [key for key, event in self.records.items() if event.usage_date.date() < before]
        self.purged += [(key[0], self.records.pop(key)) for key in gone]

    def all_records(self):
        kept = [(key[0], event) for key, event in self.records.items()]
        return [
            (event.subscription, usage_type, event.usage_date.date(), event.price, event.amount)
            for usage_type, event in kept + self.purged
        ]


def assert_exact(books, start, end):
    records = books.all_records()
    # All time (read from the totals), many months, one month, the given days, one day.
    for bounds in ((date.min, date.max), ALWAYS, FEBRUARY, (start, end), (end, end)):
        expected = naive_sums(records, *bounds)
        assert sums(*bounds) == expected
        for by in Step:
            assert sums(*bounds, by=by) == naive_sums(records, *bounds, by=by)
        # A query for one subscription must give the same.
        assert sums(*bounds, subscription_id=books.ids[0]) == {
            key: value for key, value in expected.items() if key[0] == books.ids[0]
        }
        over = subscription_list_over_price(price_limit=Decimal("50"), start=bounds[0], end=bounds[1]).rows
        assert {
            (row.subscription_id, str(one.usage_type)): as_text(one.total_price) for row in over for one in row.exceeded
        } == {key: price for key, (price, _) in expected.items() if Decimal(price) >= 50}


@pytest.mark.parametrize("way", ["few", "many"])
@settings(max_examples=10)
@given(sequence=st.lists(steps, min_size=1, max_size=12), bounds=st.tuples(days, days))
def test_an_answer_is_always_the_sum_of_all_records(real_commits, monkeypatch, way, sequence, bounds):
    if way == "many":  # by COPY, and with marks of whole days
        monkeypatch.setattr(services, "FEW_RECORDS", 0)
        mark_singly(monkeypatch, 1)
    forget_everything()
    books = Books()
    for step, *arguments in sequence:
        getattr(books, step)(*arguments)
        assert_exact(books, *sorted(bounds))
    daily_usage_refresh()
    assert_exact(books, *sorted(bounds))
    assert daily_usage_check().differences == []
