"""Registering resources: each is in the catalogue once, described by its most recent lines, in any order of imports."""

import hashlib
from itertools import permutations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.dsrs.services import dsr_delete
from catalogue.imports import services as imports
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, LeftoverLines, Resource
from catalogue.resources import services
from catalogue.resources.services import CatalogueState, catalogue_refresh, catalogue_state
from tests.catalogue.helpers import import_report, line, other_transaction, write_report

ES_JANUARY = "Spotify_Duo_ES_EUR_20200101-20200131.tsv"
ES_FEBRUARY = "Spotify_Duo_ES_EUR_20200201-20200229.tsv"
ES_QUARTER = "Spotify_Duo_ES_EUR_20200101-20200331.tsv"
FR_QUARTER = "Spotify_Duo_FR_EUR_20200201-20200331.tsv"
YOUTUBE = "YouTube_Ads_ES_EUR_20200101-20200131.tsv"

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["shared partition", "own partition"])
def either_partition(request, settings):
    settings.DSRHUB_SHARED_PARTITION_BYTES = 1024**2 if request.param == "shared partition" else 0


def catalogue(dsp="Spotify"):
    resources = Resource.objects.filter(dsp=dsp).order_by("dsp_id")
    return list(resources.values_list("dsp_id", "title", "artists", "isrc"))


def naive_catalogue(dsp="Spotify"):
    """The same, calculated line by line."""
    dsrs = DSR.objects.filter(status="ingested", dsp=dsp)
    known = {}
    for dsr in sorted(dsrs, key=lambda dsr: (dsr.period_end, dsr.period_start, dsr.path.encode())):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT dsp_id, title, artists, isrc FROM catalogue_usageline WHERE dsr_id = %s ORDER BY line_number",
                [dsr.pk],
            )
            for dsp_id, *texts in cursor.fetchall():
                described = known.setdefault(dsp_id, [None, None, None])
                known[dsp_id] = [new if new is not None else old for old, new in zip(described, texts, strict=True)]
    return sorted(((dsp_id, *texts) for dsp_id, texts in known.items()), key=lambda row: row[0].encode())


def assert_follows_the_lines_to_the_end():
    """The catalogue is what the lines say, and is empty after all DSRs are deleted."""
    assert catalogue() == naive_catalogue()
    for dsr in DSR.objects.all():
        dsr_delete(dsr_number=dsr.pk)
    catalogue_refresh()
    assert catalogue() == []


@pytest.mark.usefixtures("either_partition")
def test_an_import_registers_its_resources(tmp_path):
    dsr = import_report(tmp_path, ES_JANUARY, line("a", "One", "Ann|Bo", "ESA010000001"), line("b"), line("B", "Two"))

    assert catalogue() == [("B", "Two", None, None), ("a", "One", "Ann|Bo", "ESA010000001"), ("b", None, None, None)]
    dsr.refresh_from_db()
    assert dsr.is_catalogued
    assert catalogue_state() == CatalogueState(0, 0)


