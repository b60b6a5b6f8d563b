"""Recipes of model-bakery for the rows of usage. Usage records are added through the services instead.

Choices are fixed, because random values would violate the constraints of the tables.
"""

from datetime import date

from django.utils import timezone
from model_bakery.recipe import Recipe, foreign_key

from subscriptions.models import DailyUsage, LimitCrossing, PriceLimit, SealedDay, Subscription

subscription = Recipe(Subscription, carrier="att", status="active")
price_limit = Recipe(PriceLimit, usage_type="data", span="total", price=10)
limit_crossing = Recipe(
    LimitCrossing,
    subscription=foreign_key(subscription),
    usage_type="data",
    span="month",
    month=date(2026, 1, 1),
    day=date(2026, 1, 5),
    price_limit=10,
    scope="all",
    found_at=timezone.now,
)
sealed_day = Recipe(SealedDay, usage_type="data", day=date(2026, 1, 5))
daily_usage = Recipe(
    DailyUsage, subscription=foreign_key(subscription), usage_type="data", day=date(2026, 1, 5), record_count=1
)
