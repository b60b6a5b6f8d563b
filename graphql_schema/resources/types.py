"""The types of resources and of the reports about them."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue import models
from catalogue.dsrs import selectors as dsr_selectors
from catalogue.exceptions import DSRNotFound
from catalogue.rates.selectors import territory_list
from catalogue.reports.cells import ISRC
from catalogue.resources.found import FoundResource, ResourceKey, ResourceSums
from catalogue.resources.reported import (
    ResourceFacts,
    ResourceReport,
    reports_by_resource,
    resource_facts,
    resource_sums,
)
from catalogue.resources.same_isrc import MOST, IsrcSums, same_isrc
from catalogue.resources.same_isrc import SameIsrc as Same
from dsrhub.texts.marked import gettext_lazy as _
from graphql_schema.batches import batched, load_batch
from graphql_schema.connections import Key, Keyset, KeysetField, memory_keyset
from graphql_schema.dsrs.types import DSR
from graphql_schema.rates.types import Territory
from graphql_schema.scalars import BigInt, Date, Decimal, names_enum


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
            raise DSRNotFound(_("There is no DSR %(id)s any more.") % {"id": report.dsr_id}, id=report.dsr_id)
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
    same_isrc = graphene.Field(
        lambda: SameIsrc,
        description="The resources of all music services that have the same ISRC. Null without a well-formed ISRC.",
    )
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
    def resolve_same_isrc(resource: FoundResource, info: GraphQLResolveInfo) -> Same | None:
        return load_batch(resource, "same ISRC", _same_isrc).get(resource.isrc or "")

    @staticmethod
    def resolve_reports(resource: FoundResource, info: GraphQLResolveInfo) -> Keyset:
        count = partial(report_count, resource)
        return Keyset("report", (int,), partial(load_reports, resource), lambda report: (report.dsr_id,), count)


class TerritorySums(graphene.ObjectType):
    """What resources have together in a territory."""

    territory = graphene.Field(Territory, required=True, description="The territory.")
    usages = BigInt(required=True, description="The sum of the usages.")
    revenue_eur = Decimal(required=True, description="The sum of the revenue in EUR.")

    @staticmethod
    def resolve_territory(sums: IsrcSums, info: GraphQLResolveInfo) -> models.Territory | None:
        return load_batch(sums, "territories", _territories).get(sums.territory)


class MonthSums(graphene.ObjectType):
    """What resources have together in a month, or in a period that lies in no month."""

    month = graphene.String(description="The month, such as 2020-01. Null where the period lies in none.")
    period_start = Date(description="The first day of the period, if it lies in no month.")
    period_end = Date(description="The last day of the period (inclusive), if it lies in no month.")
    usages = BigInt(required=True, description="The sum of the usages.")
    revenue_eur = Decimal(required=True, description="The sum of the revenue in EUR.")


class SameIsrc(graphene.ObjectType):
    """The resources of all music services with one ISRC that the DSRs in scope report, and their sums."""

    isrc = graphene.String(required=True, description="The ISRC.")
    resources = KeysetField(Resource, description="The resources, ordered by music service and id.")
    has_more = graphene.Boolean(
        required=True,
        description=f"Whether more than {MOST} resources have this ISRC. Only the first ones are listed and added up.",
    )
    territories = KeysetField(TerritorySums, description="Their sums by territory.")
    months = KeysetField(MonthSums, description="Their sums by month.")

    @staticmethod
    def resolve_resources(same: Same, info: GraphQLResolveInfo) -> Keyset:
        return memory_keyset("resource with an ISRC", same.resources, dsp=str, dsp_id=str)

    @staticmethod
    def resolve_territories(same: Same, info: GraphQLResolveInfo) -> Keyset:
        return memory_keyset("territory of an ISRC", same.territories, key=str)

    @staticmethod
    def resolve_months(same: Same, info: GraphQLResolveInfo) -> Keyset:
        return memory_keyset("month of an ISRC", same.months, key=str)


ISRC_PROBLEM = names_enum(
    "IsrcProblem",
    "Why a recording is hard to identify.",
    NO_ISRC="No line of it has an ISRC.",
    MALFORMED_ISRC="Its ISRC is not of the form of ISO 3901.",
    SEVERAL_ISRCS="Its lines have different ISRCs.",
)


class Unidentified(graphene.ObjectType):
    """A resource that is hard to identify."""

    rank = graphene.Int(required=True, description="The rank among all resources: 1 has the highest revenue.")
    problem = graphene.String(required=True, description="The code of the problem, such as `no_isrc`.")
    isrcs = graphene.String(description="All reported ISRCs, separated by `|`. Null unless several are the problem.")
    resource = graphene.Field(Resource, required=True, description="The resource.")


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


def _same_isrc(resources: Sequence[FoundResource]) -> Mapping[str, Same]:
    isrcs = [resource.isrc for resource in resources if resource.isrc and ISRC.fullmatch(resource.isrc)]
    found = same_isrc(isrcs=isrcs, scope=resources[0].scope)
    batched([resource for same in found.values() for resource in same.resources])
    batched([sums for same in found.values() for sums in same.territories])
    return found


def _territories(groups: Sequence[IsrcSums]) -> Mapping[str | None, models.Territory]:
    return territory_list().in_bulk([group.territory for group in groups])


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