def test_the_same_dsp_id_of_two_dsps_is_two_resources(tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a", "One"))
    import_report(tmp_path, YOUTUBE, line("a", "Other"))

    assert catalogue() == [("a", "One", None, None)]
    assert catalogue("YouTube") == [("a", "Other", None, None)]


def test_a_repeated_dsp_id_has_the_last_value_of_each_column(tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a", "One", "Ann"), line("a", "Two"), line("a", isrc="ESA010000001"))

    assert catalogue() == [("a", "Two", "Ann", "ESA010000001")]


def test_the_last_line_describes_a_resource_even_if_its_values_were_known(tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a", "One", "Ann"))
    import_report(tmp_path, ES_FEBRUARY, line("a", "Two", "Bo"), line("a", "One", "Ann"))

    assert catalogue() == [("a", "One", "Ann", None)]


REPORTS = {
    # From the earliest to the most recent: by period end, period start, name.
    ES_JANUARY: [line("a", "January", "January", "January"), line("b", "January"), line("c")],
    ES_FEBRUARY: [line("a", "February", "February"), line("d", "February")],
    ES_QUARTER: [line("a", "", "Quarter"), line("b", "Quarter"), line("c", "Quarter", "Quarter")],
    FR_QUARTER: [line("a", "France"), line("c", "", "France"), line("d", "")],
}
DESCRIBED = [
    ("a", "France", "Quarter", "January"),
    ("b", "Quarter", None, None),
    ("c", "Quarter", "France", None),
    ("d", "February", None, None),
]


@pytest.mark.parametrize("order", list(permutations(REPORTS)))
def test_the_order_of_imports_does_not_matter(tmp_path, order):
    for name in order:
        import_report(tmp_path, name, *REPORTS[name])

    assert catalogue() == DESCRIBED


@pytest.mark.usefixtures("either_partition", "without_versions")
def test_a_refresh_removes_what_only_deleted_dsrs_reported(tmp_path):
    dsrs = {name: import_report(tmp_path, name, *REPORTS[name]) for name in REPORTS}
    import_report(tmp_path, YOUTUBE, line("a", "Other"))

    dsr_delete(dsr_number=dsrs[FR_QUARTER].pk)
    dsr_delete(dsr_number=dsrs[ES_FEBRUARY].pk)
    assert catalogue_state() == CatalogueState(0, 2)
    catalogue_refresh()

    assert catalogue() == [
        ("a", "January", "Quarter", "January"),
        ("b", "Quarter", None, None),
        ("c", "Quarter", "Quarter", None),
    ]
    assert catalogue("YouTube") == [("a", "Other", None, None)]
    assert catalogue_state() == CatalogueState(0, 0)


def test_a_replacement_replaces_the_description(tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a", "One"), line("b", "Two"))
    path = write_report(tmp_path, ES_JANUARY, line("a", "", "Ann"), line("c"))
    dsr_import(path=path, name=ES_JANUARY, replace=True)

    assert catalogue() == [("a", None, "Ann", None), ("c", None, None, None)]


AUTOVACUUM = pytest.mark.on_one_server(reason="the autovacuum of each node looks at its lines")


@pytest.mark.parametrize("table", [pytest.param("catalogue_usageline_shared", marks=AUTOVACUUM), "catalogue_resource"])
def test_the_planner_knows_how_many_lines_and_resources_there_are(tmp_path, monkeypatch, table):
    # With the statistics of an empty table, it would join all lines with all resources.
    monkeypatch.setattr("dsrhub.database.planner.FEW_CHANGES", 10)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {table}")
        import_report(tmp_path, ES_JANUARY, *(line(f"a{n}") for n in range(30)))
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname = %s", [table])

        assert cursor.fetchone() == (30,)


def test_a_dry_run_registers_nothing(tmp_path):
    dsr_import(path=write_report(tmp_path, ES_JANUARY, line("a")), name=ES_JANUARY, dry_run=True)

    assert catalogue() == []


@pytest.mark.usefixtures("without_versions")
def test_a_refresh_continues_what_interrupted_imports_left(tmp_path, monkeypatch):
    monkeypatch.setattr(imports, "catalogue_refresh", lambda: None)
    import_report(tmp_path, ES_JANUARY, line("a", "One"))
    later = import_report(tmp_path, ES_FEBRUARY, line("a", "Two"), line("b"))
    gone = import_report(tmp_path, ES_QUARTER, line("z"))
    dsr_delete(dsr_number=gone.pk)
    assert catalogue() == []
    assert catalogue_state() == CatalogueState(2, 1)

    catalogue_refresh()
    assert catalogue() == [("a", "Two", None, None), ("b", None, None, None)]
    catalogue_refresh()
    assert catalogue() == [("a", "Two", None, None), ("b", None, None, None)]
    assert catalogue_state() == CatalogueState(0, 0)
    dsr_delete(dsr_number=later.pk)
    catalogue_refresh()
    assert catalogue() == [("a", "One", None, None)]


def test_texts_too_long_for_an_index_are_registered(tmp_path):
    """Cells of 4,000 bytes that do not compress: an entry of an index has at most 2,704."""
    dsp_id, title = (hashlib.shake_256(seed).hexdigest(2000) for seed in (b"dsp_id", b"title"))
    import_report(tmp_path, ES_JANUARY, line(dsp_id, title, isrc=title), line(dsp_id + "x"))
    import_report(tmp_path, ES_FEBRUARY, line(dsp_id, title, title))

    assert catalogue() == [(dsp_id, title, title, title), (dsp_id + "x", None, None, None)]


@pytest.mark.django_db(transaction=True)
def test_a_dsr_that_is_deleted_while_it_is_registered_leaves_nothing(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(imports, "catalogue_refresh", lambda: None)
        import_report(tmp_path, ES_JANUARY, line("a"))

    def delete_first(dsrs):
        with other_transaction() as other:
            # As a deletion by another process does.
            other.execute("DELETE FROM catalogue_dsr WHERE id = %s", [dsrs[0].pk])
            other.execute(
                "INSERT INTO catalogue_leftoverlines (dsr_number, partition, dsp, is_catalogued) "
                "VALUES (%s, 0, '', false)",
                [dsrs[0].pk],
            )
            other.connection.commit()
        return register(dsrs)

    register = services.resources_register
    monkeypatch.setattr(services, "resources_register", delete_first)
    catalogue_refresh()

    assert catalogue() == []
    catalogue_refresh()
    assert not LeftoverLines.objects.exists()


texts = st.sampled_from(["", "x", "y", "z"])
lines = st.lists(st.builds(line, st.sampled_from("abc"), texts, texts, texts), max_size=5)
names = st.sampled_from([*REPORTS])
steps = st.lists(
    st.one_of(st.tuples(st.just("import"), names, lines), st.tuples(st.just("delete"), names, st.just([]))), max_size=9
)


@given(steps=steps, register_late=st.booleans())
@settings(max_examples=20)
def test_the_catalogue_follows_the_lines_after_any_imports_and_deletions(
    tmp_path_factory, monkeypatch, steps, register_late
):
    with monkeypatch.context() as patch:
        if register_late:
            patch.setattr(imports, "catalogue_refresh", lambda: None)
        for action, name, report in steps:
            if action == "import":
                path = write_report(tmp_path_factory.mktemp("reports"), name, *report)
                dsr_import(path=path, name=name, replace=True)
            else:
                for dsr in DSR.objects.filter(path=name):
                    dsr_delete(dsr_number=dsr.pk)
    catalogue_refresh()

    assert_follows_the_lines_to_the_end()


@pytest.mark.on_one_server(reason="a cluster gathers lines by more statements, if any recording has another title")
def test_as_many_queries_for_1_resource_as_for_300(tmp_path, monkeypatch):
    # Without those of statistics, which earlier tests may have made necessary.
    monkeypatch.setattr("dsrhub.database.planner.FEW_CHANGES", 100_000)

    def queries_to_import(name, count):
        with CaptureQueriesContext(connection) as queries:
            import_report(tmp_path, name, *(line(f"{number}", name) for number in range(count)))
        return len(queries)

    assert queries_to_import(ES_JANUARY, 1) == queries_to_import(ES_FEBRUARY, 300)
