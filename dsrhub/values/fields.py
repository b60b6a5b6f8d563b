"""A model field for amounts, which keeps every digit."""

from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from dsrhub.values.forms import PlainDecimalField


class NumericField(models.Field):
    """PostgreSQL's `numeric` without a scale: a Decimal with all its digits, never rounded and never a float.

    Django's DecimalField requires a number of digits, and pads values to its number of decimals.
    """

    description = _("Exact number")
    default_error_messages = {"invalid": _("“%(value)s” is not a number.")}

    def db_type(self, connection: Any) -> str:
        return "numeric"

    def get_internal_type(self) -> str:
        return "NumericField"

    def to_python(self, value: Any) -> Decimal | None:
        if value is None:
            return None
        # A float has already lost digits. NaN and Infinity fit into the column but are not amounts.
        if isinstance(value, (Decimal, int, str)):
            try:
                number = Decimal(value)
            except InvalidOperation:
                number = Decimal("NaN")
            if number.is_finite():
                return number
        raise ValidationError(self.error_messages["invalid"], code="invalid", params={"value": value})

    def get_prep_value(self, value: Any) -> Decimal | None:
        return self.to_python(super().get_prep_value(value))

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": PlainDecimalField, **kwargs})
