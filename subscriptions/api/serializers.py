"""The parameters and answers of the REST endpoints of usage."""

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dsrhub.api.fields import ExactField, Int64Field, WholeNumberField
from dsrhub.api.pages import PageParameters
from dsrhub.values.numbers import AMOUNT
from subscriptions.aggregates.answers import MetricKey, UsageKey
from subscriptions.aggregates.ranges import Step
from subscriptions.models import Subscription, UsageType

SMALLEST_ID, LARGEST_ID = -(2**63), 2**63 - 1

# --- Parameters ------------------------------------------------------------------------------------------------

DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
PRICE_PATTERN = f"^{AMOUNT}$"


def _matches(pattern: str, data: Any) -> bool:
    # Python's `$` also matches before a line break at the end.
    return re.fullmatch(pattern.removesuffix("$"), str(data)) is not None


@extend_schema_field(OpenApiTypes.DATE)
class DayField(serializers.Field):
    """A date in the form 2026-01-31. DRF's own field also accepts `2020-1-1` and `20200101`."""

    default_error_messages = {"invalid": _("Not a date such as 2026-01-31.")}

    def to_internal_value(self, data: Any) -> date:
        if not DAY.fullmatch(str(data)):
            self.fail("invalid")
        try:
            return date.fromisoformat(data)
        except ValueError:
            self.fail("invalid")

    def to_representation(self, value: date) -> str:
        return value.isoformat()


@extend_schema_field({"type": "string", "format": "decimal", "pattern": PRICE_PATTERN})
class PriceField(serializers.Field):
    """A decimal number of zero or more, in plain digits."""

    default_error_messages = {"invalid": _("Not a decimal number of zero or more, such as 12.50.")}

    def to_internal_value(self, data: Any) -> Decimal:
        if not _matches(PRICE_PATTERN, data):
            self.fail("invalid")
        return Decimal(data)


CURSOR_PATTERN = "^-?[0-9]{1,19}-(data|voice)(-[1-9][0-9]{0,6})?$"
CARRIERS_CURSOR_PATTERN = "^(att|sprint)-(data|voice)(-[1-9][0-9]{0,6})?$"


@extend_schema_field({"type": "string", "pattern": CURSOR_PATTERN})
class UsageCursorField(serializers.Field):
    """The sort key of a row: subscription, usage type, and the ordinal of the day if rows are grouped by day."""

    default_error_messages = {"invalid": _("Not a cursor from the `Link` header of a page.")}

    def to_internal_value(self, data: Any) -> UsageKey:
        if not _matches(CURSOR_PATTERN, data):
            self.fail("invalid")
        # A minus belongs to the id.
        subscription_id, usage_type, *day = re.split("(?<!^)-", data)
        # No id is beyond these bounds.
        subscription_number = min(max(int(subscription_id), SMALLEST_ID), LARGEST_ID)
        return UsageKey(subscription_number, UsageType(usage_type), _day_of(day))


@extend_schema_field({"type": "string", "pattern": CARRIERS_CURSOR_PATTERN})
class CarriersCursorField(UsageCursorField):
    """The same for rows of carriers."""

    def to_internal_value(self, data: Any) -> MetricKey:  # type: ignore[override]
        if not _matches(CARRIERS_CURSOR_PATTERN, data):
            self.fail("invalid")
        carrier, usage_type, *day = data.split("-")
        return MetricKey(carrier, UsageType(usage_type), _day_of(day))


def _day_of(ordinals: Sequence[str]) -> date:
    """The day of an ordinal: the first one without it. No day is beyond the last one."""
    return date.fromordinal(min(int(ordinals[0]), date.max.toordinal())) if ordinals else date.min


