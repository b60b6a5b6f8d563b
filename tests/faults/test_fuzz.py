"""A small fuzz run with the same cases each time: see `tests/faults/fuzz.py`."""

import gzip
import resource

import pytest
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as examples

from tests.faults.crawler import fill
from tests.faults.deliveries import HEADER, RESIDENT, Delivery, bomb, deliveries
from tests.faults.doors import DOORS, SETTINGS
from tests.faults.hostile.columns import ColumnFiles, Definitions
from tests.faults.hostile.graphql import GraphqlRequests
from tests.faults.hostile.records import RecordRequests
from tests.faults.hostile.rest import RestRequests
from tests.faults.hostile.uploads import ColumnUploads
from tests.faults.messages import messages
from tests.faults.reference import Totals, totals_of
from tests.recipes import superuser

MEBIBYTE = 1024


@pytest.fixture
def door(request, tmp_path, settings, transactional_db):
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    return DOORS[request.param](tmp_path)


# The parser is the fastest door.
@pytest.mark.parametrize(
    ("door", "cases"), [("parser", 100), ("command", 15), ("REST", 15), ("admin", 10)], indirect=["door"]
)
def test_no_delivery_ends_in_an_internal_error_or_is_loaded_in_part(door, cases):
    @examples(
        max_examples=cases, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(deliveries(with_bombs=False))
    def try_door(one):
        door.try_with(one)

    try_door()
    assert door.cases >= cases


@pytest.mark.parametrize(("door", "cases"), [("parser", 50), ("command", 10), ("REST", 10)], indirect=["door"])
def test_no_message_ends_in_an_internal_error_or_is_loaded_in_part(door, cases):
    @examples(
        max_examples=cases, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(messages())
    def try_door(one):
        door.try_with(one)

    try_door()
    assert door.cases >= cases


@pytest.mark.parametrize("door", ["REST", "admin"], indirect=True)
@pytest.mark.parametrize("kind", ["zeros", "lines", "one cell", "tabs"])
def test_a_bomb_is_refused_in_little_memory(door, kind):
    name = (RESIDENT.replace("Duo", "Student") + ".gz").encode()
    # First, let the door allocate the memory that it always needs.
    door.try_with(Delivery(name, gzip.compress(HEADER), False, ("a header alone",)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    door.try_with(Delivery(name, bomb(kind), True, ("bomb",)))
    assert door.statuses.keys() & {"400", "refused"}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * MEBIBYTE


# --- Other hostile cases ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("trial", [ColumnFiles, Definitions])
def test_no_template_and_no_file_of_columns_leads_to_an_internal_error(trial, tmp_path):
    tried = trial(tmp_path)
    tried.run(60, seed=1)
    assert tried.failures == []


@pytest.mark.django_db(transaction=True)
def test_no_request_leads_to_an_internal_error_or_changes_what_it_refuses(tmp_path, settings):
    settings.DSRHUB_UPLOAD_DIR = tmp_path
    fill()
    client = Client(raise_request_exception=False)
    client.force_login(superuser.make())
    for kind, count in ((RestRequests, 40), (GraphqlRequests, 30), (RecordRequests, 30), (ColumnUploads, 6)):
        trial = kind(client)
        trial.run(count, seed=1)
        assert trial.failures == []
        assert len(trial.statuses) > 1


# --- The independent reader ------------------------------------------------------------------------------------


def test_the_reference_has_the_totals_of_a_report():
    header = HEADER.replace(b"dsp_id\t", b"\xef\xbb\xbf Dsp_ID\xc2\xa0\t")
    content = header + b"a\tOne\t\t\t2\t0.10\r\nb\t\tAna\tX\t\t-1e-2\r\na\t\t\t\t5.0\t\r\n"
    expected = (3, 2, (1, 1, 1, 2, 2), 7)
    for name, data in ((RESIDENT, content), (RESIDENT + ".gz", gzip.compress(content))):
        found = totals_of(name, data)
        assert isinstance(found, Totals)
        assert (found.lines, found.dsp_ids, found.filled, found.usages, str(found.revenue)) == (*expected, "0.09")


@pytest.mark.parametrize(
    "line",
    [
        b"a\t\t\t\t1.5\t",
        b"a\t\t\t\t\tNaN",
        b"\t\t\t\t1\t1",
        b"a\t\t\t\t1",
        b"a\t\0\t\t\t1\t1",
        b"a\t\xff\t\t1\t1",
        b"a\r\t\t\t\t1\t",
    ],
)
def test_the_reference_refuses_invalid_lines(line):
    assert totals_of(RESIDENT, HEADER + line + b"\r\n") is None
