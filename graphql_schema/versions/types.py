"""The types of earlier versions and of what differs from them."""

from datetime import datetime
from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue import models
from catalogue.dsrs.versions import differences
from catalogue.dsrs.versions.selectors import kept_until
from graphql_schema.model_types import ModelType
from graphql_schema.scalars import BigInt, Decimal


class VersionDifference(graphene.ObjectType):
    """What the DSR that stands has more than an earlier version, or less if it is negative."""

    line_count = BigInt(required=True, description="The difference in lines.")
    usages = BigInt(required=True, description="The difference in usages.")
    revenue = Decimal(required=True, description="The difference in revenue, in the currency of both.")


class DifferentRecording(graphene.ObjectType):
    """A recording with its sums before and after. Revenue is in the currency of both DSRs."""

    dsp_id = graphene.String(required=True, description="The id that the music service gives the recording.")
    title = graphene.String(description="The title.")
    artists = graphene.String(description="The artists, separated by `|`.")
    usages_before = BigInt(required=True, description="The usages in the earlier version.")
    usages_after = BigInt(required=True, description="The usages in the DSR that stands.")
    revenue_before = Decimal(required=True, description="The revenue in the earlier version.")
    revenue_after = Decimal(required=True, description="The revenue in the DSR that stands.")
    revenue_difference = Decimal(required=True, description="The difference in revenue.")


class DifferentRecordings(graphene.ObjectType):
    """How many recordings there are, and those with the largest difference in revenue."""

    count = BigInt(required=True, description="The number of recordings.")
    largest = graphene.List(
        graphene.NonNull(DifferentRecording),
        required=True,
        description=f"At most {differences.MOST_LISTED}, the largest difference in revenue first.",
    )


class RecordingsDifference(graphene.ObjectType):
    """The recordings in which an earlier version and the DSR that stands differ."""

    came = graphene.Field(DifferentRecordings, required=True, description="Those that only the DSR that stands has.")
    went = graphene.Field(DifferentRecordings, required=True, description="Those that only the earlier version has.")
    changed = graphene.Field(DifferentRecordings, required=True, description="Those that both have with other sums.")


class Version(ModelType):
    """A DSR that was replaced or deleted and can return."""

    class Meta:
        model = models.SupersededDSR
        fields = {
            "path": "The name of the file as delivered.",
            "sha256": "The SHA-256 hash of the unpacked content.",
            "dsp": "The music service (DSP) that reports.",
            "offer": "The offer: a product of the music service, such as SpotifyDuo.",
            "society": "The collecting society that the report is for.",
            "territory": "The territory in which the recordings were used.",
            "currency": "The currency of the revenue.",
            "period_start": "The first day of the period.",
            "period_end": "The last day of the period (inclusive).",
            "commercial_model": "The commercial model. Only messages state it.",
            "use_type": "The use type of all lines that have none of their own. Only messages state it.",
            "subscriber_type": "The type of the subscribers. Only messages state it.",
            "line_count": "The number of lines.",
            "total_usages": "The sum of the usages of all lines.",
            "total_revenue": "The exact sum of the revenue of all lines, in its currency.",
            "imported_at": "The time of the import.",
            "superseded_at": "The time when it was replaced or deleted.",
            "byte_count": "About the bytes that it takes on disk.",
        }

    id = graphene.ID(required=True, description="The id that it had as a DSR, and will have if it returns.")
    # The column is numeric, because a sum may exceed a big integer, but its value is a whole number.
    total_usages = BigInt(required=True)
    successor = graphene.ID(description="The id of the DSR that replaced it. Null if it was deleted.")
    kept_until = graphene.DateTime(
        required=True, description="When it is dropped: earlier if all versions become too large."
    )
    standing = graphene.ID(description="The id of the DSR that stands in its place.")
    difference = graphene.Field(VersionDifference, description="Null where no DSR stands in its place.")

    @staticmethod
    def resolve_kept_until(version: models.SupersededDSR, info: GraphQLResolveInfo) -> datetime:
        return kept_until(version)

    @staticmethod
    def resolve_standing(version: models.SupersededDSR, info: GraphQLResolveInfo) -> int | None:
        return version.standing_id

    @staticmethod
    def resolve_difference(version: models.SupersededDSR, info: GraphQLResolveInfo) -> Any:
        return differences.version_difference(version)


class VersionWithRecordings(graphene.ObjectType):
    """An earlier version with the recordings that changed since."""

    version = graphene.Field(Version, required=True, description="The earlier version.")
    recordings = graphene.Field(
        RecordingsDifference,
        required=True,
        description="The recordings in which it and the DSR that stands differ. Errors: `difference_not_ready`, "
        "where both are large: a worker compares them.",
    )

    @staticmethod
    def resolve_version(version: models.SupersededDSR, info: GraphQLResolveInfo) -> models.SupersededDSR:
        return version

    @staticmethod
    def resolve_recordings(version: models.SupersededDSR, info: GraphQLResolveInfo) -> Any:
        return differences.recordings_difference(version)
