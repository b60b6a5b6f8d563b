"""Queries for messages."""

from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue import models
from catalogue.dsrs.messages import message_get, messages_described
from graphql_schema.arguments import LARGEST_ID, parse_id
from graphql_schema.batches import batched
from graphql_schema.connections import Keyset, KeysetField, queryset_keyset
from graphql_schema.messages.types import Message


class MessageQueries(graphene.ObjectType):
    message = graphene.Field(
        Message,
        id=graphene.ID(required=True, description="The id of the message."),
        description="A message by its id. Errors: `message_not_found`.",
    )
    messages = KeysetField(Message, description="The messages of which DSRs are imported, ordered by id.")

    @staticmethod
    def resolve_message(root: Any, info: GraphQLResolveInfo, id: str) -> models.ReportMessage:
        return batched([message_get(message_number=parse_id("id", id, largest=LARGEST_ID))])[0]

    @staticmethod
    def resolve_messages(root: Any, info: GraphQLResolveInfo) -> Keyset:
        return queryset_keyset(messages_described(), id=int)
