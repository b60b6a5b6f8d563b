"""Queries for statistics of DSRs."""

from datetime import date
from functools import partial
from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue.dsrs.statistics.comparison import GROUPINGS, PREVIOUS, Period, comparison, earlier_period
from catalogue.dsrs.statistics.coverage import MOST_MONTHS, coverage, parse_month
from catalogue.dsrs.statistics.groups import Grouping, dsr_statistics
from catalogue.resources.comparison import ComparedResource as ComparedRow
from catalogue.resources.comparison import (
    ResourceComparison,
    Show,
    resource_comparison,
    resource_comparison_count,
)
from dsrhub.exceptions import InvalidArgument
from dsrhub.texts.marked import gettext_lazy as _
from graphql_schema.batches import batched
from graphql_schema.connections import Key, Keyset, KeysetField, memory_keyset
from graphql_schema.dsrs.filters import dsr_arguments, dsr_filters, dsr_search
from graphql_schema.statistics.types import (
    Compared,
    ComparedResource,
    ComparedResources,
    SeriesCoverage,
    Statistic,
    StatisticGroup,
)


def compared_periods() -> dict[str, Any]:
    """The arguments of two periods to compare."""
    return {
        "period": graphene.String(
            required=True, description="The later month, quarter or year, such as 2020-02, 2020-Q1 or 2020."
        ),
        # `with` is a keyword of Python.
        "other": graphene.String(
            name="with",
            default_value=PREVIOUS,
            description="The period to compare with: previous, year_before, or a period as long as the later one.",
        ),
    }


class StatisticQueries(graphene.ObjectType):
    statistics = KeysetField(
        Statistic,
        group_by=StatisticGroup(required=True, description="What the DSRs are grouped by."),
        then_by=StatisticGroup(description="A second column by which they are grouped."),
        **dsr_arguments(),
        description="Statistics of groups of ingested DSRs, from the totals of the DSRs, ordered by the group.",
    )

    coverage = KeysetField(
        SeriesCoverage,
        # `from` is a keyword of Python.
        first_month=graphene.String(name="from", required=True, description="The first month, such as 2020-01."),
        last_month=graphene.String(
            name="to", required=True, description=f"The last month (inclusive), at most {MOST_MONTHS} in all."
        ),
        **dsr_filters(),
        description="Series of DSRs of one music service, offer, society, territory and currency, and what is "
        "delivered for their months.",
    )

    comparison = KeysetField(
        Compared,
        by=StatisticGroup(required=True, description=f"One of {', '.join(GROUPINGS).upper()}."),
        **compared_periods(),
        **dsr_filters(),
        description="Groups of DSRs in two periods, ordered by name. Only DSRs count whose whole period lies in one.",
    )

    recording_comparison = KeysetField(
        ComparedResource,
        percentile=graphene.Int(required=True, description="N, the share of all revenue in per cent: 1 to 100."),
        show=ComparedResources(
            default_value=ComparedResources.TOP, required=True, description="Which resources are listed."
        ),
        **compared_periods(),
        **dsr_filters(),
        description="The highest-earning resources that together make N % of the revenue of the later period, by rank, "
        "with what they had in the earlier one; or those of the earlier one that are gone, by their rank there. Only "
        "DSRs count whose whole period lies in one. Errors: `ranking_not_ready`.",
    )

    @staticmethod
    def resolve_comparison(
        root: Any, info: GraphQLResolveInfo, by: Any, period: str, other: str | None, **search: Any
    ) -> Keyset:
        grouping = Grouping(by.name.lower())
        if grouping not in GROUPINGS:
            raise InvalidArgument(_("Periods cannot be compared by this."), argument="by")
        later, earlier = _periods(period, other)
        rows = comparison(by=grouping, period=later, other=earlier, search=dsr_search(**search))
        return memory_keyset(f"comparison by {grouping}", rows, key=str)

    @staticmethod
    def resolve_recording_comparison(root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Keyset:
        return _recordings(**arguments)

    @staticmethod
    def resolve_coverage(
        root: Any, info: GraphQLResolveInfo, first_month: str, last_month: str, **search: Any
    ) -> Keyset:
        first, last = _month("from", first_month), _month("to", last_month)
        return memory_keyset("coverage", coverage(first=first, last=last, search=dsr_search(**search)), position=int)

    @staticmethod
    def resolve_statistics(
        root: Any, info: GraphQLResolveInfo, group_by: Any, then_by: Any = None, **search: Any
    ) -> Keyset:
        groupings = [Grouping(group.name.lower()) for group in (group_by, then_by) if group is not None]
        statistics = dsr_statistics(group_by=groupings, search=dsr_search(**search))
        return memory_keyset(f"statistics by {' '.join(groupings)}", statistics, key=str)


def _periods(period: str, other: str | None) -> tuple[Period, Period]:
    """The later and the earlier period."""
    later = Period.parse(period)
    if later is None:
        raise InvalidArgument(
            _("Must be a month, quarter or year, such as 2020-02, 2020-Q1 or 2020."), argument="period"
        )
    return later, earlier_period(later, PREVIOUS if other is None else other)


def _recordings(*, percentile: int, show: Any, period: str, other: str | None, **search: Any) -> Keyset:
    listed = Show(show.name.lower())
    asked = ResourceComparison(percentile, *_periods(period, other), dsr_search(**search), listed)

    def rows(after: Key | None, limit: int) -> list[ComparedRow]:
        found = resource_comparison(asked=asked, after=after[0] if after else 0, limit=limit)
        batched([row.resource for row in found])
        return found

    count = partial(resource_comparison_count, asked=asked)
    return Keyset(f"{listed} of recordings", (int,), rows, lambda row: (row.place,), count)


def _month(argument: str, text: str) -> date:
    month = parse_month(text)
    if month is None:
        raise InvalidArgument(_("Must be a month such as 2020-01."), argument=argument)
    return month
