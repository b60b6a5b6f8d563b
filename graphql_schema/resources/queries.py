"""What can be asked about resources."""

from functools import partial
from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue.lines.scope import Scope
from catalogue.resources.browsing import FEW_LINES, FEW_RESOURCES
from catalogue.resources.found import ResourceSearch
from catalogue.resources.found import TopResource as Top
from catalogue.resources.selectors import resource_count, resource_list, resource_top, resource_top_count
from graphql_schema.batches import together
from graphql_schema.connections import Key, Keyset, KeysetField
from graphql_schema.dsrs.filters import period_arguments
from graphql_schema.resources.filters import resource_arguments, resource_search, scope
from graphql_schema.resources.types import Resource, TopResource


class ResourceQueries(graphene.ObjectType):
    resources = KeysetField(
        Resource,
        **resource_arguments(),
        description="The resources that the DSRs that count report. Among the resources with some `dspId`, `isrc` or "
        "`words`, to order by revenue or usages, or to ask for a least of them, takes a search that finds at most "
        f"{FEW_RESOURCES:,}, or DSRs that have at most {FEW_LINES:,} lines. Errors: `search_too_wide`.",
    )
    top_resources = KeysetField(
        TopResource,
        percentile=graphene.Int(required=True, description="The share of all revenue in per cent: 1 to 100."),
        **period_arguments(),
        description="The fewest resources that together have a share of all revenue, the highest first.",
    )

    @staticmethod
    def resolve_resources(root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Keyset:
        return resources_found(resource_search(**arguments))

    @staticmethod
    def resolve_top_resources(root: Any, info: GraphQLResolveInfo, percentile: int, **counted: Any) -> Keyset:
        return resources_on_top(percentile, scope(**counted))


def resources_found(search: ResourceSearch) -> Keyset:
    return Keyset(
        kind=search.place_kind,
        types=search.place_types,
        rows=lambda after, limit: resource_list(search=search, after=after, limit=limit),
        key=lambda resource: resource.place,
        count=lambda: resource_count(search=search),
    )


def resources_on_top(percentile: int, counted: Scope) -> Keyset:
    def rows(after: Key | None, limit: int) -> list[Top]:
        top = resource_top(percentile=percentile, scope=counted, after=after[0] if after else 0, limit=limit)
        together([one.resource for one in top])
        return top

    count = partial(resource_top_count, percentile=percentile, scope=counted)
    return Keyset("rank", (int,), rows, lambda top: (top.rank,), count)
