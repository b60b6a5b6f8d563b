"""What the endpoints share: the field for days, and the bases of answers without empty properties."""

import re
from datetime import UTC, date
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dsrhub.values.times import parsed_time

DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


@extend_schema_field(OpenApiTypes.DATETIME)
class DayField(serializers.Field):
    """The day in UTC of a date-time or a plain date. A value without a zone is in UTC."""

    default_error_messages = {"invalid": _("Must be a date-time or date, such as 2020-01-31T00:00:00Z or 2020-01-31.")}

    def to_internal_value(self, data: Any) -> date:
        text = f"{data}T00:00Z" if DAY.fullmatch(str(data)) else str(data)
        # A client may send the `+` of the zone unescaped: then it arrives as a space.
        moment = parsed_time(text[:11] + text[11:].replace(" ", "+"))
        if moment is None:
            self.fail("invalid")
        try:
            return (moment.astimezone(UTC) if moment.tzinfo else moment).date()
        except OverflowError:
            self.fail("invalid")

    def to_representation(self, value: date) -> str:
        return f"{value.isoformat()}T00:00:00Z"


class WithoutEmpty(serializers.Serializer[Any]):
    """An object without the properties that have no value: the types of the contract allow no null."""

    def to_representation(self, instance: Any) -> dict[str, Any]:
        # DRF's own way takes longer for each property without a value than this for one with a value.
        value_of = _item if isinstance(instance, dict) else getattr
        shown = {}
        for name, field in self.fields.items():
            source = str(field.source)
            if source == "*":  # Of a method of the serializer.
                value = instance
            else:
                value = value_of(instance, source) if field.required else value_of(instance, source, None)
            if value is not None:
                shown[name] = field.to_representation(value)
        return shown


def _item(values: dict[str, Any], name: str, *default: None) -> Any:
    return values.get(name) if default else values[name]


class WithoutBlank(WithoutEmpty):
    """An object without blank properties either: some columns have blank texts instead of NULL."""

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return {name: value for name, value in super().to_representation(instance).items() if value not in ("", None)}
