"""The documentation matches the code and the repository."""

import re
from enum import StrEnum
from pathlib import Path

import pytest
from django.conf import settings

from catalogue.reports.formats import registry
from catalogue.reports.problems import CommonError, CommonWarning, ErrorCode, WarningCode

ROOT = Path(settings.BASE_DIR)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def page(name: str) -> str:
    return (ROOT / name).read_text()


def section(text: str, heading: str) -> str:
    """The text under a heading of the second level; empty if there is no such heading."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


# --- Links -----------------------------------------------------------------------------------------------------


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to headings of words, digits and hyphens."""
    headings = re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file_and_a_heading(path):
    broken = []
    for link in re.findall(r"\]\(([^)]+)\)", without_code(path.read_text())):
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
            broken.append(link)
    assert broken == []


# --- Codes of problems -----------------------------------------------------------------------------------------


def listed_codes(text: str) -> list[str]:
    """The codes in the first column of the tables of a text."""
    rows = re.findall(r"^\| (`[a-z_0-9`, ]+`) \|", text, re.MULTILINE)
    return [code for row in rows for code in re.findall(r"`(\w+)`", row)]


def codes_of_format(name: str, base: type[StrEnum]) -> list[str]:
    modules = f"catalogue.reports.formats.{name}."
    return [code for one in base.__subclasses__() if one.__module__.startswith(modules) for code in one]


def format_names() -> list[str]:
    """The folders of the registered formats."""
    return [type(one).__module__.split(".")[-2] for one in registry.FORMATS]


@pytest.mark.parametrize(("heading", "codes"), [("Errors", CommonError), ("Warnings", CommonWarning)])
def test_the_page_on_importing_lists_the_codes_of_all_formats(heading, codes):
    assert sorted(listed_codes(section(page("docs/import.md"), heading))) == sorted(codes)


@pytest.mark.parametrize("name", format_names())
def test_the_page_of_a_format_lists_its_own_codes(name):
    text = page(f"docs/formats/{name}.md")
    assert f"](formats/{name}.md)" in page("docs/import.md")
    assert sorted(listed_codes(section(text, "Errors"))) == sorted(codes_of_format(name, ErrorCode))
    assert sorted(listed_codes(section(text, "Warnings"))) == sorted(codes_of_format(name, WarningCode))
