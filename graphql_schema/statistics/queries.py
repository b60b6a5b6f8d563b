"""Queries for statistics of DSRs."""

from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue.dsrs.statistics import Grouping, dsr_statistics
from graphql_schema.connections import Keyset, KeysetField, memory_keyset
from graphql_schema.dsrs.filters import dsr_arguments, dsr_search
from graphql_schema.statistics.types import Statistic, StatisticGroup


class StatisticQueries(graphene.ObjectType):
    statistics = KeysetField(
        Statistic,
        group_by=StatisticGroup(required=True, description="What the DSRs are grouped by."),
        then_by=StatisticGroup(description="A second column by which they are grouped."),
        **dsr_arguments(),
        description="Statistics of groups of ingested DSRs, from the totals of the DSRs, ordered by the group.",
    )

    @staticmethod
    def resolve_statistics(
        root: Any, info: GraphQLResolveInfo, group_by: Any, then_by: Any = None, **search: Any
    ) -> Keyset:
        groupings = [Grouping(group.name.lower()) for group in (group_by, then_by) if group is not None]
        statistics = dsr_statistics(group_by=groupings, search=dsr_search(**search))
        return memory_keyset(f"statistics by {' '.join(groupings)}", statistics, key=str)
