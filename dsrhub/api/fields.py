"""Fields of serializers that are stricter or more exact than DRF's."""

import re
from typing import Any

from rest_framework import serializers


class WholeNumberField(serializers.IntegerField):
    """A whole number in plain digits. DRF's own field also reads `1_0`, `10.0` and the digits of other scripts."""

    def to_internal_value(self, data: Any) -> int:
        if not re.fullmatch("-?[0-9]+", str(data)):
            self.fail("invalid")
        return super().to_internal_value(data)


class ExactField(serializers.DecimalField):
    """A decimal number in an answer, as text in plain digits: a JSON number would lose digits in most clients."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=None, decimal_places=None, **options)
