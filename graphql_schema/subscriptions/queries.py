"""What can be asked about subscriptions and their usage."""

from dataclasses import asdict
from datetime import date
from decimal import Decimal as Number
from functools import partial
from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from dsrhub.exceptions import InvalidArgument
from graphql_schema.arguments import LARGEST_ID, id_number
from graphql_schema.batches import together
from graphql_schema.connections import Key, Keyset, KeysetField, keyset_in_memory, keyset_of
from graphql_schema.scalars import Decimal
from graphql_schema.subscriptions.types import (
    Carrier,
    OverLimit,
    Subscription,
    SubscriptionOverLimit,
    SubscriptionStatus,
    UsageMetric,
    range_arguments,
    usage_arguments,
    usage_question,
)
from subscriptions import models, selectors


class SubscriptionQueries(graphene.ObjectType):
    subscription = graphene.Field(
        Subscription,
        id=graphene.ID(required=True, description="The number of the subscription."),
        description="One subscription. Errors: `subscription_not_found`.",
    )
    subscriptions = KeysetField(
        Subscription,
        carrier=Carrier(description="Of this carrier alone."),
        status=SubscriptionStatus(description="Of this status alone."),
        description="All subscriptions, by their numbers.",
    )
    usage_metrics = KeysetField(
        UsageMetric,
        **usage_arguments(),
        description="What all subscriptions together used between two days, by type and day.",
    )
    subscriptions_over_limit = KeysetField(
        SubscriptionOverLimit,
        price_limit=Decimal(required=True, description="The price: who reached it is listed."),
        **range_arguments(required=False),
        description="The subscriptions whose data or voice, each by itself, reached a price, by their numbers.",
    )

    @staticmethod
    def resolve_subscription(root: Any, info: GraphQLResolveInfo, id: str) -> models.Subscription:
        number = id_number("id", id, largest=LARGEST_ID)
        return together([selectors.subscription_get(subscription_id=number)])[0]

    @staticmethod
    def resolve_subscriptions(root: Any, info: GraphQLResolveInfo, carrier: Any = None, status: Any = None) -> Keyset:
        found = selectors.subscription_list(carrier=carrier and carrier.value, status=status and status.value)
        return keyset_of(found, id=int)

    @staticmethod
    def resolve_usage_metrics(root: Any, info: GraphQLResolveInfo, **asked: Any) -> Keyset:
        question = usage_question(**asked)
        key: dict[str, type] = {"usage_type": str, "day": date} if question.by_day else {"usage_type": str}
        return keyset_in_memory(f"metrics by {' '.join(key)}", selectors.usage_metrics(**asdict(question)).rows, **key)

    @staticmethod
    def resolve_subscriptions_over_limit(root: Any, info: GraphQLResolveInfo, **asked: Any) -> Keyset:
        return subscriptions_over_limit(**asked)


def subscriptions_over_limit(price_limit: Number, start: date | None = None, end: date | None = None) -> Keyset:
    if price_limit < 0:
        raise InvalidArgument("Not zero or more.", argument="priceLimit")
    if (start or date.min) > (end or date.max):
        raise InvalidArgument("The range ends before it begins.", argument="to")
    asked: dict[str, Any] = {"price_limit": price_limit, "start": start, "end": end}

    def rows(place: Key | None, limit: int) -> list[OverLimit]:
        answer = selectors.subscription_list_over_price(**asked, after=place[0] if place else 0, limit=limit)
        return [OverLimit(*row) for row in answer.rows]

    count = partial(selectors.subscription_count_over_price, **asked)
    return Keyset("over limit", (int,), rows, lambda over: (over.subscription_id,), count)
