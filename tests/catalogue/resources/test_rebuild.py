"""Rebuilding the catalogue of resources: the result is the same as after registering DSR by DSR."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.dsrs.services import dsr_delete
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, LeftoverLines, Resource
from catalogue.resources import services
from catalogue.resources.services import CatalogueState, catalogue_refresh, catalogue_state
from tests.catalogue.helpers import line, other_transaction, write_report
from tests.catalogue.resources.test_register import (
    DESCRIBED,
    REPORTS,
    YOUTUBE,
    assert_follows_the_lines_to_the_end,
    catalogue,
    lines,
    names,
)
from tests.waiting import PATIENCE

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rebuilds(monkeypatch):
    """The number of DSRs of each rebuild. Here, every refresh rebuilds if at least half of all lines are new."""
    sizes, rebuild = [], services.resources_rebuild

    def count(dsrs):
        sizes.append(len(dsrs))
        rebuild(dsrs)

    monkeypatch.setattr(services, "REBUILD_LINES", 1)
    monkeypatch.setattr(services, "resources_rebuild", count)
    return sizes


@pytest.fixture
def ingest(tmp_path):
    """Import a report without its resources."""

    def ingest(name, *report):
        return dsr_import(path=write_report(tmp_path, name, *report), name=name, replace=True, and_catalogue=False).dsr

    return ingest


@pytest.mark.parametrize("own_partitions", [False, True])
def test_a_rebuild_describes_resources_as_registering_dsr_by_dsr_does(ingest, rebuilds, settings, own_partitions):
    settings.DSRHUB_SHARED_PARTITION_BYTES = 0 if own_partitions else 1024**2
    for name in reversed(REPORTS):
        ingest(name, *REPORTS[name])
    ingest(YOUTUBE, line("a", "Other"), line("a", "", "Bo"))
    catalogue_refresh()

    assert rebuilds == [5]
    assert catalogue() == DESCRIBED
    assert catalogue("YouTube") == [("a", "Other", "Bo", None)]
    assert catalogue_state() == CatalogueState(0, 0)


def test_few_new_lines_are_registered_without_a_rebuild(ingest, rebuilds):
    ingest(report_name(0), line("a", "One"), line("b"), line("c"))
    catalogue_refresh()
    ingest(report_name(1), line("a", "Two"), line("d"))
    catalogue_refresh()

    assert rebuilds == [1]
    assert [row[:2] for row in catalogue()] == [("a", "Two"), ("b", None), ("c", None), ("d", None)]


def report_name(number):
    return list(REPORTS)[number]


actions = st.lists(
    st.one_of(
        st.tuples(st.just("import"), names, lines),
        st.tuples(st.just("delete"), names, st.just([])),
        st.tuples(st.just("refresh"), st.none(), st.just([])),
    ),
    max_size=10,
)


@given(steps=actions)
@settings(max_examples=20)
def test_the_catalogue_follows_the_lines_after_any_steps_and_rebuilds(tmp_path_factory, steps):
    for action, name, report in steps:
        if action == "import":
            path = write_report(tmp_path_factory.mktemp("reports"), name, *report)
            dsr_import(path=path, name=name, replace=True, and_catalogue=False)
        elif action == "refresh":
            catalogue_refresh()
        else:
            for dsr in DSR.objects.filter(path=name):
                dsr_delete(dsr_number=dsr.pk)
    catalogue_refresh()

    assert_follows_the_lines_to_the_end()


# --- The table ---------------------------------------------------------------------------------------------------

SHAPE = """
SELECT attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
    attcollation::regcollation::text, pg_get_expr(adbin, adrelid)
FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = 'catalogue_resource'::regclass AND attnum > 0 ORDER BY attnum
"""
INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisprimary, indisunique, indisvalid
FROM pg_index WHERE indrelid = 'catalogue_resource'::regclass ORDER BY 1
"""
CONSTRAINTS = """
SELECT contype, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = 'catalogue_resource'::regclass ORDER BY 1, 2
"""
SEQUENCE = "SELECT pg_get_serial_sequence('catalogue_resource', 'id')"
RIGHTS = """
SELECT grantee::regrole::text, privilege_type FROM pg_class, aclexplode(relacl)
WHERE oid = 'catalogue_resource'::regclass AND grantee <> relowner ORDER BY 1, 2
"""
LEFT_BEHIND = (
    "SELECT relname FROM pg_class WHERE relname ~ '^catalogue_resource_?(rebuilt|last|earlier)' OR relname ~ '_anew'"
)


def rows_of_each(*statements):
    with connection.cursor() as cursor:
        answers = []
        for statement in statements:
            cursor.execute(statement)
            answers.append(cursor.fetchall())
    return answers


