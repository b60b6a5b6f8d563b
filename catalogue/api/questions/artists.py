"""The REST endpoint for the revenue of artists."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue.api.questions.parameters import SearchParameters
from catalogue.dsrs.selectors import DSRSearch
from catalogue.ranking.artists.selectors import artist_ranking
from catalogue.ranking.artists.sums import Credit
from dsrhub.api.errors import READS_CLOSED, WRONG_PARAMETERS
from dsrhub.api.fields import EXACT_IN_WORDS, ExactField, Int64Field
from dsrhub.api.pages import PageParameters, link_to_next


class ArtistParameters(SearchParameters, PageParameters):
    """Selects DSRs, and what an artist gets of a line with several."""

    credit = serializers.ChoiceField(
        [*Credit],
        default=Credit.FULL,
        help_text="`full`: each artist has the whole line. `split`: the artists of a line have equal parts.",
    )


class WithoutArtistsSerializer(serializers.Serializer[Any]):
    """The sums of the lines that name no artist."""

    lines = Int64Field(source="without_lines")
    usages = ExactField(source="without_usages")
    revenue_eur = ExactField(source="without_revenue")


class ArtistSerializer(serializers.Serializer[Any]):
    """An artist, with its shares of the revenue of all artists in per cent, to 12 decimals."""

    rank = Int64Field(help_text="1 has the highest revenue.")
    artist = serializers.CharField()
    recording_count = Int64Field()
    usages = ExactField(help_text="A fraction, to 40 decimals, where lines are split.")
    revenue_eur = ExactField()
    revenue_percent = ExactField(allow_null=True)
    cumulative_percent = ExactField(allow_null=True, help_text="Of all artists up to this one.")


class ArtistsSerializer(serializers.Serializer[Any]):
    """All artists together, and a page of them. Shares are null where the revenue of all artists is zero or less."""

    artist_count = Int64Field(source="totals.artist_count")
    revenue_eur = ExactField(source="totals.revenue", help_text="The sum of all artists.")
    without_artists = WithoutArtistsSerializer(source="totals")
    top_ten_percent = ExactField(
        source="top_percent", allow_null=True, help_text="The share of the first ten, in per cent, to 12 decimals."
    )
    hhi = ExactField(
        allow_null=True,
        help_text="The Herfindahl-Hirschman index: the sum of the squares of all shares in per cent, to 12 decimals.",
    )
    results = ArtistSerializer(many=True)


class ArtistsView(APIView):
    @extend_schema(
        operation_id="artists_list",
        summary="List artists by revenue",
        tags=["statistics"],
        parameters=[ArtistParameters, EXACT_IN_WORDS],
        responses={200: ArtistsSerializer, 400: WRONG_PARAMETERS, 401: READS_CLOSED},
    )
    def get(self, request: Request) -> Response:
        """List the artists that lines name, highest revenue first, with the shares of the first ones.

        The header `Link` has the address of the next page. With the parameter `exact=true`, ranks and counts are text
        in plain digits, of which no client loses any.
        """
        asked = ArtistParameters.of(request.query_params)
        credit, limit, cursor, exact = (asked.pop(name) for name in ("credit", "limit", "cursor", "exact"))
        with artist_ranking(credit=Credit(credit), scope=DSRSearch(**asked).scope()) as ranking:
            rows = ranking.rows(after_rank=max(cursor or 0, 0), limit=limit)
        answer = {"totals": ranking.totals, "top_percent": ranking.top_percent, "hhi": ranking.hhi, "results": rows}
        response = Response(ArtistsSerializer(answer, context={"exact": exact}).data)
        if rows and rows[-1].rank < ranking.row_count:
            response["Link"] = link_to_next(request, limit=limit, cursor=rows[-1].rank)
        return response
