"""The statement ADD and the SQL functions of ADD_ONE add a record in the same way."""

from datetime import date

import pytest
from django.db import transaction

from subscriptions.exceptions import DaySealed, InvalidUsage
from subscriptions.models import RECORD_MODELS
from subscriptions.records import inserting
from tests.subscriptions import recipes
from tests.subscriptions.helpers import DATA, VOICE, event, marks, subscribe

pytestmark = pytest.mark.django_db


def by_statement(usage_type, record, backfill):
    """Whether ADD adds the record."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(inserting, "_add_one", lambda *_: False)
        try:
            return inserting.records_add(usage_type, [record], backfill=backfill) == 1
        except (DaySealed, InvalidUsage):
            return False


def effect(add, usage_type, record, backfill):
    """The result of a way of adding, and the rows that it writes. Its transaction is rolled back."""
    model = RECORD_MODELS[usage_type]
    columns = ("subscription", "usage_date", "day", "price", model.amount_column, "external_id")
    with transaction.atomic():
        is_added = add(usage_type, record, backfill)
        written = is_added, list(model.objects.values_list(*columns)), marks()
        transaction.set_rollback(True)
    return written


@pytest.mark.parametrize("usage_type", [DATA, VOICE])
@pytest.mark.parametrize(
    ("changes", "sealed", "backfill", "is_added"),
    [
        ({}, False, False, True),
        ({}, False, True, True),
        ({}, True, False, False),
        ({}, True, True, True),
        ({"subscription": 10**12}, False, False, False),
    ],
)
def test_the_function_of_the_database_does_what_the_statement_does(usage_type, changes, sealed, backfill, is_added):
    record = event(subscribe(), 5, "-0.0000001", 2**63 - 1)._replace(**changes)
    if sealed:
        recipes.sealed_day.make(usage_type=usage_type, day=date(2026, 1, 5))
    by_function = effect(inserting._add_one, usage_type, record, backfill)
    assert by_function == effect(by_statement, usage_type, record, backfill)
    assert (by_function[0], len(by_function[1]), len(by_function[2])) == (is_added, is_added, is_added)
