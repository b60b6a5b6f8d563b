"""Mutations of price limits."""

from datetime import date
from decimal import Decimal as Number
from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from graphql_schema.arguments import LARGEST_ID, parse_id, require_permissions
from graphql_schema.price_limits.types import Carrier, LimitSpan, PriceLimit, UsageType
from graphql_schema.scalars import Date, Decimal
from subscriptions.limits.services import price_limit_delete, price_limit_set


class SetPriceLimit(graphene.Mutation):
    """Set the price limit of a subscription, of a carrier or, without both, of all, in place of the one it has.

    Needs the permission to add price limits. Errors: `invalid_limit`, `subscription_not_found`.
    """

    class Arguments:
        usage_type = UsageType(required=True, name="type", description="The usage type.")
        span = LimitSpan(required=True, description="Whether it limits each calendar month, or the total.")
        price = Decimal(required=True, description="The price: more than zero.")
        subscription = graphene.ID(description="The id of the subscription that it is for.")
        carrier = Carrier(description="The carrier that it is for.")
        since = Date(description="A day of the first month that has the limit. Without it, the present month.")

    price_limit = graphene.Field(PriceLimit, required=True, description="The stored limit.")

    @staticmethod
    def mutate(
        root: Any,
        info: GraphQLResolveInfo,
        *,
        usage_type: Any,
        span: Any,
        price: Number,
        subscription: str | None = None,
        carrier: Any = None,
        since: date | None = None,
    ) -> dict[str, Any]:
        require_permissions(info.context.user, "subscriptions.add_pricelimit")
        limit = price_limit_set(
            usage_type=usage_type.value,
            span=span.value,
            price=price,
            subscription_id=None
            if subscription is None
            else parse_id("subscription", subscription, largest=LARGEST_ID),
            carrier=carrier and carrier.value,
            since=since,
        )
        return {"price_limit": limit}


class DeletePriceLimit(graphene.Mutation):
    """Delete a price limit. What reached it is withdrawn.

    Needs the permission to delete price limits. Errors: `limit_not_found`.
    """

    class Arguments:
        id = graphene.ID(required=True, description="The id of the price limit.")

    id = graphene.ID(required=True, description="The id of the deleted price limit.")

    @staticmethod
    def mutate(root: Any, info: GraphQLResolveInfo, id: str) -> dict[str, Any]:
        require_permissions(info.context.user, "subscriptions.delete_pricelimit")
        price_limit_delete(limit_number=parse_id("id", id, largest=LARGEST_ID))
        return {"id": id}
