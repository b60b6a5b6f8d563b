"""REST, GraphQL and the admin stand side by side: what the pages name exists, and nothing is missing."""

import re

import pytest
from django.test import Client
from graphql import build_schema

from dsrhub.pages.navigation import GROUPS
from tests.docs.blocks import PAGES, ROOT

SCHEMA = build_schema((ROOT / "graphql_schema" / "schema.graphql").read_text())
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text() for path in PAGES}
ALL = "\n".join(TEXTS.values())
HEADING = r"^\| \w+ \| REST \| GraphQL \| in the admin \|\n\|[- |]+\n((?:\|.*\n)+)"
# Opening the documentation itself, and signing in.
NO_QUESTIONS = {"/openapi.json", "/openapi.yaml", "/docs/"}


def rows(page):
    """The cells of the rows of the table of a page: what is asked, REST, GraphQL, and the admin."""
    (table,) = re.findall(HEADING, TEXTS[page], re.MULTILINE)
    return [[cell.strip() for cell in row.strip().strip("|").split("|")] for row in table.splitlines()]


@pytest.fixture(scope="module")
def operations():
    """The method and the path of each operation of REST, without a final slash."""
    paths = Client().get("/openapi.json").json()["paths"]
    return {(method.upper(), path.rstrip("/")) for path, methods in paths.items() for method in methods}


PAGES_OF_TABLES = ["docs/questions.md", "docs/subscriptions.md"]


@pytest.mark.parametrize("page", PAGES_OF_TABLES)
def test_the_operations_of_a_table_exist(page, operations):
    named = [cell for _, rest, _, _ in rows(page) for cell in re.findall("`([A-Z]+ [^`]+)`", rest)]
    assert len(named) > 9
    assert [name for name in named if tuple(name.rstrip("/").split(" ")) not in operations] == []


@pytest.mark.parametrize("page", PAGES_OF_TABLES)
def test_the_fields_of_a_table_exist(page):
    fields = {**SCHEMA.query_type.fields, **SCHEMA.mutation_type.fields}
    named = [name for _, _, graphql, _ in rows(page) for name in re.findall(r"`(\w+)`", graphql)]
    assert len(named) > 9
    assert [name for name in named if name not in fields] == []


@pytest.mark.parametrize("page", PAGES_OF_TABLES)
def test_the_pages_of_the_admin_in_a_table_are_in_its_navigation(page):
    labels = {str(one.label) for _, pages in GROUPS for one in pages}
    named = [name for _, _, _, admin in rows(page) for name in re.findall(r"\*([^*]+)\*", admin)]
    assert len(named) > 7
    assert [name for name in named if name not in labels] == []


def test_every_question_and_mutation_of_graphql_is_on_a_page():
    fields = [*SCHEMA.query_type.fields, *SCHEMA.mutation_type.fields]
    assert [name for name in fields if not re.search(rf"\b{name}\b", ALL)] == []


def test_every_operation_of_rest_is_on_a_page(operations):
    def is_named(method, path):
        pattern = re.escape(re.sub(r"\{\w+\}", "ID", path)).replace("ID", r"(?:\{\w+\}|\d+)")
        return re.search(rf"(?<![\w/}}]){pattern}/?(?![\w/{{])", ALL.replace("http://localhost:8000", ""))

    assert sorted({path for method, path in operations if not is_named(method, path)} - NO_QUESTIONS) == []
