"""Queries for resources."""

from functools import partial
from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue.lines.scope import Scope
from catalogue.resources.browsing import FEW_LINES, FEW_RESOURCES
from catalogue.resources.found import ResourceSearch
from catalogue.resources.found import TopResource as Top
from catalogue.resources.identification import MOST_COUNTED, IsrcProblem, identification, identification_count
from catalogue.resources.identification import Unidentified as Found
from catalogue.resources.selectors import resource_count, resource_list, resource_top, resource_top_count
from dsrhub.database.pages import CutAt
from graphql_schema.batches import batched
from graphql_schema.connections import Key, Keyset, KeysetField
from graphql_schema.dsrs.filters import dsr_arguments, dsr_search, period_arguments
from graphql_schema.resources.filters import resource_arguments, resource_scope, resource_search
from graphql_schema.resources.types import ISRC_PROBLEM, Resource, TopResource, Unidentified


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

    identification = KeysetField(
        Unidentified,
        problem=ISRC_PROBLEM(required=True, description="What is wrong with the ISRC."),
        percentile=graphene.Int(
            default_value=10,
            required=True,
            description="Only the highest-earning resources that together make this per cent of the revenue: 1 to 100.",
        ),
        **dsr_arguments(),
        description="The resources that are hard to identify, the highest revenue first. A page may have fewer "
        "objects than requested, even none, though another one follows. Several ISRCs can be counted of at most "
        f"{MOST_COUNTED:,} resources. Errors: `search_too_wide`, `ranking_not_ready`.",
    )

    @staticmethod
    def resolve_identification(
        root: Any, info: GraphQLResolveInfo, problem: Any, percentile: int, **search: Any
    ) -> Keyset:
        return identification_keyset(IsrcProblem(problem.name.lower()), percentile, dsr_search(**search).scope())

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


def identification_keyset(problem: IsrcProblem, percentile: int, scope: Scope) -> Keyset:
    def rows(after: Key | None, limit: int) -> list[Found]:
        found = identification(
            problem=problem, percentile=percentile, scope=scope, after=after[0] if after else 0, limit=limit
        )
        batched([one.resource for one in found])
        return CutAt(found, (found.place,)) if isinstance(found, CutAt) else found

    count = partial(identification_count, problem=problem, percentile=percentile, scope=scope)
    return Keyset(f"{problem} by rank", (int,), rows, lambda one: (one.rank,), count)
