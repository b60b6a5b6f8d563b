"""Imports as a cluster does them, in two steps: lines are committed and counted, then their DSRs come in."""

import pytest
from django.db import connection, transaction

from catalogue.exceptions import LinesIncomplete, ReportRefused
from catalogue.imports.loading import steps as loading
from catalogue.imports.services import dsr_import
from catalogue.lines import arriving, storage
from catalogue.lines.storage import UNSETTLED_LOADS, abandoned_lines_drop
from catalogue.models import DSR, IncomingLines, ReportMessage, UsageLine
from catalogue.resources.services import catalogue_refresh
from dsrhub.database import locks
from dsrhub.exceptions import NodeOutOfReach
from tests import cluster
from tests.catalogue.helpers import ES_JANUARY, SHARED_STORAGE, line, line_storage, other_transaction, write_report
from tests.catalogue.lines.spread import as_on_a_cluster
from tests.catalogue.messages import write_message_file
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("without_versions")]

LINES = [line("a", "Aurora", usages="3", revenue="2.5"), line("b", usages="1", revenue="1"), line("a", revenue="-1")]
SIZES = {"small": 1_000_000, "large": 0}


@pytest.fixture(autouse=True, params=SIZES)
def _cluster(request, transactional_db, settings):
    """The report is small, or its lines get a table of their own. It is dropped after the test."""
    settings.DSRHUB_SHARED_PARTITION_BYTES = SIZES[request.param]
    with as_on_a_cluster():
        yield
        cluster.transactions_settle()
        catalogue_refresh()
    assert not IncomingLines.objects.exists()


@pytest.fixture
def path(tmp_path):
    return write_report(tmp_path, ES_JANUARY, *LINES)


def stored():
    """The lines in the tables, whether their DSRs are there or not."""
    return list(UsageLine.objects.order_by("dsp_id", "line_number").values_list("dsp_id", "usages", "revenue"))


def seen_by_others(statement):
    with other_transaction() as other:
        other.execute(statement)
        return other.fetchall()


def test_a_report_is_imported_as_on_one_server(path):
    dsr = dsr_import(path=path, name=path.name).dsr

    assert stored() == [("a", 3, 2.5), ("a", None, -1), ("b", 1, 1)]
    assert (dsr.line_count, dsr.total_revenue, dsr.most_repeats, dsr.warning_count) == (3, 2.5, 2, 1)
    assert [problem.line for problem in dsr.problems.all()] == [4]
    assert not IncomingLines.objects.exists()
    assert len(line_storage()) == len(SHARED_STORAGE) + (dsr.partition > 0)


def test_nothing_is_left_of_a_dry_run(path):
    dsr_import(path=path, name=path.name, dry_run=True)

    assert stored() == []
    assert line_storage() == SHARED_STORAGE


def test_all_contexts_of_a_message_come_in_at_once(tmp_path, monkeypatch):
    path = write_message_file(tmp_path, sales=[(1, "a", 10), (2, "b", 3), (2, "c", 1)])

    def look(names):
        assert seen_by_others("SELECT count(*) FROM catalogue_usageline") == [(3,)]
        assert seen_by_others("SELECT count(*), count(DISTINCT load) FROM catalogue_incominglines") == [(2, 1)]
        assert seen_by_others("SELECT count(*) FROM catalogue_dsr") == [(0,)]
        claim(names)

    claim = loading.names_claim
    monkeypatch.setattr(loading, "names_claim", look)
    dsr_import(path=path, name=path.name)

    by_territory = dict(DSR.objects.values_list("territory_id", "line_count"))
    assert by_territory == {"ES": 1, "IT": 2}
    assert (ReportMessage.objects.count(), len(stored())) == (1, 3)


def test_lines_are_there_before_their_dsr_and_nobody_drops_them(path, monkeypatch, in_thread):
    def look(names):
        ((number,),) = seen_by_others("SELECT dsr_number FROM catalogue_incominglines")
        assert seen_by_others(f"SELECT count(*) FROM catalogue_usageline WHERE dsr_id = {number}") == [(3,)]  # noqa: S608
        assert seen_by_others("SELECT count(*) FROM catalogue_dsr") == [(0,)]
        # Their session holds them, and their key is locked.
        assert in_thread(abandoned_lines_drop, lock_timeout="100ms").result(PATIENCE) == 0
        locked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted"
        assert seen_by_others(locked)[0][0] > 0
        claim(names)

    claim = loading.names_claim
    monkeypatch.setattr(loading, "names_claim", look)
    dsr_import(path=path, name=path.name)

    assert len(stored()) == DSR.objects.get().line_count == 3


