"""Mutations of subscriptions and their usage."""

from collections.abc import Mapping
from decimal import Decimal as Number
from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from graphql_schema.arguments import LARGEST_ID, parse_id, require_permissions
from graphql_schema.batches import batched
from graphql_schema.scalars import BigInt, Decimal
from graphql_schema.subscriptions.types import Carrier, Subscription, SubscriptionStatus
from subscriptions.records.documents import Sent, sent_record
from subscriptions.records.ingestion import Ingested, RecordResult, usage_records_ingest
from subscriptions.subscribers.services import subscription_change, subscription_create


class CreateSubscription(graphene.Mutation):
    """Create a subscription. Needs the permission to add subscriptions."""

    class Arguments:
        carrier = Carrier(required=True, description="The carrier.")
        status = SubscriptionStatus(required=True, default_value=SubscriptionStatus.new, description="The status.")

    subscription = graphene.Field(Subscription, required=True, description="The new subscription.")

    @staticmethod
    def mutate(root: Any, info: GraphQLResolveInfo, carrier: Any, status: Any) -> dict[str, Any]:
        require_permissions(info.context.user, "subscriptions.add_subscription")
        created = subscription_create(carrier=carrier.value, status=status.value)
        return {"subscription": batched([created])[0]}


class ChangeSubscription(graphene.Mutation):
    """Change the carrier or the status of a subscription. Needs the permission to change subscriptions.

    Errors: `subscription_not_found`.
    """

    class Arguments:
        id = graphene.ID(required=True, description="The id of the subscription.")
        carrier = Carrier(description="The new carrier. Without it, the carrier stays.")
        status = SubscriptionStatus(description="The new status. Without it, the status stays.")

    subscription = graphene.Field(Subscription, required=True, description="The changed subscription.")

    @staticmethod
    def mutate(root: Any, info: GraphQLResolveInfo, id: str, carrier: Any = None, status: Any = None) -> dict[str, Any]:
        require_permissions(info.context.user, "subscriptions.change_subscription")
        number = parse_id("id", id, largest=LARGEST_ID)
        changed = subscription_change(
            subscription_id=number, carrier=carrier and carrier.value, status=status and status.value
        )
        return {"subscription": batched([changed])[0]}


class UsageRecordInput(graphene.InputObjectType):
    """A record of usage. It has one of `kilobytesUsed` and `secondsUsed`."""

    subscription_id = graphene.ID(required=True, description="The id of the subscription.")
    usage_date = graphene.String(required=True, description="A time with its zone, as in RFC 3339.")
    price = Decimal(required=True, description="The price. A negative one is a credit.")
    kilobytes_used = BigInt(description="The data used, in kilobytes.")
    seconds_used = BigInt(description="The voice used, in seconds.")
    external_id = graphene.String(description="The own id of the record. With it, it can safely be sent again.")


class UsageRecordResult(graphene.ObjectType):
    """What became of a record. A refused one has a code, the property that is wrong, and a sentence."""

    position = graphene.Int(required=True, description="The place of the record in the list, from 1 on.")
    outcome = graphene.String(required=True, description="`added`, `repeated` or `refused`.")
    code = graphene.String(description="Why it was refused, for programs.")
    field = graphene.String(description="The property that is wrong, as in REST.")
    message = graphene.String(description="Why it was refused, for people.")

    @staticmethod
    def resolve_code(result: RecordResult, info: GraphQLResolveInfo) -> str | None:
        return result.problem.code if result.problem else None

    @staticmethod
    def resolve_field(result: RecordResult, info: GraphQLResolveInfo) -> str | None:
        return result.problem.field if result.problem else None

    @staticmethod
    def resolve_message(result: RecordResult, info: GraphQLResolveInfo) -> str | None:
        return result.problem.sentence.translated() if result.problem else None


class SendUsageRecords(graphene.Mutation):
    """Add records of usage: all of them or none, or with `partial` each that is valid.

    A record with an external id counts once, in whatever way it is sent. Needs the permission to send usage records.
    For large batches, use REST. Errors: `invalid_usage`, `day_sealed`, `usage_conflict`, `busy`.
    """

    class Arguments:
        records = graphene.List(
            graphene.NonNull(UsageRecordInput), required=True, description="The records, of both usage types."
        )
        partial = graphene.Boolean(
            required=True, default_value=False, description="Whether valid records are added where others are refused."
        )
        backfill = graphene.Boolean(
            required=True, default_value=False, description="Whether records of sealed days are added, too."
        )

    added = graphene.Int(required=True, description="How many records were added.")
    repeated = graphene.Int(required=True, description="How many were there already, under their external ids.")
    refused = graphene.Int(required=True, description="How many were refused.")
    results = graphene.List(
        graphene.NonNull(UsageRecordResult), description="The result of each record, with `partial`."
    )

    @staticmethod
    def mutate(
        root: Any, info: GraphQLResolveInfo, records: list[Mapping[str, Any]], partial: bool, backfill: bool
    ) -> Ingested:
        require_permissions(info.context.user, "subscriptions.ingest_usage")
        sent = [_sent(position, record) for position, record in enumerate(records, 1)]
        return usage_records_ingest(records=sent, partial=partial, backfill=backfill)


def _sent(position: int, record: Mapping[str, Any]) -> Sent:
    """The record of an input, by the checks of one that is sent as JSON."""
    plain = {name: f"{value:f}" if isinstance(value, Number) else value for name, value in record.items()}
    return sent_record(position, {name: value for name, value in plain.items() if value is not None})
