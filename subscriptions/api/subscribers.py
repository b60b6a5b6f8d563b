"""The endpoints of the subscriptions themselves: their filters, properties and views."""

import re
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django_filters.rest_framework import ChoiceFilter, DjangoFilterBackend, Filter, FilterSet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
)
from rest_framework import serializers, status
from rest_framework.exceptions import ErrorDetail
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dsrhub.api.errors import (
    OF_JSON_BODIES,
    READS_CLOSED,
    REFUSED,
    WRONG_PARAMETERS,
    ErrorSerializer,
)
from dsrhub.api.fields import EXACT_IN_WORDS, Int64Field
from dsrhub.api.pages import PageParameters, page_response
from dsrhub.api.parameters import Parameters, id_in_path
from dsrhub.api.parsers import StrictJSONParser
from dsrhub.database.pages import page_by_id
from dsrhub.texts.marked import gettext_lazy as marked
from subscriptions.api.serializers import LARGEST_ID, SMALLEST_ID
from subscriptions.exceptions import SubscriptionNotFound
from subscriptions.models import Subscription
from subscriptions.subscribers.selectors import subscription_get, subscription_list
from subscriptions.subscribers.services import subscription_change, subscription_create

SUBSCRIPTION_ID = OpenApiParameter("id", OpenApiTypes.INT64, OpenApiParameter.PATH)
NO_SUBSCRIPTION = OpenApiResponse(ErrorSerializer, description="There is no such subscription.")
LINK = OpenApiParameter(
    "Link", OpenApiTypes.STR, OpenApiParameter.HEADER, description="The next page, if there is one.", response=[200]
)

# --- Filters ---------------------------------------------------------------------------------------------------

IDS_PATTERN = "^-?[0-9]{1,19}(,-?[0-9]{1,19})*$"
MOST_IDS = 1000


class IdsField(forms.Field):
    """Ids, separated by commas."""

    default_error_messages = {
        "invalid": _("Must be ids, separated by commas."),
        "too_many": _("At most 1000 ids."),
    }

    def to_python(self, value: Any) -> list[int] | None:
        if value in self.empty_values:
            return None
        if not re.fullmatch(IDS_PATTERN.strip("^$"), str(value)):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        ids = [int(number) for number in str(value).split(",")]
        if len(ids) > MOST_IDS:
            raise forms.ValidationError(self.error_messages["too_many"], code="too_many")
        # No subscription has another id.
        return [number for number in ids if SMALLEST_ID <= number <= LARGEST_ID]

    def validate(self, value: list[int] | None) -> None:
        if value is None:
            super().validate(value)


@extend_schema_field({"type": "string", "pattern": IDS_PATTERN, "example": "1,2,3"})
class IdsFilter(Filter):
    field_class = IdsField


class SubscriptionFilter(FilterSet):
    """Reads the filters of a request. The selector filters."""

    id = IdsFilter(help_text="Only subscriptions with these ids, separated by commas: at most 1000.")
    carrier = ChoiceFilter(choices=Subscription.Carrier.choices, help_text="Only subscriptions of this carrier.")
    status = ChoiceFilter(choices=Subscription.Status.choices, help_text="Only subscriptions of this status.")

    class Meta:
        model = Subscription
        fields = ["id", "carrier", "status"]

    @property
    def form(self) -> Any:
        form = super().form
        for name in form.fields.keys() & (self.data or {}).keys():
            form.fields[name].required = True  # a blank value would be no filter
        return form

    def filter_queryset(self, queryset: QuerySet[Subscription]) -> QuerySet[Subscription]:
        given = self.form.cleaned_data
        return subscription_list(ids=given["id"], carrier=given["carrier"] or None, status=given["status"] or None)


# --- Properties ------------------------------------------------------------------------------------------------


class SubscriptionSerializer(serializers.Serializer[Any]):
    id = Int64Field()
    carrier = serializers.ChoiceField(Subscription.Carrier.choices)
    status = serializers.ChoiceField(Subscription.Status.choices)


