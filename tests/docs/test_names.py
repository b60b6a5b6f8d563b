"""The names in the tables of the documentation are those of the code: actions of the audit log, and permissions."""

import re

from django.apps import apps

from dsrhub.models import Action
from tests.docs.blocks import PAGES, ROOT


def table(page, heading):
    """The rows of the table with a heading, cell by cell."""
    text = (ROOT / page).read_text()
    (found,) = re.findall(rf"^{re.escape(heading)}\n\|[- |]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in row.strip().strip("|").split("|")] for row in found.splitlines()]


def test_the_table_of_the_audit_log_has_every_action_once():
    named = [
        name for _, actions in table("docs/admin.md", "| about | actions |") for name in re.findall("`(.+?)`", actions)
    ]
    assert sorted(named) == sorted(Action.values)


def permissions():
    """The code names of all permissions, and the same with the names of their applications."""
    for model in apps.get_models():
        options = model._meta
        for action in options.default_permissions:
            yield from (f"{action}_{options.model_name}", f"{options.app_label}.{action}_{options.model_name}")
        for codename, _ in options.permissions:
            yield from (codename, f"{options.app_label}.{codename}")


def test_every_permission_that_a_page_names_exists():
    known = set(permissions())
    pattern = re.compile(r"`((?:\w+\.)?(?:view|add|change|delete|export|import|ingest)_[a-z]+)`")
    named = {(name, page.name) for page in PAGES for name in pattern.findall(page.read_text())}
    assert len(named) > 60
    # Commands, and the code of an error.
    others = {"import_usage", "add_sample_reports", "add_sample_usage", "export_gone"}
    assert {(name, page) for name, page in named if name not in known | others} == set()
