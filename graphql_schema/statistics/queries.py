"""What can be asked about DSRs in groups."""

from datetime import date
from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue.dsrs.statistics import COLUMNS, Grouping, dsr_statistics
from graphql_schema.connections import Keyset, KeysetField, keyset_in_memory
from graphql_schema.dsrs.filters import dsr_arguments, dsr_search
from graphql_schema.statistics.types import Statistic, StatisticGroup


class StatisticQueries(graphene.ObjectType):
    statistics = KeysetField(
        Statistic,
        group_by=StatisticGroup(required=True, description="What DSRs are grouped by."),
        **dsr_arguments(),
        description="The ingested DSRs in groups, from their own totals, in the order of what they are grouped by.",
    )

    @staticmethod
    def resolve_statistics(root: Any, info: GraphQLResolveInfo, group_by: Any, **search: Any) -> Keyset:
        grouping = Grouping(group_by.name.lower())
        key = {column: date if column.startswith("period") else str for column in COLUMNS[grouping]}
        statistics = dsr_statistics(group_by=grouping, search=dsr_search(**search))
        return keyset_in_memory(f"statistics by {grouping}", statistics, **key)
