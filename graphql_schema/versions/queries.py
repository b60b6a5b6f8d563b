"""Queries for earlier versions."""

from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue import models
from catalogue.dsrs.selectors import dsr_get
from catalogue.dsrs.versions.selectors import version_count, version_get, version_list, versions_by_dsr
from graphql_schema.arguments import parse_id, require_permissions
from graphql_schema.connections import Key, Keyset, KeysetField, memory_keyset
from graphql_schema.versions.types import Version, VersionWithRecordings

NEEDED = "catalogue.view_dsr"


class VersionQueries(graphene.ObjectType):
    version = graphene.Field(
        VersionWithRecordings,
        id=graphene.ID(required=True, description="The id of the earlier version."),
        description="An earlier version by its id. Needs the permission to view DSRs. Errors: `version_not_found`.",
    )
    versions = KeysetField(
        Version,
        dsr=graphene.ID(description="Only the earlier versions of this DSR: its id."),
        description="DSRs that were replaced or deleted and can return, ordered by id. Needs the permission to view "
        "DSRs. Errors: `dsr_not_found`.",
    )

    @staticmethod
    def resolve_version(root: Any, info: GraphQLResolveInfo, id: str) -> models.SupersededDSR:
        require_permissions(info.context.user, NEEDED)
        return version_get(version_number=parse_id("id", id))

    @staticmethod
    def resolve_versions(root: Any, info: GraphQLResolveInfo, dsr: str | None = None) -> Keyset:
        require_permissions(info.context.user, NEEDED)
        if dsr is not None:
            found = dsr_get(dsr_number=parse_id("dsr", dsr))
            return memory_keyset("version of a DSR", versions_by_dsr([found]).get(found.pk, []), pk=int)
        return Keyset("version", (int,), _versions, lambda version: (version.pk,), version_count)


def _versions(after: Key | None, limit: int) -> list[models.SupersededDSR]:
    return version_list(after=after[0] if after else None, limit=limit)