class RangeParameters(PageParameters):
    """A range of days."""

    range_required = False
    first_day, last_day = "The first day.", "The last day (inclusive)."

    def get_fields(self) -> dict[str, serializers.Field]:
        # `from` is a keyword of Python, so these cannot be attributes.
        return {
            "from": DayField(source="start", required=self.range_required, help_text=self.first_day),
            "to": DayField(source="end", required=self.range_required, help_text=self.last_day),
            **super().get_fields(),
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("start", date.min) > attrs.get("end", date.max):
            raise serializers.ValidationError({"to": [_("The range ends before it starts.")]}, code="before_from")
        return attrs


class AnswerParameters(RangeParameters):
    """The range of days, and the format."""

    format = serializers.ChoiceField(
        ["json", "csv"], required=False, help_text="The format. Without it, the header `Accept` decides."
    )


NEW_EXPORT = "new"
EXPORT_PATTERN = "^(new|[1-9][0-9]{0,17})$"


@extend_schema_field({"type": "string", "pattern": EXPORT_PATTERN})
class ExportField(serializers.Field):
    """An export: `new`, or its number."""

    default_error_messages = {"invalid": _("Must be `new`, or from the `Link` header of the previous page.")}

    def to_internal_value(self, data: Any) -> str | int:
        if not _matches(EXPORT_PATTERN, data):
            self.fail("invalid")
        return NEW_EXPORT if data == NEW_EXPORT else int(data)


class ExportParameters(PageParameters):
    """Selects a page of an export."""

    export = ExportField(
        required=False,
        help_text="With `new`, all pages are of the time of the first one: the answer is stored for an hour. The "
        "`Link` header then has the number of the export.",
    )
    place = WholeNumberField(
        min_value=0,
        max_value=LARGEST_ID,
        default=0,
        help_text="Of an export, from the `Link` header of the previous page.",
    )


class TypedParameters(AnswerParameters):
    type = serializers.ChoiceField(UsageType.choices, required=False, help_text="The usage type. Without it, both.")

    def validate_type(self, value: str) -> UsageType:
        return UsageType(value)


def subscription_field(help_text: str) -> WholeNumberField:
    return WholeNumberField(min_value=SMALLEST_ID, max_value=LARGEST_ID, required=False, help_text=help_text)


def carrier_field() -> serializers.ChoiceField:
    return serializers.ChoiceField(
        Subscription.Carrier.choices, required=False, help_text="Only subscriptions of this carrier."
    )


class OverLimitParameters(ExportParameters, TypedParameters):
    price_limit = PriceField(help_text="Only usage types whose price reached it are listed.")
    carrier = carrier_field()


class GroupedParameters(TypedParameters):
    range_required = True

    group_by = serializers.ChoiceField(
        [step.value for step in Step], required=False, help_text="A row for each day or month with usage."
    )

    def validate_group_by(self, value: str) -> Step:
        return Step(value)


class UsageOfOneParameters(ExportParameters, GroupedParameters):
    # These rows are not sorted by a whole number.
    cursor = UsageCursorField(  # type: ignore[assignment]
        required=False, help_text="From the `Link` header of the previous page."
    )


class CarriersParameters(GroupedParameters):
    carrier = carrier_field()
    cursor = CarriersCursorField(  # type: ignore[assignment]
        required=False, help_text="From the `Link` header of the previous page."
    )


class UsageParameters(UsageOfOneParameters):
    carrier = carrier_field()
    subscription = subscription_field("The id of a subscription. Without it, all.")


# --- Answers ---------------------------------------------------------------------------------------------------


class ReachedPriceSerializer(serializers.Serializer[Any]):
    """A usage type whose price reached the limit."""

    usage_type = serializers.ChoiceField(UsageType.choices)
    total_price = ExactField()
    exceeded_by = ExactField()


class SubscriptionOverPriceSerializer(serializers.Serializer[Any]):
    subscription_id = Int64Field()
    exceeded = ReachedPriceSerializer(many=True)


def day_property() -> serializers.DateField:
    return serializers.DateField(required=False, help_text="Only with `group_by=day`.")


def month_property() -> serializers.CharField:
    return serializers.CharField(required=False, help_text="Such as 2026-01. Only with `group_by=month`.")


def unit_property() -> serializers.ChoiceField:
    return serializers.ChoiceField([usage_type.unit for usage_type in UsageType])


def without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what it is not grouped by."""
    return {name: value for name, value in row.items() if value is not None}


class UsageTotalSerializer(serializers.Serializer[Any]):
    """The usage of a subscription and type."""

    subscription_id = Int64Field()
    usage_type = serializers.ChoiceField(UsageType.choices)
    day = day_property()
    month = month_property()
    total_price = ExactField()
    total_usage = Int64Field()
    unit = unit_property()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return without_nulls(super().to_representation(instance))


class CarrierUsageSerializer(serializers.Serializer[Any]):
    """The usage of the subscriptions of a carrier, for a type."""

    carrier = serializers.ChoiceField(Subscription.Carrier.choices)
    usage_type = serializers.ChoiceField(UsageType.choices)
    day = day_property()
    month = month_property()
    subscription_count = Int64Field(help_text="The number of subscriptions with such usage.")
    total_price = ExactField()
    total_usage = Int64Field()
    unit = unit_property()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return without_nulls(super().to_representation(instance))
