"""The fields of the form of a template: one for each part of its definition. Their names are paths with hyphens."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalogue.admin.report_templates.fields import LinesField, PairsField
from catalogue.admin.report_templates.labels import (
    ENCODING_LABELS,
    FIELD_LABELS,
    KIND_LABELS,
    LANGUAGE_LABELS,
    NEGATIVE_LABELS,
    PART_LABELS,
    SIGNS,
    SOURCE_LABELS,
)
from catalogue.reports.formats.templates.definition import (
    DECIMAL_SIGNS,
    DELIMITERS,
    ENCODINGS,
    LANGUAGES,
    NUMBER_FIELDS,
    QUOTES,
    THOUSANDS_SIGNS,
    Kind,
    Negative,
)

# How the heading row is chosen, beside its number.
BY_HEADINGS, NO_HEADINGS = "headings", "0"
MOST_NUMBERED = 10


def field_name(path: str) -> str:
    return path.replace(".", "-")


def _choices(values: Iterable[str], labels: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    return [(value, labels[value]) for value in values]


def _text(path: str, help_text: Any = "", **options: Any) -> forms.CharField:
    return forms.CharField(label=PART_LABELS[path], help_text=help_text, required=False, **options)


def _lines(path: str, help_text: Any = "", **options: Any) -> LinesField:
    return LinesField(label=PART_LABELS[path], help_text=help_text, **options)


def _choice(path: str, values: Iterable[str], labels: Mapping[Any, Any], help_text: Any = "") -> forms.ChoiceField:
    choices = _choices(values, labels)
    return forms.ChoiceField(label=PART_LABELS[path], choices=choices, required=False, help_text=help_text)


def part_fields(heading_row: int | None) -> dict[str, forms.Field]:
    """The parts of a template beside its columns, in the order of the page."""
    return _recognition_fields() | _file_fields(heading_row) | _value_fields()


def _recognition_fields() -> dict[str, forms.Field]:
    pattern = gettext_lazy(
        "* is any text, ? any character; {period} or another field in braces comes from the name. Blank fits all names."
    )
    return {
        "name": _text("name", gettext_lazy("Such as: Believe, monthly sales"), max_length=200),
        "is_active": forms.BooleanField(
            label=PART_LABELS["is_active"],
            required=False,
            initial=True,
            help_text=gettext_lazy("An inactive template recognises no file, and can still be chosen."),
        ),
        "sender": _text("sender", gettext_lazy("Who sends the files: a store or a distributor.")),
        "recognition.headings": _lines(
            "recognition.headings",
            gettext_lazy("One in a line, in any order. Case does not matter. Remove those that a file may lack."),
            rows=5,
        ),
        "recognition.name_pattern": _text("recognition.name_pattern", pattern),
        "recognition.refused_names": _lines(
            "recognition.refused_names", gettext_lazy("Patterns of summaries and the like, which are refused."), rows=2
        ),
    }


def _file_fields(heading_row: int | None) -> dict[str, forms.Field]:
    numbered = sorted({*range(1, MOST_NUMBERED + 1), heading_row or 1})
    rows = [
        (BY_HEADINGS, gettext_lazy("the first row with the headings above")),
        *((str(number), _("row %(number)s") % {"number": number}) for number in numbered),
        (NO_HEADINGS, gettext_lazy("none: columns are named 1, 2, 3 and so on")),
    ]
    return {
        "file.kind": _choice("file.kind", Kind, KIND_LABELS),
        "file.encoding": _choice("file.encoding", ENCODINGS, ENCODING_LABELS),
        "file.delimiter": _choice("file.delimiter", DELIMITERS, SIGNS),
        "file.quote": _choice("file.quote", QUOTES, SIGNS),
        "file.sheet": _text("file.sheet", gettext_lazy("Of a workbook. Blank is the first one.")),
        "file.heading_row": forms.ChoiceField(
            label=PART_LABELS["file.heading_row"], choices=rows, required=True, initial="1"
        ),
        "rows.ends_at": _lines("rows.ends_at", gettext_lazy("Texts of first cells, such as: Total_Rows"), rows=2),
        "rows.skip": PairsField(
            label=PART_LABELS["rows.skip"],
            help_text=gettext_lazy("By the value of a column, such as: Store => Total"),
            rows=2,
            allow_blank=True,
        ),
    }


def _value_fields() -> dict[str, forms.Field]:
    return {
        "numbers.decimal": _choice("numbers.decimal", DECIMAL_SIGNS, SIGNS),
        "numbers.thousands": _choice("numbers.thousands", THOUSANDS_SIGNS, SIGNS),
        "numbers.negatives": forms.MultipleChoiceField(
            label=PART_LABELS["numbers.negatives"],
            choices=_choices(Negative, NEGATIVE_LABELS),
            required=False,
            widget=forms.CheckboxSelectMultiple,
        ),
        "dates.forms": _lines(
            "dates.forms", gettext_lazy("One in a line: YYYY-MM-DD, DD/MM/YYYY, YYYYMM, MMM-YY, …"), rows=2
        ),
        "dates.whole_months": forms.BooleanField(
            label=PART_LABELS["dates.whole_months"],
            required=False,
            help_text=gettext_lazy("The period of 2020-01-15 is then January 2020."),
        ),
        "artists_separator": _text(
            "artists_separator", gettext_lazy("Such as | or ; . Blank: a cell is one artist."), strip=False
        ),
    }


def source_fields(name: str) -> dict[str, forms.Field]:
    """The parts of where the value of a field comes from that this field may have."""
    path, label = f"fields.{name}", FIELD_LABELS[name]
    fields: dict[str, forms.Field] = {}
    if name != "society":
        fields[f"{path}.columns"] = LinesField(label=SOURCE_LABELS["columns"], rows=2)
    fields[f"{path}.constant"] = forms.CharField(label=SOURCE_LABELS["constant"], required=False)
    if name not in (*NUMBER_FIELDS, "society"):
        fields[f"{path}.values"] = PairsField(label=SOURCE_LABELS["values"], rows=2)
    if name == "territory":
        fields[f"{path}.languages"] = forms.MultipleChoiceField(
            label=SOURCE_LABELS["languages"],
            choices=_choices(LANGUAGES, LANGUAGE_LABELS),
            required=False,
            widget=forms.CheckboxSelectMultiple,
        )
    for field in fields.values():
        field.widget.attrs["aria-label"] = f"{label}: {field.label}"
    return fields
