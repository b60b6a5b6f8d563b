"""Queries for artists."""

from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue.lines.scope import Scope
from catalogue.ranking.artists.selectors import ArtistRanking, RankedArtist, artist_ranking
from catalogue.ranking.artists.sums import Credit
from graphql_schema.artists.types import CREDIT, Artist, ArtistConnection, ArtistKeyset
from graphql_schema.connections import Key, KeysetField
from graphql_schema.dsrs.filters import dsr_arguments, dsr_search


class ArtistQueries(graphene.ObjectType):
    artists = KeysetField(
        Artist,
        connection=ArtistConnection,
        credit=CREDIT(default_value=CREDIT.FULL, required=True, description="What each artist of a line gets of it."),
        **dsr_arguments(),
        description="The artists that the lines of ingested DSRs name, the highest revenue first. "
        "Errors: `ranking_not_ready`.",
    )

    @staticmethod
    def resolve_artists(root: Any, info: GraphQLResolveInfo, credit: Any, **search: Any) -> ArtistKeyset:
        return artists_keyset(Credit(credit.name.lower()), dsr_search(**search).scope())


def artists_keyset(credit: Credit, scope: Scope) -> ArtistKeyset:
    read: list[ArtistRanking] = []

    def rows(after: Key | None, limit: int) -> list[RankedArtist]:
        with artist_ranking(credit=credit, scope=scope) as ranking:
            read[:] = [ranking]
            return ranking.rows(after_rank=after[0] if after else 0, limit=limit)

    # A page reads its rows first. All it shows is of one ranking.
    return ArtistKeyset(
        kind=f"artists by {credit} credit",
        types=(int,),
        rows=rows,
        key=lambda row: (row.rank,),
        count=lambda: read[0].row_count,
        ranking=lambda: read[0],
    )
