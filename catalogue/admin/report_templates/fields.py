"""Fields of forms for lists and maps: a line for each entry."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

# Between what cells have and what it means.
ARROW = "=>"


class LinesField(forms.CharField):
    """A list of texts, one in a line. Blank lines are none."""

    def __init__(self, *, rows: int = 3, **kwargs: Any) -> None:
        super().__init__(required=False, strip=False, widget=forms.Textarea({"rows": rows, "cols": 40}), **kwargs)

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in re.split("\r\n|\r|\n", super().to_python(value) or "") if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else "\n".join(value or ())


class PairsField(LinesField):
    """Pairs of texts, such as `Germany => DE` in a line."""

    def __init__(self, *, allow_blank: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.allow_blank = allow_blank

    def to_python(self, value: Any) -> Any:
        return [self._pair(line) for line in super().to_python(value)]

    def _pair(self, line: str) -> tuple[str, str]:
        left, arrow, right = (part.strip() for part in line.rpartition(ARROW))
        if not (left and arrow and (right or self.allow_blank)):
            raise ValidationError(_("“%(line)s” is no pair: write both parts with => between them.") % {"line": line})
        return left, right

    def prepare_value(self, value: Any) -> Any:
        return (
            value
            if isinstance(value, str)
            else "\n".join(f"{left} {ARROW} {right}".strip() for left, right in value or ())
        )
