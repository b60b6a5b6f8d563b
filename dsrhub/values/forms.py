"""Fields of forms that read numbers in plain digits only, and times as files have them.

Django's own fields also read `1_0`, `1e1`, `+10`, `10.` and the digits of other scripts. Blanks around a number are
removed, as in all fields.
"""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import from_current_timezone

from dsrhub.values.numbers import plain_decimal, plain_whole_number
from dsrhub.values.times import parsed_time


class WholeNumberField(forms.IntegerField):
    def to_python(self, value: Any) -> int | None:
        number = super().to_python(value)
        if number is not None and plain_whole_number(str(value).strip()) is None:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return number


class PlainDecimalField(forms.DecimalField):
    def to_python(self, value: Any) -> Any:
        number = super().to_python(value)
        if isinstance(value, str) and number is not None and plain_decimal(value.strip()) is None:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return number


class TimeField(forms.SplitDateTimeField):
    """A day and a time. The time may have a zone and any decimals, and a whole time may be in the field of the day."""

    def clean(self, value: Any) -> Any:
        moment = parsed_time("T".join(part.strip() for part in value or [] if part and part.strip()))
        if moment is None:
            return super().clean(value)
        return moment if moment.tzinfo else from_current_timezone(moment)
