"""The types of subscriptions and their usage."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from typing import Any

import graphene
from graphene_django.converter import EnumValueField
from graphql import GraphQLResolveInfo

from dsrhub.texts.marked import gettext_lazy as _
from graphql_schema.arguments import require_range
from graphql_schema.batches import batched, load_batch
from graphql_schema.connections import Key, Keyset, KeysetField
from graphql_schema.model_types import ModelType
from graphql_schema.scalars import BigInt, Date, Decimal, choices_enum, names_enum
from subscriptions import models
from subscriptions.aggregates.answers import ReachedPrice, UsageTotal
from subscriptions.aggregates.ranges import Step
from subscriptions.aggregates.totals import usage_by_subscription, usage_counts_by_subscription
from subscriptions.exceptions import SubscriptionNotFound
from subscriptions.subscribers.selectors import subscription_list

UsageType = choices_enum(
    models.UsageType, "UsageType", "The type of usage.", data="Data, in kilobytes.", voice="Voice, in seconds."
)
Carrier = choices_enum(
    models.Subscription.Carrier, "Carrier", "The carrier of a subscription.", att="AT&T.", sprint="Sprint."
)
SubscriptionStatus = choices_enum(
    models.Subscription.Status,
    "SubscriptionStatus",
    "The status of a subscription.",
    new="The subscription has not started.",
    active="The subscription is in use.",
    suspended="The subscription is suspended.",
    expired="The subscription has ended.",
)
UsageGroup = names_enum(
    "UsageGroup",
    "What usage is grouped by.",
    TYPE="One row per usage type.",
    DAY="One row per usage type and day.",
    MONTH="One row per usage type and month.",
)


def range_arguments(*, required: bool = True) -> dict[str, Any]:
    return {
        "start": Date(name="from", required=required, description="The first day."),
        "end": Date(name="to", required=required, description="The last day (inclusive)."),
    }


def usage_arguments() -> dict[str, Any]:
    return {
        **range_arguments(),
        "usage_type": UsageType(name="type", description="Only usage of this type."),
        "group_by": UsageGroup(
            required=True, default_value=UsageGroup.TYPE, description="What the usage is grouped by."
        ),
    }


@dataclass(frozen=True)
class UsageFilter:
    """The arguments of a usage field. Fields with equal arguments share a batch."""

    start: date
    end: date
    usage_type: models.UsageType | None
    by: Step | None


def parse_usage_filter(start: date, end: date, group_by: Any, usage_type: Any = None) -> UsageFilter:
    require_range(start, end)
    by = None if group_by.name == "TYPE" else Step[group_by.name]
    return UsageFilter(start, end, usage_type and usage_type.value, by)


def usage_type_field() -> graphene.Field:
    return EnumValueField(UsageType, required=True, description="The usage type.")


class Usage(graphene.ObjectType):
    """The usage of one subscription and one type, in the whole range, on one day or in one month."""

    usage_type = usage_type_field()
    day = Date(description="The day, if usage is grouped by day.")
    month = graphene.String(description="The month, such as 2026-01, if usage is grouped by month.")
    total_price = Decimal(required=True, description="The total price.")
    total_usage = BigInt(required=True, description="The total usage in the unit of the type.")
    unit = graphene.String(required=True, description="The unit: `kilobytes` or `seconds`.")


class UsageMetric(graphene.ObjectType):
    """The usage of subscriptions and one type, in the whole range, on one day or in one month."""

    carrier = EnumValueField(Carrier, description="The carrier of the subscriptions, if usage is grouped by it.")
    usage_type = usage_type_field()
    day = Date(description="The day, if usage is grouped by day.")
    month = graphene.String(description="The month, such as 2026-01, if usage is grouped by month.")
    subscription_count = BigInt(required=True, description="The number of subscriptions with such usage.")
    total_price = Decimal(required=True, description="The total price.")
    total_usage = BigInt(required=True, description="The total usage in the unit of the type.")
    unit = graphene.String(required=True, description="The unit: `kilobytes` or `seconds`.")


class Subscription(ModelType):
    """A subscription that uses data and voice."""

    class Meta:
        model = models.Subscription
        fields = {
            "id": "The id, the same as in REST.",
            "carrier": "The carrier.",
            "status": "The status.",
        }

    usage = KeysetField(
        Usage,
        **usage_arguments(),
        description="The usage in a range of days, ordered by type and day. It includes every record accepted so far.",
    )

    @staticmethod
    def resolve_usage(subscription: models.Subscription, info: GraphQLResolveInfo, **arguments: Any) -> Keyset:
        filters = parse_usage_filter(**arguments)
        rows = partial(load_usage, subscription, filters)
        count = partial(load_usage_count, subscription, filters)
        if filters.by:
            kind = f"usage by {filters.by}"
            return Keyset(kind, (str, date), rows, lambda usage: (usage.usage_type, usage.first_day), count)
        return Keyset("usage by type", (str,), rows, lambda usage: (usage.usage_type,), count)


class ReachedLimit(graphene.ObjectType):
    """A usage type whose price reached the limit."""

    usage_type = usage_type_field()
    total_price = Decimal(required=True, description="The total price.")
    exceeded_by = Decimal(required=True, description="The total price minus the limit.")


class SubscriptionOverLimit(graphene.ObjectType):
    """A subscription whose total price for data, or for voice, reached the limit."""

    subscription = graphene.Field(Subscription, required=True, description="The subscription.")
    exceeded = graphene.List(
        graphene.NonNull(ReachedLimit),
        required=True,
        description="The usage types whose price reached the limit: one or both.",
    )

    @staticmethod
    def resolve_subscription(over: "OverLimit", info: GraphQLResolveInfo) -> models.Subscription:
        subscriptions = load_batch(over, "subscriptions", _subscriptions)
        if over.subscription_id not in subscriptions:
            raise SubscriptionNotFound(
                _("There is no subscription %(id)s.") % {"id": over.subscription_id}, id=over.subscription_id
            )
        return subscriptions[over.subscription_id]


@dataclass
class OverLimit:
    subscription_id: int
    exceeded: list[ReachedPrice]


def load_usage(
    subscription: models.Subscription, filters: UsageFilter, after: Key | None, limit: int
) -> Sequence[UsageTotal]:
    loader = partial(_usage, filters, after, limit)
    return load_batch(subscription, ("usage", filters, after, limit), loader).get(subscription.pk, [])


def load_usage_count(subscription: models.Subscription, filters: UsageFilter) -> int:
    return load_batch(subscription, ("usage count", filters), partial(_usage_counts, filters)).get(subscription.pk, 0)


# --- Loaders of a batch ----------------------------------------------------------------------------------------


def _usage(
    filters: UsageFilter, after: Key | None, limit: int, subscriptions: Sequence[models.Subscription]
) -> Mapping[int, list[UsageTotal]]:
    ids = [subscription.pk for subscription in subscriptions]
    key = (after[0], after[1] if filters.by else None) if after else None
    return usage_by_subscription(subscription_ids=ids, after=key, limit=limit, **asdict(filters))


def _usage_counts(filters: UsageFilter, subscriptions: Sequence[models.Subscription]) -> Mapping[int, int]:
    ids = [subscription.pk for subscription in subscriptions]
    return usage_counts_by_subscription(subscription_ids=ids, **asdict(filters))


def _subscriptions(rows: Sequence[OverLimit]) -> Mapping[int, models.Subscription]:
    subscriptions = subscription_list().in_bulk([over.subscription_id for over in rows])
    batched(list(subscriptions.values()))
    return subscriptions
