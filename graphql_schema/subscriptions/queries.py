"""Queries for subscriptions and their usage."""

from dataclasses import asdict
from datetime import date
from decimal import Decimal as Number
from functools import partial
from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from dsrhub.exceptions import InvalidArgument
from dsrhub.texts.marked import gettext_lazy as _
from graphql_schema.arguments import LARGEST_ID, parse_id, require_range
from graphql_schema.batches import batched
from graphql_schema.connections import Key, Keyset, KeysetField, memory_keyset, queryset_keyset
from graphql_schema.scalars import Decimal
from graphql_schema.subscriptions.types import (
    Carrier,
    OverLimit,
    Subscription,
    SubscriptionOverLimit,
    SubscriptionStatus,
    UsageMetric,
    UsageType,
    parse_usage_filter,
    range_arguments,
    usage_arguments,
)
from subscriptions import models
from subscriptions.aggregates.metrics import usage_metrics
from subscriptions.aggregates.over_price import subscription_count_over_price, subscription_list_over_price
from subscriptions.subscribers.selectors import subscription_get, subscription_list

MOST_IDS = 1000


class SubscriptionQueries(graphene.ObjectType):
    subscription = graphene.Field(
        Subscription,
        id=graphene.ID(required=True, description="The id of the subscription."),
        description="A subscription by its id. Errors: `subscription_not_found`.",
    )
    subscriptions = KeysetField(
        Subscription,
        carrier=Carrier(description="Only subscriptions of this carrier."),
        status=SubscriptionStatus(description="Only subscriptions of this status."),
        ids=graphene.List(
            graphene.NonNull(graphene.ID), description=f"Only subscriptions with these ids: at most {MOST_IDS}."
        ),
        description="All subscriptions, ordered by id.",
    )
    usage_metrics = KeysetField(
        UsageMetric,
        **usage_arguments(),
        carrier=Carrier(description="Only usage of subscriptions of this carrier."),
        by_carrier=graphene.Boolean(
            required=True, default_value=False, description="Whether each carrier has rows of its own."
        ),
        description="The usage of subscriptions together in a range of days, by carrier, type, and day or month.",
    )
    subscriptions_over_limit = KeysetField(
        SubscriptionOverLimit,
        price_limit=Decimal(required=True, description="The price limit: subscriptions that reached it are listed."),
        **range_arguments(required=False),
        usage_type=UsageType(name="type", description="Only prices of this usage type."),
        carrier=Carrier(description="Only subscriptions of this carrier."),
        description="The subscriptions whose total price for data, or for voice, reached the limit, ordered by id.",
    )

    @staticmethod
    def resolve_subscription(root: Any, info: GraphQLResolveInfo, id: str) -> models.Subscription:
        number = parse_id("id", id, largest=LARGEST_ID)
        return batched([subscription_get(subscription_id=number)])[0]

    @staticmethod
    def resolve_subscriptions(
        root: Any,
        info: GraphQLResolveInfo,
        carrier: Any = None,
        status: Any = None,
        ids: list[str] | None = None,
    ) -> Keyset:
        numbers = None if ids is None else parse_ids(ids)
        found = subscription_list(carrier=carrier and carrier.value, status=status and status.value, ids=numbers)
        return queryset_keyset(found, id=int)

    @staticmethod
    def resolve_usage_metrics(
        root: Any, info: GraphQLResolveInfo, by_carrier: bool, carrier: Any = None, **arguments: Any
    ) -> Keyset:
        filters = parse_usage_filter(**arguments)
        search = asdict(filters) | {"carrier": carrier and carrier.value, "by_carrier": by_carrier}
        key: dict[str, type] = {"carrier": str} if by_carrier else {}
        key |= {"usage_type": str, "first_day": date} if filters.by else {"usage_type": str}
        return memory_keyset(f"metrics by {' '.join(key)} {filters.by}", usage_metrics(**search).rows, **key)

    @staticmethod
    def resolve_subscriptions_over_limit(root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Keyset:
        return over_limit_keyset(**arguments)


def parse_ids(ids: list[str]) -> list[int]:
    """The numbers of some ids. Raises InvalidArgument."""
    if len(ids) > MOST_IDS:
        raise InvalidArgument(_("More than %(most)s ids.") % {"most": MOST_IDS}, argument="ids")
    return [parse_id("ids", one, largest=LARGEST_ID) for one in ids]


def over_limit_keyset(
    price_limit: Number,
    start: date | None = None,
    end: date | None = None,
    usage_type: Any = None,
    carrier: Any = None,
) -> Keyset:
    if price_limit < 0:
        raise InvalidArgument(_("Must be zero or more."), argument="priceLimit")
    require_range(start, end)
    search: dict[str, Any] = {"price_limit": price_limit, "start": start, "end": end}
    search |= {"usage_type": usage_type and usage_type.value, "carrier": carrier and carrier.value}

    def rows(after: Key | None, limit: int) -> list[OverLimit]:
        answer = subscription_list_over_price(**search, after=after[0] if after else None, limit=limit)
        return [OverLimit(*row) for row in answer.rows]

    count = partial(subscription_count_over_price, **search)
    return Keyset("over limit", (int,), rows, lambda over: (over.subscription_id,), count)
