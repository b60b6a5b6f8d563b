"""The alert rules and the dashboard can be parsed, and name only metrics that exist."""

import json
import re

import promql_parser
import pytest
import yaml
from django.conf import settings

from dsrhub.metrics import collectors, requests

FOLDER = settings.BASE_DIR / "docs" / "monitoring"
RULES = [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS = [target for panel in PANELS for target in panel["targets"]]
# The names of the samples of each type, behind the name of the metric.
ENDINGS = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


@pytest.fixture
def known(db):
    """The names of the samples, with the names of their labels."""
    families = [*collectors._families(), *collectors.ApplicationCollector().collect(), *requests.OWN.collect()]
    return {family.name + ending: family for family in families for ending in ENDINGS[family.type]}


def selected(expression):
    """The names of the metrics that an expression selects. Raises ValueError where it is no PromQL."""
    promql_parser.parse(expression)
    return set(re.findall(r"\bdsrhub_\w+", expression))


def test_alerts_select_metrics_that_exist(known):
    names = [selected(rule["expr"]) for rule in RULES]
    assert all(names)
    assert set().union(*names) - known.keys() == set()


def test_the_dashboard_selects_metrics_that_exist_and_shows_nearly_all(known):
    names = set().union(*(selected(target["expr"]) for target in TARGETS))
    assert names - known.keys() == set()
    assert known.keys() - names == {"dsrhub_catalogue_behind_seconds", "dsrhub_usage_refreshed_timestamp_seconds"}


def test_alerts_and_legends_name_labels_that_exist(known):
    templates = [(rule["expr"], *re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) for rule in RULES]
    templates += [(target["expr"], *re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) for target in TARGETS]
    for expression, *labels in templates:
        by = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", expression))))
        assert set(labels) <= by, expression
    labelled = {
        name: set(family._labelnames if hasattr(family, "_labelnames") else ()) for name, family in known.items()
    }
    for rule in RULES:
        for name, matchers in re.findall(r"(dsrhub_\w+)\{([^}]*)\}", rule["expr"]):
            assert labelled[name] >= set(re.findall(r"(\w+)=", matchers)) or name.startswith("dsrhub_http"), rule


def test_each_alert_says_what_is_wrong_and_what_to_do():
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names)) > 10
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "action"}
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}


def test_panels_do_not_overlap_and_have_ids_of_their_own():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_every_alert_and_every_metric_is_documented(known):
    page = (settings.BASE_DIR / "docs" / "monitoring.md").read_text()
    assert [rule["alert"] for rule in RULES if f"`{rule['alert']}`" not in page] == []
    names = {re.sub("_(bucket|sum|count)$", "", name) for name in known}
    assert {name for name in names if f"`{name}`" not in page} == set()
