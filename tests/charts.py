"""What the charts of a page draw."""

import json
import re


def charts(text):
    """For each chart its labels, with the number that is drawn and the text that is shown; of one series each."""
    found = re.findall(r'<script id="([\w-]+)-data" type="application/json">(.*?)</script>', text)
    drawn = {}
    for name, data in found:
        chart = json.loads(data)
        (series,) = chart["series"]
        drawn[name] = list(zip(chart["labels"], series["values"], series["texts"], strict=True))
    return drawn
