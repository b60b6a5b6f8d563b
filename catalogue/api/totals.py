"""The REST endpoint that compares the totals of a DSR with declared ones, and the fields of declared totals."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ParseError
from rest_framework.fields import empty
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue.api import paths
from catalogue.dsrs import selectors
from catalogue.dsrs.declared import (
    MEASURES,
    SIGNED_AMOUNT,
    SIGNED_AMOUNT_IN_WORDS,
    WHOLE_NUMBER,
    WHOLE_NUMBER_IN_WORDS,
    DeclaredTotals,
    dsr_totals_compared,
)
from dsrhub.api.errors import (
    NO_LENGTH,
    NOT_THIS_TYPE,
    READS_CLOSED,
    TOO_LARGE,
    ErrorSerializer,
    WrongParametersSerializer,
)
from dsrhub.api.fields import ExactField
from dsrhub.api.parameters import Parameters
from dsrhub.texts.marked import Text, gettext_lazy
from dsrhub.texts.translations import text_lazy

NOT_COMPARED = OpenApiResponse(
    PolymorphicProxySerializer("NotCompared", [ErrorSerializer, WrongParametersSerializer], None),
    description="The errors of each total, by its name, or of the body.",
)


class PlainNumberField(serializers.RegexField):
    """A number in plain digits, of which none is lost: a text, or a number of JSON."""

    def __init__(self, pattern: str, words: Text, kind: type[int | Decimal], help_text: str) -> None:
        self._kind = kind
        invalid: dict[str, Any] = {"invalid": text_lazy(gettext_lazy("Must be %(kind)s.") % {"kind": words})}
        super().__init__(
            rf"^{pattern}\Z", required=False, trim_whitespace=False, error_messages=invalid, help_text=help_text
        )

    def run_validation(self, data: Any = empty) -> Any:
        text = super().run_validation(data)
        return self._kind(text)


def whole_number(help_text: str) -> PlainNumberField:
    return PlainNumberField(WHOLE_NUMBER, WHOLE_NUMBER_IN_WORDS, int, help_text)


def signed_amount(help_text: str) -> PlainNumberField:
    return PlainNumberField(SIGNED_AMOUNT, SIGNED_AMOUNT_IN_WORDS, Decimal, help_text)


def declared_of(sent: Mapping[str, Any], prefix: str = "") -> DeclaredTotals:
    """The declared totals among validated values."""
    return DeclaredTotals(**{name: sent.get(f"{prefix}{name}") for name in MEASURES})


class ExactJSONParser(JSONParser):
    """Reads an object of JSON like a form: all digits of a number stay, and a property that is there twice is seen."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> MultiValueDict[str, Any]:
        content = stream.read()
        try:
            found = json.loads(content, parse_int=str, parse_float=str, object_pairs_hook=_as_form)
        except (ValueError, RecursionError) as error:
            raise ParseError(_("This is not JSON: %(error)s") % {"error": error}) from error
        if not isinstance(found, MultiValueDict):
            raise ParseError(_("The body must be an object."))
        return found


def _as_form(pairs: list[tuple[str, Any]]) -> MultiValueDict[str, Any]:
    found: MultiValueDict[str, Any] = MultiValueDict()
    for name, value in pairs:
        found.appendlist(name, value)
    return found


class TotalsParameters(Parameters):
    """Totals that are declared of a DSR, in plain digits. At least one of them is needed."""

    lines = whole_number("The number of lines.")
    usages = whole_number("The sum of the usages.")
    revenue = signed_amount("The sum of the revenue, in the currency of the DSR.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError(
                {"lines": ErrorDetail(gettext("Send lines, usages or revenue."), "required")}
            )
        return attrs


class ComparedTotalSerializer(serializers.Serializer[Any]):
    """A declared total beside that of the lines. All three are exact numbers as text."""

    declared = ExactField()
    found = ExactField()
    difference = ExactField(help_text="What is found, less what is declared.")


class ComparedTotalsSerializer(serializers.Serializer[Any]):
    """Each declared total beside the one that is found. What was not declared is omitted."""

    matches = serializers.BooleanField(help_text="Whether all declared totals are those that are found.")
    lines = ComparedTotalSerializer(required=False)
    usages = ComparedTotalSerializer(required=False)
    revenue = ComparedTotalSerializer(required=False)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return {name: value for name, value in super().to_representation(instance).items() if value is not None}


class DSRTotalsView(APIView):
    # It only reads: the declared totals are in the body, as a client has them in a form or an object.
    read_methods = ("POST",)
    parser_classes = [ExactJSONParser, FormParser, MultiPartParser]

    @extend_schema(
        operation_id="dsrs_totals",
        summary="Compare the totals of a DSR",
        tags=["dsrs"],
        # Forms work too. They are not documented: client generators fail with more than one content type.
        request={"application/json": TotalsParameters},
        responses={
            200: ComparedTotalsSerializer,
            400: NOT_COMPARED,
            401: READS_CLOSED,
            404: paths.NO_DSR,
            409: OpenApiResponse(ErrorSerializer, description="The import of the DSR failed."),
            411: NO_LENGTH,
            413: TOO_LARGE,
            415: NOT_THIS_TYPE,
        },
    )
    def post(self, request: Request, id: str) -> Response:
        """Compare the totals of a DSR with those that a service declares, such as for a settlement.

        It changes nothing, and is for everyone who may read. At least one total is needed. All numbers are exact.
        """
        declared = declared_of(TotalsParameters.of(request.data))
        compared = dsr_totals_compared(dsr=selectors.dsr_get(dsr_number=paths.dsr_number(id)), declared=declared)
        return Response(ComparedTotalsSerializer(compared).data)
