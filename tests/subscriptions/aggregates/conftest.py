"""Usage whose sums are known, in each state that aggregates can be in."""

from datetime import date

import pytest

from subscriptions.aggregates.services import daily_usage_refresh
from subscriptions.models import Subscription
from tests.subscriptions.helpers import VOICE, add, event, subscribe


@pytest.fixture(params=["marked", "refreshed", "partly"])
def state(request):
    """Brings the aggregates into a state. Call it after adding records: answers must be the same in each state."""

    def reach():
        if request.param == "refreshed":
            daily_usage_refresh()
        elif request.param == "partly":
            daily_usage_refresh(start=date(2026, 1, 31), end=date(2026, 2, 14))

    return reach


@pytest.fixture
def carriers(state):
    """AT&T has data for 3 on two days of January and 5 in February, Sprint voice for 7, and no data."""
    one, two, sprint = subscribe(3)
    Subscription.objects.filter(pk=sprint.pk).update(carrier="sprint")
    add(event(one, 5, "1", 10), event(two, 31, "2", 20), event(one, 1, "5", 50, month=2))
    add(event(sprint, 31, "7", 70), usage_type=VOICE)
    state()
    return one, two, sprint
