"""Lookups of lines by dsp_id, in several partitions, also where the hashes of all dsp_ids are equal."""

import pytest
from django.db import connection

from catalogue.lines.lookups import has_line_with_dsp_id, lines_with_dsp_id
from catalogue.lines.storage import LineLoad, Repeats
from catalogue.models import SHARED_PARTITION
from catalogue.reports.formats.tsv.reader import COLUMNS
from dsrhub.database.statements import rows_of
from tests.catalogue import recipes
from tests.catalogue.helpers import add_lines, line

pytestmark = pytest.mark.django_db

EQUAL_HASHES = """
CREATE SCHEMA equal_hashes;
CREATE FUNCTION equal_hashes.hashtextextended(text, bigint) RETURNS bigint IMMUTABLE PARALLEL SAFE
    LANGUAGE sql AS 'SELECT 7::bigint';
SET LOCAL search_path = public, equal_hashes, pg_catalog;
"""


@pytest.fixture(params=["different hashes", "equal hashes"])
def _hashes(request):
    """Two texts with the same hash of 64 bits cannot be found, so the function is replaced."""
    if request.param == "equal hashes":
        with connection.cursor() as cursor:
            cursor.execute(EQUAL_HASHES)
    yield
    if request.param == "equal hashes":
        with connection.cursor() as cursor:
            cursor.execute("SELECT hashtextextended('a', 0), hashtextextended('b', 0)")
            assert cursor.fetchone() == (7, 7)


@pytest.fixture
def dsrs(_hashes):
    """Two DSRs in the shared partition, and two with a partition of their own."""
    made = []
    for number, own_partition in enumerate([False, True, False, True]):
        dsr = recipes.dsr.make(offer=f"Offer {number}")
        add_lines(dsr, line("a"), line("b"), line("a"), line(f"only {number}"), own_partition=own_partition)
        made.append(dsr)
    assert [dsr.partition for dsr in made] == [SHARED_PARTITION, made[1].pk, SHARED_PARTITION, made[3].pk]
    return made


def lines_with(dsp_id, dsrs, *, ids=None):
    """The DSRs and numbers of the lines with a dsp_id, in the partitions of some DSRs."""
    partitions = sorted({dsr.partition for dsr in dsrs})
    return rows_of(
        f"""
        SELECT dsr_id, line_number
        FROM unnest(%(partitions)s::integer[]) AS storage (partition)
        CROSS JOIN (SELECT %(dsp_id)s::text AS dsp_id) AS wanted
        CROSS JOIN LATERAL ({lines_with_dsp_id("dsr_id, line_number", key="wanted", ids=ids)}) AS line
        ORDER BY dsr_id, line_number
        """,  # noqa: S608 - no value is in it
        dsp_id=dsp_id,
        partitions=partitions,
        ids=[dsr.pk for dsr in dsrs],
    )


def test_lines_are_found_in_the_given_partitions(dsrs):
    assert lines_with("a", dsrs) == [(dsr.pk, number) for dsr in dsrs for number in (2, 4)]
    assert lines_with("b", dsrs[1:2]) == [(dsrs[1].pk, 3)]
    assert lines_with("only 2", dsrs) == [(dsrs[2].pk, 5)]
    assert lines_with("c", dsrs) == []


def test_without_ids_the_lines_of_other_dsrs_in_the_partition_are_found_too(dsrs):
    first, _, third, _ = dsrs
    assert lines_with("b", [first]) == [(first.pk, 3), (third.pk, 3)]
    assert lines_with("b", [first], ids="ids") == [(first.pk, 3)]


@pytest.mark.on_one_server(reason="a cluster gathers the lines for such statements")
def test_whether_dsrs_have_a_line_with_a_dsp_id(dsrs):
    def reported(*asked):
        return [
            dsp_id
            for (dsp_id,) in rows_of(
                f"""
                SELECT dsp_id FROM unnest(%(dsp_ids)s::text[]) AS wanted (dsp_id)
                WHERE {has_line_with_dsp_id(key="wanted", ids="ids")} ORDER BY dsp_id
                """,  # noqa: S608 - no value is in it
                dsp_ids=["b", "c", "only 0", "only 1", "only 2", "only 3"],
                partitions=sorted({dsr.partition for dsr in asked}),
                ids=[dsr.pk for dsr in asked],
            )
        ]

    assert reported(*dsrs) == ["b", "only 0", "only 1", "only 2", "only 3"]
    assert reported(dsrs[0]) == ["b", "only 0"]
    assert reported(dsrs[2], dsrs[3]) == ["b", "only 2", "only 3"]


@pytest.mark.usefixtures("_hashes")
@pytest.mark.parametrize(
    ("dsp_ids", "repeats"),
    [
        ("ab", Repeats(0, 1, [])),
        # The header is line 1.
        ("abaca", Repeats(2, 3, [(4, "a"), (6, "a")])),
    ],
)
def test_only_lines_with_the_same_dsp_id_are_repeats(dsp_ids, repeats):
    load = LineLoad(1, temporary=True)
    load.copy(iter(["".join(line(dsp_id) + "\n" for dsp_id in dsp_ids).encode()]), COLUMNS)

    assert load.repeats(limit=10) == repeats
