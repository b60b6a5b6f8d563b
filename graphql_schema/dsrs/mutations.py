"""What an operator does with DSRs."""

from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue.dsrs import services
from graphql_schema.arguments import allowed, id_number


class DeleteDSR(graphene.Mutation):
    """Delete a DSR with its lines and problems: they count no more at once.

    Needs the permission to delete DSRs. Errors: `dsr_not_found`.
    """

    class Arguments:
        id = graphene.ID(required=True, description="The number of the DSR.")

    id = graphene.ID(required=True, description="The number of the DSR that is gone.")

    @staticmethod
    def mutate(root: Any, info: GraphQLResolveInfo, id: str) -> dict[str, Any]:
        allowed(info.context.user, "catalogue.delete_dsr")
        services.dsr_delete(dsr_number=id_number("id", id))
        return {"id": id}
