"""A session knows the table of a new DSR before it plans a statement about its lines. All commits are real."""

import pytest
from django.db import connection

from catalogue.dsrs.services import dsr_delete
from catalogue.lines.lookups import lines_after
from catalogue.resources.services import catalogue_refresh
from tests.catalogue.helpers import ES_JANUARY, import_report, line, other_transaction
from tests.waiting import PATIENCE, wait_for_lock_waiter

pytestmark = pytest.mark.django_db(transaction=True)
WAITING = """
SELECT query LIKE '%%pg_relation_size%%', query LIKE '%%FROM catalogue_usageline WHERE%%' FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@pytest.fixture
def new_dsr(transactional_db, settings, tmp_path):
    """A DSR of two lines with a table of its own, which the thread of the test has not read yet."""
    settings.DSRHUB_SHARED_PARTITION_BYTES = 0
    dsr = import_report(tmp_path, ES_JANUARY, line("a", revenue="1"), line("b", revenue="2"))
    yield dsr
    dsr_delete(dsr_number=dsr.pk)
    catalogue_refresh()


def dsp_ids(dsr):
    return [one.dsp_id for one in lines_after([dsr], after=0, limit=10)[dsr.pk]]


def test_a_reader_waits_for_the_table_before_its_statement_is_planned(new_dsr, in_thread):
    """The other transaction is where an importer is that has committed: its DSR is seen, and its lock not released."""
    with other_transaction() as other:
        other.execute(f"LOCK TABLE catalogue_usageline_{new_dsr.pk} IN ACCESS EXCLUSIVE MODE")
        reading = in_thread(dsp_ids, new_dsr)
        wait_for_lock_waiter("relation")
        with connection.cursor() as cursor:
            cursor.execute(WAITING)
            assert cursor.fetchall() == [(True, False)]

    assert reading.result(PATIENCE) == ["a", "b"]


def test_a_session_that_knows_a_table_asks_no_more(new_dsr, in_other_session, django_assert_num_queries):
    def statements_twice():
        counts = []
        for _ in range(2):
            with django_assert_num_queries(3 - len(counts)):
                assert dsp_ids(new_dsr) == ["a", "b"]
            counts.append(True)

    in_other_session(statements_twice)
