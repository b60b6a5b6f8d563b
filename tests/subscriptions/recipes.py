"""Recipes of model-bakery for the rows of usage. Usage records are added through the services instead.

Choices are fixed, because random values would violate the constraints of the tables.
"""

from datetime import date

from model_bakery.recipe import Recipe, foreign_key

from subscriptions.models import DailyUsage, SealedDay, Subscription

subscription = Recipe(Subscription, carrier="att", status="active")
sealed_day = Recipe(SealedDay, usage_type="data", day=date(2026, 1, 5))
daily_usage = Recipe(
    DailyUsage, subscription=foreign_key(subscription), usage_type="data", day=date(2026, 1, 5), record_count=1
)