class WrittenProperties(serializers.Serializer[Any]):
    """The properties of a subscription that a request may write. Others are refused."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := data.keys() - self.fields.keys()):
            why = ErrorDetail(str(_("There is no such property to write.")), "unknown")
            raise serializers.ValidationError({name: [why] for name in unknown})
        return super().to_internal_value(data)


class NewSubscriptionSerializer(WrittenProperties):
    carrier = serializers.ChoiceField(Subscription.Carrier.choices)
    status = serializers.ChoiceField(Subscription.Status.choices, default=Subscription.Status.NEW)


class ChangedSubscriptionSerializer(WrittenProperties):
    carrier = serializers.ChoiceField(Subscription.Carrier.choices, required=False)
    status = serializers.ChoiceField(Subscription.Status.choices, required=False)


# --- Views -----------------------------------------------------------------------------------------------------

ONE = OpenApiExample("A subscription", value={"id": 1, "carrier": "att", "status": "active"}, response_only=True)


class SubscriptionListView(GenericAPIView):
    queryset = Subscription.objects.all()
    serializer_class = NewSubscriptionSerializer  # for OPTIONS
    filter_backends = [DjangoFilterBackend]
    filterset_class = SubscriptionFilter
    parser_classes = [StrictJSONParser]
    write_permissions = {"POST": "subscriptions.add_subscription"}

    @extend_schema(
        operation_id="subscriptions_list",
        summary="List subscriptions",
        tags=["subscriptions"],
        parameters=[PageParameters, EXACT_IN_WORDS, LINK],
        responses={200: SubscriptionSerializer(many=True), 400: WRONG_PARAMETERS, 401: READS_CLOSED},
        examples=[ONE],
    )
    def get(self, request: Request) -> Response:
        """List subscriptions, by id. The header `Link` has the address of the next page.

        With the parameter `exact=true`, `id` is text, of which no client loses a digit.
        """
        page = PageParameters.of(request.query_params, beside=SubscriptionFilter.base_filters)
        found = self.filter_queryset(self.get_queryset())
        rows = page_by_id(found, after=page["cursor"], limit=page["limit"] + 1)
        return page_response(request, rows, SubscriptionSerializer, limit=page["limit"], exact=page["exact"], key="pk")

    @extend_schema(
        operation_id="subscriptions_create",
        summary="Create a subscription",
        tags=["subscriptions"],
        request={"application/json": NewSubscriptionSerializer},
        responses={201: SubscriptionSerializer, **REFUSED, **OF_JSON_BODIES},
        filters=False,
        examples=[ONE, OpenApiExample("A new one", value={"carrier": "att", "status": "active"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Create a subscription. Needs the permission `add_subscription`. The header `Location` has its address."""
        subscription = subscription_create(**_written(NewSubscriptionSerializer, request))
        address = request.build_absolute_uri(reverse("subscription-detail", args=[subscription.pk]))
        data = SubscriptionSerializer(subscription).data
        return Response(data, status=status.HTTP_201_CREATED, headers={"Location": address})


class SubscriptionDetailView(APIView):
    parser_classes = [StrictJSONParser]
    write_permissions = {"PATCH": "subscriptions.change_subscription"}

    @extend_schema(
        operation_id="subscriptions_read",
        summary="Get a subscription",
        tags=["subscriptions"],
        parameters=[SUBSCRIPTION_ID],
        responses={200: SubscriptionSerializer, 400: WRONG_PARAMETERS, 401: READS_CLOSED, 404: NO_SUBSCRIPTION},
        examples=[ONE],
    )
    def get(self, request: Request, id: str) -> Response:
        """Return a subscription."""
        Parameters.of(request.query_params)
        return Response(SubscriptionSerializer(subscription_get(subscription_id=subscription_number(id))).data)

    @extend_schema(
        operation_id="subscriptions_change",
        summary="Change a subscription",
        tags=["subscriptions"],
        parameters=[SUBSCRIPTION_ID],
        request={"application/json": ChangedSubscriptionSerializer},
        responses={200: SubscriptionSerializer, 404: NO_SUBSCRIPTION, **REFUSED, **OF_JSON_BODIES},
        examples=[ONE, OpenApiExample("Its end", value={"status": "expired"}, request_only=True)],
    )
    def patch(self, request: Request, id: str) -> Response:
        """Change the properties that are sent. Needs the permission `change_subscription`."""
        values = _written(ChangedSubscriptionSerializer, request)
        changed = subscription_change(subscription_id=subscription_number(id), **values)
        return Response(SubscriptionSerializer(changed).data)


def subscription_number(text: str) -> int:
    """The id of a subscription that a path names. Raises SubscriptionNotFound for a text that is none."""
    return id_in_path(
        text, largest=LARGEST_ID, missing=SubscriptionNotFound, reason=marked("There is no subscription %(id)s.")
    )


def _written(kind: type[WrittenProperties], request: Request) -> dict[str, Any]:
    """The valid properties of a body. Raises ValidationError, which names the property."""
    serializer = kind(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
