"""The REST endpoint for the top percentile of resources."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from catalogue.api.contract import FIRST_PIECE, ResourceSerializer, resources_rendered
from catalogue.api.questions.parameters import ScopeParameters
from catalogue.exceptions import PeriodReversed
from catalogue.lines.scope import Scope
from catalogue.ranking.selectors import resource_ranking
from dsrhub.api.errors import READS_CLOSED, WRONG_PARAMETERS
from dsrhub.api.fields import EXACT_IN_WORDS, WholeNumberField, exact_field


class TopPercentileParameters(ScopeParameters):
    number = WholeNumberField(min_value=1, max_value=100)
    exact = exact_field()


class TopPercentileView(APIView):
    @extend_schema(
        operation_id="resources_percentile",
        summary="List the highest-earning resources",
        tags=["resources"],
        parameters=[
            OpenApiParameter("number", {"type": "integer", "minimum": 1, "maximum": 100}, OpenApiParameter.PATH),
            ScopeParameters,
            EXACT_IN_WORDS,
        ],
        responses={200: ResourceSerializer(many=True), 400: WRONG_PARAMETERS, 401: READS_CLOSED},
    )
    def get(self, request: Request, number: str) -> HttpResponseBase:
        """List the highest-earning resources that together make `number` % of the revenue, highest first.

        With the parameter `exact=true`, `usages` and `revenue` are text in plain digits, of which no client loses any.
        """
        asked = TopPercentileParameters.of(request.query_params, ignore_unknown=True, number=number)
        percentile, exact = asked.pop("number"), asked.pop("exact")
        try:
            scope = Scope(**asked)
        except PeriodReversed:  # To which the contract has an answer. Everywhere else, it is an error.
            return HttpResponse(b"[]", content_type="application/json")
        with ExitStack() as reading:
            # The ranking is read before the answer begins, so that an error can still set the status.
            ranking = reading.enter_context(resource_ranking(percentile=percentile, scope=scope))
            pieces = resources_rendered(ranking, exact=exact)
            if request.method == "HEAD" and ranking.count > FIRST_PIECE:
                return HttpResponse(content_type="application/json")
            first = next(pieces, b"")
            if first.endswith(b"]"):  # Every other piece ends with an object.
                return HttpResponse(first, content_type="application/json")
            streamed = Pieces(chain([first], pieces), reading.pop_all().close)
            return StreamingHttpResponse(streamed, content_type="application/json")


class Pieces:
    """The pieces of an answer, with a function to call when the answer is sent or aborted."""

    def __init__(self, pieces: Iterator[bytes], close: Callable[[], None]) -> None:
        self._pieces = pieces
        self.close = close

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces
