"""Recipes for the rows of tests. Usage records are added through the services instead.

Choices are fixed, as random ones would violate the constraints of the tables.
"""

from datetime import date

from django.contrib.auth.models import User
from model_bakery.recipe import Recipe, foreign_key
from rest_framework.authtoken.models import Token

from subscriptions.models import DailyUsage, SealedDay, Subscription

subscription = Recipe(Subscription, carrier="att", status="active")
sealed_day = Recipe(SealedDay, usage_type="data", day=date(2026, 1, 5))
daily_usage = Recipe(
    DailyUsage, subscription=foreign_key(subscription), usage_type="data", day=date(2026, 1, 5), record_count=1
)

superuser = Recipe(User, username="ada", is_staff=True, is_superuser=True)
# A staff user without any permission.
staff = Recipe(User, username="bob", is_staff=True)
token = Recipe(Token, user=foreign_key(Recipe(User, username="bob")))
