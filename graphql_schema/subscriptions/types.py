"""Subscriptions and their usage as GraphQL shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from typing import Any

import graphene
from graphene_django.converter import EnumValueField
from graphql import GraphQLResolveInfo

from dsrhub.exceptions import InvalidArgument
from graphql_schema.batches import ask, together
from graphql_schema.connections import Key, Keyset, KeysetField
from graphql_schema.model_types import ModelType
from graphql_schema.scalars import BigInt, Date, Decimal, enum_of, names_enum
from subscriptions import models
from subscriptions.exceptions import SubscriptionNotFound
from subscriptions.selectors import (
    ReachedPrice,
    UsageTotal,
    subscription_list,
    usage_by_subscription,
    usage_counts_by_subscription,
)

UsageType = enum_of(
    models.UsageType, "UsageType", "What is used.", data="Data, in kilobytes.", voice="Voice, in seconds."
)
Carrier = enum_of(models.Subscription.Carrier, "Carrier", "Who provides.", att="AT&T.", sprint="Sprint.")
SubscriptionStatus = enum_of(
    models.Subscription.Status,
    "SubscriptionStatus",
    "How far a subscription is.",
    new="It has not begun.",
    active="It is in use.",
    suspended="It is interrupted.",
    expired="It has ended.",
)
UsageGroup = names_enum(
    "UsageGroup",
    "What usage is grouped by.",
    TYPE="A row for each usage type.",
    DAY="A row for each usage type and day.",
)


def range_arguments(*, required: bool = True) -> dict[str, Any]:
    return {
        "start": Date(name="from", required=required, description="The first day."),
        "end": Date(name="to", required=required, description="The last day, which belongs to the range."),
    }


def usage_arguments() -> dict[str, Any]:
    return {
        **range_arguments(),
        "usage_type": UsageType(name="type", description="Of this type alone."),
        "group_by": UsageGroup(required=True, default_value=UsageGroup.TYPE, description="What it is grouped by."),
    }


@dataclass(frozen=True)
class UsageQuestion:
    """Which usage is asked for; whoever asks the same asks together."""

    start: date
    end: date
    usage_type: models.UsageType | None
    by_day: bool


def usage_question(start: date, end: date, group_by: Any, usage_type: Any = None) -> UsageQuestion:
    if end < start:
        raise InvalidArgument("The range ends before it begins.", argument="to")
    return UsageQuestion(start, end, usage_type and usage_type.value, group_by.name == "DAY")


def usage_type_field() -> graphene.Field:
    return EnumValueField(UsageType, required=True, description="What was used.")


class Usage(graphene.ObjectType):
    """What a subscription used of a type, in a range or on a day of it."""

    usage_type = usage_type_field()
    day = Date(description="The day, where usage is grouped by day.")
    total_price = Decimal(required=True, description="What it cost.")
    total_usage = BigInt(required=True, description="How much it was, in the unit of the type.")
    unit = graphene.String(required=True, description="`kilobytes` or `seconds`.")


class UsageMetric(graphene.ObjectType):
    """What all subscriptions together used of a type, in a range or on a day of it."""

    usage_type = usage_type_field()
    day = Date(description="The day, where usage is grouped by day.")
    subscription_count = BigInt(required=True, description="How many subscriptions used it.")
    total_price = Decimal(required=True, description="What it cost.")
    total_usage = BigInt(required=True, description="How much it was, in the unit of the type.")
    unit = graphene.String(required=True, description="`kilobytes` or `seconds`.")


class Subscription(ModelType):
    """Who uses data and voice."""

    class Meta:
        model = models.Subscription
        fields = {
            "id": "Its number, the same as over REST.",
            "carrier": "Who provides.",
            "status": "How far it is.",
        }

    usage = KeysetField(
        Usage,
        **usage_arguments(),
        description="What it used between two days, by type and day. It counts every record that was accepted by now.",
    )

    @staticmethod
    def resolve_usage(subscription: models.Subscription, info: GraphQLResolveInfo, **asked: Any) -> Keyset:
        question = usage_question(**asked)
        rows, count = partial(usage_of, subscription, question), partial(usage_count_of, subscription, question)
        if question.by_day:
            return Keyset("usage by day", (str, date), rows, lambda usage: (usage.usage_type, usage.day), count)
        return Keyset("usage by type", (str,), rows, lambda usage: (usage.usage_type,), count)


class ReachedLimit(graphene.ObjectType):
    """A usage type whose price reached the limit."""

    usage_type = usage_type_field()
    total_price = Decimal(required=True, description="What it cost.")
    exceeded_by = Decimal(required=True, description="How much more that is than the limit.")


class SubscriptionOverLimit(graphene.ObjectType):
    """A subscription whose data or voice, each by itself, reached a price."""

    subscription = graphene.Field(Subscription, required=True, description="The subscription.")
    exceeded = graphene.List(
        graphene.NonNull(ReachedLimit), required=True, description="The usage types that reached it: one or both."
    )

    @staticmethod
    def resolve_subscription(over: "OverLimit", info: GraphQLResolveInfo) -> models.Subscription:
        subscriptions = ask(over, "subscriptions", _subscriptions)
        if over.subscription_id not in subscriptions:
            raise SubscriptionNotFound(f"There is no subscription {over.subscription_id}.", id=over.subscription_id)
        return subscriptions[over.subscription_id]


@dataclass
class OverLimit:
    subscription_id: int
    exceeded: list[ReachedPrice]


def usage_of(
    subscription: models.Subscription, question: UsageQuestion, place: Key | None, limit: int
) -> Sequence[UsageTotal]:
    answer = partial(_usage, question, place, limit)
    return ask(subscription, ("usage", question, place, limit), answer).get(subscription.pk, [])


def usage_count_of(subscription: models.Subscription, question: UsageQuestion) -> int:
    return ask(subscription, ("usage count", question), partial(_usage_counts, question)).get(subscription.pk, 0)


# --- Of all subscriptions of a page at once --------------------------------------------------------------------


def _usage(
    question: UsageQuestion, place: Key | None, limit: int, subscriptions: Sequence[models.Subscription]
) -> Mapping[int, list[UsageTotal]]:
    ids = [subscription.pk for subscription in subscriptions]
    after = (place[0], place[1] if question.by_day else None) if place else None
    return usage_by_subscription(subscription_ids=ids, after=after, limit=limit, **asdict(question))


def _usage_counts(question: UsageQuestion, subscriptions: Sequence[models.Subscription]) -> Mapping[int, int]:
    ids = [subscription.pk for subscription in subscriptions]
    return usage_counts_by_subscription(subscription_ids=ids, **asdict(question))


def _subscriptions(rows: Sequence[OverLimit]) -> Mapping[int, models.Subscription]:
    subscriptions = subscription_list().in_bulk([over.subscription_id for over in rows])
    together(list(subscriptions.values()))
    return subscriptions
