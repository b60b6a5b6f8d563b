"""The drop-downs over the columns of a sample, and the inputs beside values that no map knows.

They change the definition that the other fields of the form say. Each sends what it showed, so that only what a user
chose there counts: without a script, a user may change both.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.http import QueryDict

from catalogue.reports.formats.templates.cells.territories import folded
from catalogue.reports.formats.templates.definition import FIELDS, NUMBER_FIELDS, TEXT_FIELDS

# Fields of which a file has one column, and those that take the first one with a value, in the order of the file.
SINGLE, TEXTS = frozenset(FIELDS) - frozenset(TEXT_FIELDS), frozenset(TEXT_FIELDS) - {"dsp_id"}
# A society is a constant.
CHOOSABLE = tuple(name for name in FIELDS if name != "society")
# How many columns have a drop-down, and how many values an input: Django refuses a form with more than 1,000 fields.
MOST_COLUMNS, MOST_VALUES = 200, 50

Fields = dict[str, dict[str, Any]]


def field_of(heading: str, fields: Mapping[str, Mapping[str, Any]]) -> str:
    """The field that a column is. The column of the ISRC may be the id of the recording too: then it is the ISRC."""
    name = folded(heading)
    found = [field for field, source in fields.items() if name in map(folded, source.get("columns") or ())]
    return min(found, key=lambda field: (field == "dsp_id", field), default="")


def also_id(heading: str, fields: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a column that is another field stands for the id of the recording, too."""
    ids = map(folded, fields.get("dsp_id", {}).get("columns") or ())
    return folded(heading) in ids and field_of(heading, fields) != "dsp_id"


def apply_choices(definition: dict[str, Any], form: QueryDict) -> None:
    """Apply the drop-downs that a user has changed, and the values that were mapped."""
    fields: Fields = definition["fields"]
    headings = {folded(form.get(f"heading-{number}", "")) for number in range(MOST_COLUMNS)}
    for number in range(MOST_COLUMNS):
        heading, was = form.get(f"heading-{number}"), form.get(f"was-{number}", "")
        chosen = form.get(f"column-{number}", was)
        if heading and chosen != was:
            _move(fields, heading, was, chosen, headings)
    for number in range(MOST_VALUES):
        field, value, to = (form.get(f"{part}-{number}", "").strip() for part in ("map-field", "map-value", "map-to"))
        if field in FIELDS and value and to:
            _map_value(fields.setdefault(field, {}), value, to)


def _move(fields: Fields, heading: str, was: str, chosen: str, headings: Collection[str]) -> None:
    """Take a column from a field, and give it to another one. `headings` are those of the sample, folded."""
    if was in fields:
        columns = [one for one in fields[was].get("columns") or () if folded(one) != folded(heading)]
        _set_columns(fields, was, columns)
    if chosen not in CHOOSABLE:
        return
    before = list(fields.get(chosen, {}).get("columns") or ())
    if chosen in SINGLE:
        # A file has one of the columns; other files may have others.
        before = [one for one in before if folded(one) not in headings]
    # The id of the store comes before what stands for it.
    _set_columns(fields, chosen, [*before, heading] if chosen in TEXTS else [heading, *before])
    if chosen != "dsp_id":
        fields[chosen].pop("constant", None)


def _set_columns(fields: Fields, field: str, columns: Sequence[str]) -> None:
    source = fields.setdefault(field, {})
    source["columns"] = list(dict.fromkeys(columns))
    if not columns and not source.get("constant"):
        del fields[field]


def _map_value(source: dict[str, Any], value: str, to: str) -> None:
    others = {key: one for key, one in (source.get("values") or {}).items() if folded(key) != folded(value)}
    source["values"] = others | {value: to}


def shown_columns(
    headings: Sequence[str], rows: Iterable[Sequence[str]], fields: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The columns of a sample as the page shows them."""
    cells = list(rows)
    numbers = range(min(len(headings), MOST_COLUMNS))
    return [
        {
            "number": number,
            "heading": headings[number],
            "field": field_of(headings[number], fields),
            "also_id": also_id(headings[number], fields),
            "is_number": field_of(headings[number], fields) in NUMBER_FIELDS,
            "cells": [row[number] if number < len(row) else "" for row in cells],
        }
        for number in numbers
    ]
