"""Fields of forms that read numbers in plain digits only.

Django's own fields also read `1_0`, `1e1`, `+10`, `10.` and the digits of other scripts. Blanks around a number are
removed, as in all fields.
"""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from dsrhub.values import plain_decimal, plain_whole_number


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
