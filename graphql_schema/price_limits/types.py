"""The types of price limits, and of what reached them."""

from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from graphql_schema.model_types import ModelType
from graphql_schema.scalars import choices_enum
from graphql_schema.subscriptions.types import Carrier, UsageType
from subscriptions import models

__all__ = ["Carrier", "LimitCrossing", "LimitScope", "LimitSpan", "PriceLimit", "UsageType"]

LimitSpan = choices_enum(
    models.LimitSpan,
    "LimitSpan",
    "What a price limit adds up.",
    month="Each calendar month by itself.",
    total="All time.",
)
LimitScope = choices_enum(
    models.LimitScope,
    "LimitScope",
    "Whom a price limit is for.",
    subscription="One subscription.",
    carrier="The subscriptions of a carrier.",
    all="All subscriptions.",
)


class PriceLimit(ModelType):
    """A price limit. Of a subscription, its own one applies, else that of its carrier, else that of all."""

    class Meta:
        model = models.PriceLimit
        fields = {
            "id": "The id, the same as in REST.",
            "usage_type": "The usage type.",
            "span": "Whether it limits each calendar month, or the total.",
            "price": "The price. A price that is equal to it has reached it.",
            "carrier": "The carrier that it is for.",
            "since": "The first day of the first month that has the limit; none for a limit of the total.",
        }

    subscription_id = graphene.ID(description="The id of the subscription that it is for.")

    @staticmethod
    def resolve_subscription_id(limit: models.PriceLimit, info: GraphQLResolveInfo) -> Any:
        return limit.subscription_id


class LimitCrossing(ModelType):
    """The day on which the price of a subscription first reached its limit, in a month or in total."""

    class Meta:
        model = models.LimitCrossing
        fields = {
            "id": "The id, the same as in REST.",
            "usage_type": "The usage type.",
            "span": "Whether it is a limit of a calendar month, or of the total.",
            "month": "The first day of the month; none for the total.",
            "day": "The day on which the limit was reached.",
            "price_limit": "The limit that was reached.",
            "scope": "Whom the limit is for.",
            "found_at": "When a worker found it.",
            "withdrawn_at": "When it was withdrawn: later records or limits made it wrong.",
        }

    subscription_id = graphene.ID(required=True, description="The id of the subscription.")

    @staticmethod
    def resolve_subscription_id(crossing: models.LimitCrossing, info: GraphQLResolveInfo) -> Any:
        return crossing.subscription_id
