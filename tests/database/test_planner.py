"""When the planner of PostgreSQL looks at a table again."""

import pytest
from django.db import transaction

from dsrhub.database import planner
from dsrhub.database.planner import analyze_if_changed
from dsrhub.database.statements import execute, rows_of
from tests.waiting import PATIENCE

ROWS = "SELECT reltuples FROM pg_class WHERE relname = 'growing'"


@pytest.fixture(autouse=True)
def growing(db, monkeypatch):
    """A table that the planner knows with its two rows. Four changed rows are few, and half of its rows."""
    monkeypatch.setattr(planner, "FEW_CHANGES", 4)
    execute("CREATE TABLE growing (number integer); INSERT INTO growing VALUES (1), (2); ANALYZE growing")
    yield
    execute("DROP TABLE growing")


def known_rows():
    ((rows,),) = rows_of(ROWS)
    return rows


def grow(count):
    execute("INSERT INTO growing SELECT generate_series(1, %(count)s)", count=count)


def test_a_table_is_analyzed_once_more_than_a_few_and_half_of_its_rows_changed():
    # The two rows of the fixture were added in this transaction, so they count too.
    grow(3)
    analyze_if_changed("growing")
    assert known_rows() == 2
    grow(1)
    analyze_if_changed("growing")
    assert known_rows() == 6


def test_deleted_and_changed_rows_count_too():
    execute("UPDATE growing SET number = 3; DELETE FROM growing")

    analyze_if_changed("growing")

    assert known_rows() == 0


def test_a_table_is_analyzed_if_it_has_more_rows_than_any_count_of_changes_says():
    grow(3)
    analyze_if_changed("growing", known_rows=7)
    assert known_rows() == 2
    analyze_if_changed("growing", known_rows=8)
    assert known_rows() == 5


@pytest.mark.django_db(transaction=True)
def test_a_table_that_another_session_analyzes_is_left_to_it(in_thread):
    with transaction.atomic():
        execute("LOCK TABLE growing IN SHARE UPDATE EXCLUSIVE MODE")
        in_thread(analyze_if_changed, "growing", known_rows=100).result(PATIENCE)
