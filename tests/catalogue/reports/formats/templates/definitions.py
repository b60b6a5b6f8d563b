"""Definitions of templates for tests, as values of JSON."""

from copy import deepcopy
from typing import Any

# A sender with a CSV of its own.
TONBANK: dict[str, Any] = {
    "sender": "Tonbank",
    "recognition": {"headings": ["Store", "Country", "Month", "Net"]},
    "dates": {"forms": ["YYYY-MM"]},
    "fields": {
        "dsp": {"columns": ["Store"]},
        "offer": {"constant": "Tonbank"},
        "territory": {"columns": ["Country"]},
        "currency": {"columns": ["Currency"]},
        "period": {"columns": ["Month"]},
        "dsp_id": {"columns": ["ISRC", "UPC"]},
        "title": {"columns": ["Title"]},
        "isrc": {"columns": ["ISRC"]},
        "usages": {"columns": ["Quantity"]},
        "revenue": {"columns": ["Net"]},
    },
}


def changed(path: str, value: Any, base: dict[str, Any] | None = None) -> dict[str, Any]:
    """A copy with another value at a path such as `fields.dsp.columns`. Without a value, the key is missing."""
    data = deepcopy(TONBANK if base is None else base)
    *keys, last = path.split(".")
    part = data
    for key in keys:
        part = part.setdefault(key, {})
    if value is None:
        part.pop(last)
    else:
        part[last] = value
    return data
