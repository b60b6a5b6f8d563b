"""The form of totals that somebody declares of a report, and what a comparison with them shows."""

from typing import Any, Self

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalogue.dsrs.declared import MEASURES, SIGNED_AMOUNT, WHOLE_NUMBER, ComparedTotals, DeclaredTotals
from catalogue.models import ImportJob
from dsrhub.values.cells import grouped
from dsrhub.values.forms import PlainDecimalField, WholeNumberField
from dsrhub.values.numbers import DECIMALS, INTEGER_DIGITS

LARGEST = 10**INTEGER_DIGITS - 1
LABELS = {"lines": gettext_lazy("Lines"), "usages": gettext_lazy("Usages"), "revenue": gettext_lazy("Revenue")}


def _text_input(pattern: str, **attributes: str) -> forms.TextInput:
    # A browser would round a long number in an input of numbers.
    return forms.TextInput(attrs={"pattern": pattern, "autocomplete": "off", "size": 16, **attributes})


class DeclaredForm(forms.Form):
    """Totals in plain digits. None of them is required."""

    lines = WholeNumberField(
        label=LABELS["lines"],
        min_value=0,
        max_value=LARGEST,
        required=False,
        widget=_text_input(WHOLE_NUMBER, inputmode="numeric"),
    )
    usages = WholeNumberField(
        label=LABELS["usages"],
        min_value=0,
        max_value=LARGEST,
        required=False,
        widget=_text_input(WHOLE_NUMBER, inputmode="numeric"),
    )
    revenue = PlainDecimalField(
        label=LABELS["revenue"],
        max_digits=INTEGER_DIGITS + DECIMALS,
        decimal_places=DECIMALS,
        required=False,
        widget=_text_input(SIGNED_AMOUNT, inputmode="decimal"),
    )

    @property
    def findings(self) -> str:
        """What is wrong with the values, for people."""
        return " ".join(f"{self.fields[name].label}: {text}" for name, texts in self.errors.items() for text in texts)

    @classmethod
    def of_job(cls, job: ImportJob, data: Any = None) -> Self:
        """The form on the page of a job, with what was declared before. The `data` are those of the whole page."""
        kept = {name: getattr(job, f"declared_{name}") for name in MEASURES}
        initial = {name: f"{number:f}" for name, number in kept.items() if number is not None}
        return cls(data, prefix=f"declared-{job.pk}", initial=initial)

    def declared(self) -> DeclaredTotals:
        return DeclaredTotals(**{name: self.cleaned_data.get(name) for name in MEASURES})


def compared_rows(compared: ComparedTotals) -> list[dict[str, Any]]:
    """A row for each declared total."""
    return [
        {
            "name": LABELS[name],
            "cells": [grouped(number) for number in (total.declared, total.found, total.difference)],
            "verdict": _("differs") if total.difference else _("matches"),
            "is_different": bool(total.difference),
        }
        for name, total in compared
    ]
