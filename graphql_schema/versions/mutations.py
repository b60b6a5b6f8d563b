"""Mutations of earlier versions."""

from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue.dsrs.versions.superseding import version_delete
from catalogue.imports.loading.reverting import version_revert
from graphql_schema.arguments import parse_id, require_permissions


class RevertToVersion(graphene.Mutation):
    """Let an earlier version return, in place of the DSR that stands, which becomes an earlier version in turn.

    A version of a message returns with all DSRs of the message that were superseded in the same step. Needs the
    permission to change DSRs. Errors: `version_not_found`, `version_needs_message`, `name_looks_alike`,
    `exchange_rate_missing`, `exchange_rate_incomplete`.
    """

    class Arguments:
        id = graphene.ID(required=True, description="The id of the earlier version.")

    id = graphene.ID(required=True, description="The id of the DSR that returned: that of the version.")
    dsr_count = graphene.Int(required=True, description="The number of DSRs that returned.")

    @staticmethod
    def mutate(root: Any, info: GraphQLResolveInfo, id: str) -> dict[str, Any]:
        user = require_permissions(info.context.user, "catalogue.change_dsr")
        return {"id": id, "dsr_count": len(version_revert(version_number=parse_id("id", id), user=user))}


class DeleteVersion(graphene.Mutation):
    """Drop an earlier version for good. Needs the permission to delete DSRs. Errors: `version_not_found`."""

    class Arguments:
        id = graphene.ID(required=True, description="The id of the earlier version.")

    id = graphene.ID(required=True, description="The id of the dropped version.")

    @staticmethod
    def mutate(root: Any, info: GraphQLResolveInfo, id: str) -> dict[str, Any]:
        require_permissions(info.context.user, "catalogue.delete_dsr")
        version_delete(version_number=parse_id("id", id))
        return {"id": id}
