"""The types of artists."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal as DecimalNumber

import graphene
from graphql import GraphQLResolveInfo

from catalogue.ranking.artists.selectors import ArtistRanking
from catalogue.ranking.artists.sums import Totals
from graphql_schema.connections import Connection, Keyset, Page
from graphql_schema.scalars import BigInt, Decimal, names_enum

CREDIT = names_enum(
    "Credit",
    "What each artist of a line gets of it.",
    FULL="The whole line.",
    SPLIT="An equal part. The parts of all artists add up to the whole.",
)


class Artist(graphene.ObjectType):
    """An artist that lines name, in the ranking by revenue. Shares are null where all artists have no revenue."""

    rank = graphene.Int(required=True, description="The rank: 1 has the highest revenue.")
    artist = graphene.String(required=True, description="The name.")
    recording_count = BigInt(required=True, description="The number of recordings.")
    usages = Decimal(required=True, description="The usages: a fraction, to 40 decimals, where lines are split.")
    revenue_eur = Decimal(required=True, description="The exact revenue in EUR.")
    revenue_percent = Decimal(description="The share of the revenue of all artists in per cent, to 12 decimals.")
    cumulative_percent = Decimal(description="The share of all artists up to this one in per cent, to 12 decimals.")


class WithoutArtists(graphene.ObjectType):
    """The sums of the lines that name no artist."""

    lines = BigInt(required=True, description="The number of lines.")
    usages = Decimal(required=True, description="The sum of the usages.")
    revenue_eur = Decimal(required=True, description="The sum of the revenue in EUR.")

    @staticmethod
    def resolve_lines(totals: Totals, info: GraphQLResolveInfo) -> int:
        return totals.without_lines

    @staticmethod
    def resolve_usages(totals: Totals, info: GraphQLResolveInfo) -> DecimalNumber:
        return totals.without_usages

    @staticmethod
    def resolve_revenue_eur(totals: Totals, info: GraphQLResolveInfo) -> DecimalNumber:
        return totals.without_revenue


@dataclass(frozen=True)
class ArtistKeyset(Keyset):
    """A list of artists, and the ranking that its page was read from."""

    ranking: Callable[[], ArtistRanking]


class ArtistPage(Page):
    keyset: ArtistKeyset


class ArtistConnection(Connection):
    """A page of a list of `Artist` objects, and what all artists have together."""

    class Meta:
        node = Artist
        strict_types = True

    revenue_eur = Decimal(required=True, description="The revenue of all artists in EUR.")
    without_artists = graphene.Field(WithoutArtists, required=True, description="What lines without an artist have.")
    top_ten_percent = Decimal(
        description="The share of the first ten artists in per cent, to 12 decimals. Null without revenue."
    )
    hhi = Decimal(
        description="The Herfindahl-Hirschman index: the sum of the squares of all shares in per cent, to 12 decimals. "
        "Null without revenue."
    )

    @staticmethod
    def resolve_revenue_eur(page: ArtistPage, info: GraphQLResolveInfo) -> DecimalNumber:
        return page.keyset.ranking().totals.revenue

    @staticmethod
    def resolve_without_artists(page: ArtistPage, info: GraphQLResolveInfo) -> Totals:
        return page.keyset.ranking().totals

    @staticmethod
    def resolve_top_ten_percent(page: ArtistPage, info: GraphQLResolveInfo) -> DecimalNumber | None:
        return page.keyset.ranking().top_percent

    @staticmethod
    def resolve_hhi(page: ArtistPage, info: GraphQLResolveInfo) -> DecimalNumber | None:
        return page.keyset.ranking().hhi
