"""Queries for resources."""

from functools import partial
from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue.lines.scope import Scope
from catalogue.resources.browsing import FEW_LINES, FEW_RESOURCES
from catalogue.resources.found import ResourceSearch
from catalogue.resources.found import TopResource as Top
from catalogue.resources.selectors import resource_count, resource_list, resource_top, resource_top_count
from graphql_schema.batches import batched
from graphql_schema.connections import Key, Keyset, KeysetField
from graphql_schema.dsrs.filters import period_arguments
from graphql_schema.resources.filters import resource_arguments, resource_scope, resource_search
from graphql_schema.resources.types import Resource, TopResource


class ResourceQueries(graphene.ObjectType):
    resources = KeysetField(
        Resource,
        **resource_arguments(),
        description="The resources that the DSRs in scope report. In scope are the ingested DSRs that match "
        "`territory`, `periodStart`, `periodEnd` and `dsr`. A search by `dspId`, `isrc` or `words` can be ordered by "
        "revenue or usages, or have a minimum of them, only if it finds at most "
        f"{FEW_RESOURCES:,} resources or if the DSRs in scope have at most {FEW_LINES:,} lines. "
        "Errors: `search_too_wide`, `ranking_not_ready`.",
    )
    top_resources = KeysetField(
        TopResource,
        percentile=graphene.Int(required=True, description="N, the share of all revenue in per cent: 1 to 100."),
        **period_arguments(),
        description="The highest-earning resources that together make N % of the revenue, the highest first. "
        "Errors: `ranking_not_ready`.",
    )

    @staticmethod
    def resolve_resources(root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Keyset:
        return resources_keyset(resource_search(**arguments))

    @staticmethod
    def resolve_top_resources(root: Any, info: GraphQLResolveInfo, percentile: int, **scope: Any) -> Keyset:
        return top_resources_keyset(percentile, resource_scope(**scope))


def resources_keyset(search: ResourceSearch) -> Keyset:
    return Keyset(
        kind=search.place_kind,
        types=search.place_types,
        rows=lambda after, limit: resource_list(search=search, after=after, limit=limit),
        key=lambda resource: resource.place,
        count=lambda: resource_count(search=search),
    )


def top_resources_keyset(percentile: int, scope: Scope) -> Keyset:
    def rows(after: Key | None, limit: int) -> list[Top]:
        top = resource_top(percentile=percentile, scope=scope, after=after[0] if after else 0, limit=limit)
        batched([row.resource for row in top])
        return top

    count = partial(resource_top_count, percentile=percentile, scope=scope)
    return Keyset("rank", (int,), rows, lambda top: (top.rank,), count)
