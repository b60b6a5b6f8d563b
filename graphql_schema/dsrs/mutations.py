"""Mutations of DSRs."""

from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue.dsrs.services import dsr_delete
from graphql_schema.arguments import parse_id, require_permissions


class DeleteDSR(graphene.Mutation):
    """Delete a DSR with its lines and problems. Sums and rankings exclude it at once.

    Needs the permission to delete DSRs. Errors: `dsr_not_found`.
    """

    class Arguments:
        id = graphene.ID(required=True, description="The id of the DSR.")

    id = graphene.ID(required=True, description="The id of the deleted DSR.")

    @staticmethod
    def mutate(root: Any, info: GraphQLResolveInfo, id: str) -> dict[str, Any]:
        require_permissions(info.context.user, "catalogue.delete_dsr")
        dsr_delete(dsr_number=parse_id("id", id))
        return {"id": id}
