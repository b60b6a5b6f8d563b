"""Mutations of subscriptions."""

from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from graphql_schema.arguments import LARGEST_ID, parse_id, require_permissions
from graphql_schema.batches import batched
from graphql_schema.subscriptions.types import Carrier, Subscription, SubscriptionStatus
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