def test_the_new_table_has_the_definition_and_the_rights_of_the_old_one(ingest, rebuilds, monkeypatch):
    # A vacuum of the table waits for the GRANT, and this waits for the vacuum, which PostgreSQL cancels after a second.
    monkeypatch.setattr(services, "DROP_LOCK_TIMEOUT", f"{PATIENCE}s")
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE dsrhub_reader; GRANT SELECT ON catalogue_resource TO dsrhub_reader")
    before = rows_of_each(SHAPE, INDEXES, CONSTRAINTS, SEQUENCE, RIGHTS)
    assert before[-1] == [("dsrhub_reader", "SELECT")]
    assert len(before[1]) == 6

    ingest(report_name(0), line("a"))
    catalogue_refresh()

    assert rebuilds == [1]
    assert rows_of_each(SHAPE, INDEXES, CONSTRAINTS, SEQUENCE, RIGHTS) == before
    assert rows_of_each(LEFT_BEHIND) == [[]]


def test_known_resources_keep_their_numbers_and_new_ones_get_greater_numbers(ingest, rebuilds):
    def numbers():
        return dict(Resource.objects.values_list("dsp_id", "id"))

    ingest(report_name(0), line("a"), line("b"), line("c"))
    catalogue_refresh()
    first = numbers()
    ingest(report_name(1), line("c", "x"), line("d"), line("a"))
    catalogue_refresh()
    second = numbers()
    ingest(report_name(2), line("e"))
    catalogue_refresh()
    third = numbers()

    assert rebuilds == [1, 2]
    assert {dsp_id: second[dsp_id] for dsp_id in "abc"} == first
    assert {dsp_id: third[dsp_id] for dsp_id in "abcd"} == second
    assert len(set(third.values())) == 5
    assert third["e"] > second["d"] > max(first.values())


# --- While others work -------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_others_read_the_old_table_until_it_is_replaced(ingest, monkeypatch):
    ingest(report_name(0), line("a", "One"))
    catalogue_refresh()
    seen, replace = [], services.resources_replace

    def look_first():
        with other_transaction() as other:
            other.execute("SELECT title FROM catalogue_resource")
            seen.extend(other.fetchall())
        replace()

    monkeypatch.setattr(services, "resources_replace", look_first)
    ingest(report_name(1), line("a", "Two"))
    catalogue_refresh()

    assert seen == [("One",)]
    assert catalogue() == [("a", "Two", None, None)]


@pytest.mark.django_db(transaction=True)
def test_if_the_table_is_always_read_dsrs_are_registered_one_by_one(ingest, monkeypatch, rebuilds, caplog):
    monkeypatch.setattr(services, "REPLACE_TRIES", 2)
    monkeypatch.setattr(services, "DROP_LOCK_TIMEOUT", "1ms")
    ingest(report_name(0), line("a", "One"), line("b"))
    with other_transaction() as other:
        other.execute("SELECT count(*) FROM catalogue_resource")
        catalogue_refresh()

    assert rebuilds == [1]
    assert "read all the time" in caplog.text
    assert catalogue() == [("a", "One", None, None), ("b", None, None, None)]
    assert catalogue_state() == CatalogueState(0, 0)
    assert rows_of_each(LEFT_BEHIND) == [[]]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("was_catalogued", [False, True])
def test_a_dsr_that_is_deleted_during_a_rebuild_leaves_nothing(ingest, monkeypatch, rebuilds, was_catalogued):
    gone = ingest(report_name(0), line("a"))
    if was_catalogued:
        catalogue_refresh()
    ingest(report_name(1), line("b"), line("c"))
    rebuild = services.resources_rebuild

    def delete_meanwhile(dsrs):
        rebuild(dsrs)
        monkeypatch.setattr(services, "resources_rebuild", rebuild)
        with ThreadPoolExecutor() as pool:
            pool.submit(delete).result()

    def delete():
        dsr_delete(dsr_number=gone.pk)
        connection.close()

    monkeypatch.setattr(services, "resources_rebuild", delete_meanwhile)
    catalogue_refresh()
    catalogue_refresh()

    assert [row[0] for row in catalogue()] == ["b", "c"]
    assert catalogue_state() == CatalogueState(0, 0)
    assert not LeftoverLines.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_refreshes_at_once_one_rebuilds(ingest, monkeypatch, rebuilds):
    ingest(report_name(0), line("a"))
    rebuild = services.resources_rebuild

    def refresh():
        catalogue_refresh()
        connection.close()

    with ThreadPoolExecutor() as pool:
        others = []

        def start_another(dsrs):
            others.append(pool.submit(refresh))
            rebuild(dsrs)

        monkeypatch.setattr(services, "resources_rebuild", start_another)
        catalogue_refresh()
        others[0].result()

    assert rebuilds == [1]
    assert len(others) == 1
    assert catalogue() == [("a", None, None, None)]