@pytest.mark.parametrize("moment", ["before the commit", "after it"])
def test_a_failed_import_leaves_the_earlier_dsr_and_its_lines_are_dropped(path, tmp_path, monkeypatch, moment):
    standing = dsr_import(path=path, name=path.name).dsr
    place = (arriving.ArrivalAhead, "_wait_for") if moment == "before the commit" else (loading, "names_claim")

    def fail(*_):
        raise NodeOutOfReach("gone")

    with monkeypatch.context() as patch:
        patch.setattr(*place, fail)
        other = write_report(tmp_path, ES_JANUARY, line("z", revenue="9"))
        with pytest.raises(NodeOutOfReach):
            dsr_import(path=other, name=other.name, replace=True)

    assert DSR.objects.get() == standing
    assert len(stored()) == 4
    assert IncomingLines.objects.count() == 1
    cluster.transactions_settle()
    catalogue_refresh()
    assert len(stored()) == 3
    assert not IncomingLines.objects.exists()


@pytest.fixture
def transactions():
    """The table in which a cluster records the parts of transactions, until it knows that nodes have committed them."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE pg_dist_transaction (gid text)")
        yield cursor
        cursor.execute("DROP TABLE pg_dist_transaction")


@pytest.mark.on_one_server(reason="the records of a cluster are its own")
def test_lines_are_dropped_when_all_nodes_have_committed_them(transactions, monkeypatch):
    monkeypatch.setattr(storage, "UNSETTLED_LOADS", UNSETTLED_LOADS)
    with transaction.atomic():  # A failed import, of which a node was killed before it committed its part.
        IncomingLines.objects.bulk_create(IncomingLines(dsr_number=n, partition=0, load=7) for n in (7, 8))
        transactions.execute("INSERT INTO pg_dist_transaction VALUES ('a part of 7 and 8')")
    with transaction.atomic():  # Another one, all of whose nodes have committed.
        IncomingLines.objects.create(dsr_number=9, partition=0, load=9)

    assert abandoned_lines_drop(lock_timeout="100ms") == 1
    assert list(IncomingLines.objects.order_by("dsr_number").values_list("dsr_number", flat=True)) == [7, 8]
    transactions.execute("DELETE FROM pg_dist_transaction")
    assert abandoned_lines_drop(lock_timeout="100ms") == 2


def test_a_refused_report_leaves_nothing(tmp_path):
    path = write_report(tmp_path, ES_JANUARY, *LINES, line("c", revenue="much"))
    with pytest.raises(ReportRefused):
        dsr_import(path=path, name=path.name)

    assert stored() == []
    assert not IncomingLines.objects.exists()
    assert line_storage() == SHARED_STORAGE


def test_a_dsr_does_not_come_in_while_lines_are_missing(path, monkeypatch):
    monkeypatch.setattr(arriving, "COUNTED_WITHIN", 0)
    monkeypatch.setattr(arriving, "COUNTS", f"{arriving.COUNTS} LIMIT 0")
    with pytest.raises(LinesIncomplete) as caught:
        dsr_import(path=path, name=path.name)

    assert (caught.value.code, DSR.objects.count()) == ("lines_incomplete", 0)
    assert caught.value.extra == {"dsr": IncomingLines.objects.get().dsr_number}


def test_a_dsr_comes_in_when_a_late_node_has_committed(path, monkeypatch):
    counts = iter([[1], []])
    missing = arriving.ArrivalAhead._missing
    monkeypatch.setattr(arriving, "COUNT_PAUSE", 0)
    monkeypatch.setattr(
        arriving.ArrivalAhead, "_missing", lambda self, line_counts: next(counts) or missing(self, line_counts)
    )
    dsr_import(path=path, name=path.name)

    assert next(counts, None) is None
    assert DSR.objects.count() == 1


def test_lines_stay_while_their_import_commits(path, in_thread):
    """The session that brought them is closed by then: the rows are locked."""
    with transaction.atomic():
        with arriving.lines_arriving(dry_run=False) as arrival:
            arrival.execute("CREATE TEMP TABLE one (id integer)")
            arrival.complete({(7, 0): 0})
        assert in_thread(abandoned_lines_drop, lock_timeout="100ms").result(PATIENCE) == 0
        assert seen_by_others("SELECT dsr_number FROM catalogue_incominglines") == [(7,)]
    assert not IncomingLines.objects.exists()


def test_a_dsr_does_not_come_in_if_its_lines_were_dropped(monkeypatch):
    def dropped_meanwhile(*_):
        with other_transaction() as other:
            other.execute("DELETE FROM catalogue_incominglines")
            other.connection.commit()

    monkeypatch.setattr(arriving.ArrivalAhead, "_wait_for", dropped_meanwhile)
    with pytest.raises(LinesIncomplete), transaction.atomic(), arriving.lines_arriving(dry_run=False) as arrival:
        arrival.complete({(7, 0): 0})


def test_the_session_of_the_lines_ends_with_the_import(path):
    def held():
        return locks.INCOMING_LINES.held_numbers()

    dsr_import(path=path, name=path.name)
    assert held() == set()
    assert connection.is_usable()
