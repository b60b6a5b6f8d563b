"""What the charts of a page draw."""

import json
import re


def charts(text):
    """For each chart its labels, with the number that is drawn and the text that is shown; of one series each."""
    drawn = {}
    for name, series in charts_by_series(text).items():
        (drawn[name],) = series.values()
    return drawn


def charts_by_series(text):
    """The same for each series of each chart, by its name."""
    found = re.findall(r'<script id="([\w-]+)-data" type="application/json">(.*?)</script>', text)
    return {name: _series(json.loads(data)) for name, data in found}


def _series(chart):
    return {
        series["name"]: list(zip(chart["labels"], series["values"], series["texts"], strict=True))
        for series in chart["series"]
    }
