"""Mutations of messages."""

from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue.dsrs.services import message_delete
from graphql_schema.arguments import LARGEST_ID, parse_id, require_permissions


class DeleteMessage(graphene.Mutation):
    """Delete a message with all of its DSRs, in one step. Sums and rankings exclude them at once.

    Needs the permission to delete DSRs. Errors: `message_not_found`.
    """

    class Arguments:
        id = graphene.ID(required=True, description="The id of the message.")

    id = graphene.ID(required=True, description="The id of the deleted message.")

    @staticmethod
    def mutate(root: Any, info: GraphQLResolveInfo, id: str) -> dict[str, Any]:
        require_permissions(info.context.user, "catalogue.delete_dsr")
        message_delete(message_number=parse_id("id", id, largest=LARGEST_ID))
        return {"id": id}
