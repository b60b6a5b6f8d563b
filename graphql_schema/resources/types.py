"""The types of resources and of the reports about them."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue import models
from catalogue.dsrs import selectors as dsr_selectors
from catalogue.exceptions import DSRNotFound
from catalogue.resources.found import FoundResource, ResourceKey, ResourceSums
from catalogue.resources.reported import (
    ResourceFacts,
    ResourceReport,
    reports_by_resource,
    resource_facts,
    resource_sums,
)
from graphql_schema.batches import batched, load_batch
from graphql_schema.connections import Key, Keyset, KeysetField
from graphql_schema.dsrs.types import DSR
from graphql_schema.scalars import BigInt, Decimal


def _fact(name: str, description: str) -> graphene.Field:
    """A field with a value that only messages have."""

    def resolve(resource: FoundResource, info: GraphQLResolveInfo) -> str | None:
        value: str | None = getattr(load_facts(resource), name)
        return value

    return graphene.Field(graphene.String, resolver=resolve, description=description)


class Report(graphene.ObjectType):
    """What one DSR reports about a resource. A field without a value is null."""

    dsr = graphene.Field(DSR, required=True, description="The DSR.")
    usages = BigInt(description="The number of usages in this DSR.")
    revenue = Decimal(description="The revenue in the currency of the DSR.")
    revenue_eur = Decimal(description="The revenue in EUR, rounded half-even to 40 decimals.")

    @staticmethod
    def resolve_dsr(report: ResourceReport, info: GraphQLResolveInfo) -> models.DSR:
        dsrs = load_batch(report, "dsrs", _dsrs)
        if report.dsr_id not in dsrs:
            raise DSRNotFound(f"There is no DSR {report.dsr_id} any more.", id=report.dsr_id)
        return dsrs[report.dsr_id]


class Resource(graphene.ObjectType):
    """A recording of one music service, identified by (dsp, dspId), with its sums over the DSRs in scope."""

    dsp = graphene.String(required=True, description="The music service.")
    dsp_id = graphene.String(required=True, description="The id that the music service gives the recording.")
    title = graphene.String(description="The title in the latest report that has one.")
    artists = graphene.String(description="The artists in the latest report that has any, separated by `|`.")
    isrc = graphene.String(description="The ISRC in the latest report that has one.")
    isrcs = _fact("isrcs", "All ISRCs, separated by `|`, in the latest report in scope that has several.")
    iswc = _fact("iswc", "The ISWC of the work in the latest report in scope that has one.")
    composers = _fact("composers", "The composers in the latest report in scope that has any, separated by `|`.")
    label = _fact("label", "The label of the release in the latest report in scope that has one.")
    icpn = _fact("icpn", "The ICPN (barcode) of the release in the latest report in scope that has one.")
    usages = BigInt(description="The number of usages in the DSRs in scope.")
    revenue_eur = Decimal(description="The exact revenue in EUR in the DSRs in scope.")
    reports = KeysetField(
        Report, description="The reports of the DSRs in scope about the resource, ordered by the id of the DSR."
    )

    @staticmethod
    def resolve_usages(resource: FoundResource, info: GraphQLResolveInfo) -> int | None:
        return load_sums(resource).usages

    @staticmethod
    def resolve_revenue_eur(resource: FoundResource, info: GraphQLResolveInfo) -> Any:
        return load_sums(resource).revenue_eur

    @staticmethod
    def resolve_reports(resource: FoundResource, info: GraphQLResolveInfo) -> Keyset:
        count = partial(report_count, resource)
        return Keyset("report", (int,), partial(load_reports, resource), lambda report: (report.dsr_id,), count)


class TopResource(graphene.ObjectType):
    """A resource in the ranking by revenue."""

    rank = graphene.Int(required=True, description="The rank: 1 has the highest revenue.")
    cumulative_share = Decimal(
        required=True,
        description="The revenue up to this rank in per cent of all revenue, rounded to 10 decimals.",
    )
    resource = graphene.Field(Resource, required=True, description="The resource.")


def load_sums(resource: FoundResource) -> ResourceSums:
    return resource.sums or load_batch(resource, "sums", _sums)[resource.key]


def load_facts(resource: FoundResource) -> ResourceFacts:
    return load_batch(resource, "facts", _facts)[resource.key]


def load_reports(resource: FoundResource, after: Key | None, limit: int) -> Sequence[ResourceReport]:
    number = after[0] if after else None
    loader = partial(_reports, after=number, limit=limit)
    return load_batch(resource, ("reports", number, limit), loader).get(resource.key, [])


def report_count(resource: FoundResource) -> int:
    return load_sums(resource).report_count


# --- Loaders of a batch ----------------------------------------------------------------------------------------


def _sums(resources: Sequence[FoundResource]) -> Mapping[ResourceKey, ResourceSums]:
    keys = [resource.key for resource in resources]
    return resource_sums(resources=keys, scope=resources[0].scope)


def _facts(resources: Sequence[FoundResource]) -> Mapping[ResourceKey, ResourceFacts]:
    keys = [resource.key for resource in resources]
    return resource_facts(resources=keys, scope=resources[0].scope)


def _reports(
    resources: Sequence[FoundResource], *, after: int | None, limit: int
) -> Mapping[ResourceKey, list[ResourceReport]]:
    keys = [resource.key for resource in resources]
    by_resource = reports_by_resource(resources=keys, scope=resources[0].scope, after=after, limit=limit)
    batched([report for reports in by_resource.values() for report in reports])
    return by_resource


def _dsrs(reports: Sequence[ResourceReport]) -> Mapping[int, models.DSR]:
    dsrs = dsr_selectors.dsrs_by_id(report.dsr_id for report in reports)
    batched(list(dsrs.values()))
    return dsrs
