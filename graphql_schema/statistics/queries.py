"""Queries for statistics of DSRs."""

from datetime import date
from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue.dsrs.statistics import COLUMNS, Grouping, dsr_statistics
from graphql_schema.connections import Keyset, KeysetField, memory_keyset
from graphql_schema.dsrs.filters import dsr_arguments, dsr_search
from graphql_schema.statistics.types import Statistic, StatisticGroup


class StatisticQueries(graphene.ObjectType):
    statistics = KeysetField(
        Statistic,
        group_by=StatisticGroup(required=True, description="What the DSRs are grouped by."),
        **dsr_arguments(),
        description="Statistics of groups of ingested DSRs, from the totals of the DSRs, ordered by the group.",
    )

    @staticmethod
    def resolve_statistics(root: Any, info: GraphQLResolveInfo, group_by: Any, **search: Any) -> Keyset:
        grouping = Grouping(group_by.name.lower())
        key = {column: date if column.startswith("period") else str for column in COLUMNS[grouping]}
        statistics = dsr_statistics(group_by=grouping, search=dsr_search(**search))
        return memory_keyset(f"statistics by {grouping}", statistics, **key)
