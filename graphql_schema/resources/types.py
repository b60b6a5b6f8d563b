"""Resources as GraphQL shows them: what they are, and who reports how much of them."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue import models
from catalogue.dsrs import selectors as dsr_selectors
from catalogue.exceptions import DSRNotFound
from catalogue.resources import reported
from catalogue.resources.found import FoundResource, ResourceKey, ResourceSums
from catalogue.resources.reported import ResourceReport
from graphql_schema.batches import ask, together
from graphql_schema.connections import Key, Keyset, KeysetField
from graphql_schema.dsrs.types import DSR
from graphql_schema.scalars import BigInt, Decimal


class Report(graphene.ObjectType):
    """What one DSR reports of a resource. What has no value is null."""

    dsr = graphene.Field(DSR, required=True, description="The DSR.")
    usages = BigInt(description="How often it was used, according to this DSR.")
    revenue = Decimal(description="Its revenue in the currency of the DSR.")
    revenue_eur = Decimal(description="Its revenue in EUR, rounded half-even to 40 decimals.")

    @staticmethod
    def resolve_dsr(report: ResourceReport, info: GraphQLResolveInfo) -> models.DSR:
        dsrs = ask(report, "dsrs", _dsrs)
        if report.dsr_id not in dsrs:
            raise DSRNotFound(f"There is no DSR {report.dsr_id} any more.", id=report.dsr_id)
        return dsrs[report.dsr_id]


class Resource(graphene.ObjectType):
    """What was used: a recording as a DSP knows it, by (DSP, dspId), with its sums over the DSRs that count."""

    dsp = graphene.String(required=True, description="The music service.")
    dsp_id = graphene.String(required=True, description="The music service's own id of the recording.")
    title = graphene.String(description="The title, as the latest report that has one tells it.")
    artists = graphene.String(
        description="The artists, separated by `|`, as the latest report that has some tells them."
    )
    isrc = graphene.String(description="The ISRC, as the latest report that has one tells it.")
    usages = BigInt(description="How often it was used, over the DSRs that count.")
    revenue_eur = Decimal(description="Its revenue in EUR, over the DSRs that count: exact.")
    reports = KeysetField(Report, description="The DSRs, of those that count, that report it, by their numbers.")

    @staticmethod
    def resolve_usages(resource: FoundResource, info: GraphQLResolveInfo) -> int | None:
        return sums_of(resource).usages

    @staticmethod
    def resolve_revenue_eur(resource: FoundResource, info: GraphQLResolveInfo) -> Any:
        return sums_of(resource).revenue_eur

    @staticmethod
    def resolve_reports(resource: FoundResource, info: GraphQLResolveInfo) -> Keyset:
        count = partial(report_count_of, resource)
        return Keyset("report", (int,), partial(reports_of, resource), lambda report: (report.dsr_id,), count)


class TopResource(graphene.ObjectType):
    """A resource by its place among those with the most revenue."""

    rank = graphene.Int(required=True, description="Its place: 1 has the most revenue.")
    cumulative_share = Decimal(
        required=True,
        description="How many per cent of all revenue it and those before it have, rounded to 10 decimals.",
    )
    resource = graphene.Field(Resource, required=True, description="The resource.")


def sums_of(resource: FoundResource) -> ResourceSums:
    return resource.sums or ask(resource, "sums", _sums)[resource.key]


def reports_of(resource: FoundResource, place: Key | None, limit: int) -> Sequence[ResourceReport]:
    after = place[0] if place else 0
    return ask(resource, ("reports", after, limit), partial(_reports, after=after, limit=limit)).get(resource.key, [])


def report_count_of(resource: FoundResource) -> int:
    return sums_of(resource).report_count


# --- Of all resources or reports of a page at once -------------------------------------------------------------


def _sums(resources: Sequence[FoundResource]) -> Mapping[ResourceKey, ResourceSums]:
    keys = [resource.key for resource in resources]
    return reported.resource_sums(resources=keys, scope=resources[0].scope)


def _reports(
    resources: Sequence[FoundResource], *, after: int, limit: int
) -> Mapping[ResourceKey, list[ResourceReport]]:
    keys = [resource.key for resource in resources]
    by_resource = reported.reports_by_resource(resources=keys, scope=resources[0].scope, after=after, limit=limit)
    together([report for reports in by_resource.values() for report in reports])
    return by_resource


def _dsrs(reports: Sequence[ResourceReport]) -> Mapping[int, models.DSR]:
    dsrs = dsr_selectors.dsrs_by_id(report.dsr_id for report in reports)
    together(list(dsrs.values()))
    return dsrs
