"""Queries for price limits, and for what reached them."""

from datetime import date
from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from graphql_schema.arguments import LARGEST_ID, parse_id, require_range
from graphql_schema.connections import Keyset, KeysetField, queryset_keyset
from graphql_schema.price_limits.types import Carrier, LimitCrossing, LimitSpan, PriceLimit, UsageType
from graphql_schema.scalars import Date
from subscriptions.limits.selectors import limit_crossing_list, limits_are_current, price_limit_list


class PriceLimitQueries(graphene.ObjectType):
    price_limits = KeysetField(
        PriceLimit,
        subscription=graphene.ID(description="Only the limits of this subscription: its id."),
        carrier=Carrier(description="Only the limits of this carrier."),
        usage_type=UsageType(name="type", description="Only limits of this usage type."),
        description="The price limits, ordered by id.",
    )
    limit_crossings = KeysetField(
        LimitCrossing,
        subscription=graphene.ID(description="Only of this subscription: its id."),
        usage_type=UsageType(name="type", description="Only of this usage type."),
        span=LimitSpan(description="Only limits of months, or of the total."),
        start=Date(name="from", description="Reached on this day or later."),
        end=Date(name="to", description="Reached on this day or earlier."),
        withdrawn=graphene.Boolean(
            default_value=False, description="Whether those that were withdrawn are listed, too."
        ),
        description="Which subscription first reached which price limit, ordered by id.",
    )
    limits_are_current = graphene.Boolean(
        required=True,
        description="Whether `limitCrossings` include every record and limit that was accepted. If not, a worker will "
        "follow.",
    )

    @staticmethod
    def resolve_price_limits(
        root: Any,
        info: GraphQLResolveInfo,
        subscription: str | None = None,
        carrier: Any = None,
        usage_type: Any = None,
    ) -> Keyset:
        found = price_limit_list(
            subscription_id=_number(subscription),
            carrier=carrier and carrier.value,
            usage_type=usage_type and usage_type.value,
        )
        return queryset_keyset(found, id=int)

    @staticmethod
    def resolve_limit_crossings(
        root: Any,
        info: GraphQLResolveInfo,
        *,
        withdrawn: bool | None = False,
        subscription: str | None = None,
        usage_type: Any = None,
        span: Any = None,
        start: date | None = None,
        end: date | None = None,
    ) -> Keyset:
        require_range(start, end)
        found = limit_crossing_list(
            subscription_id=_number(subscription),
            usage_type=usage_type and usage_type.value,
            span=span and span.value,
            start=start,
            end=end,
            with_withdrawn=bool(withdrawn),
        )
        return queryset_keyset(found, id=int)

    @staticmethod
    def resolve_limits_are_current(root: Any, info: GraphQLResolveInfo) -> bool:
        return limits_are_current()


def _number(subscription: str | None) -> int | None:
    return None if subscription is None else parse_id("subscription", subscription, largest=LARGEST_ID)
