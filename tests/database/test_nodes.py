"""A database of several nodes, of which one is down: an error with a code, on every door."""

import json

import pytest
from django.db import OperationalError, connection
from django.test import Client

from catalogue.dsrs import selectors
from dsrhub.database import statements
from dsrhub.database.sessions import OwnSession
from dsrhub.database.statements import execute, rows_of
from dsrhub.exceptions import NodeOutOfReach
from tests.catalogue import recipes

pytestmark = pytest.mark.django_db

# What a coordinator raises where a connection to a node fails, and where a node was shut down.
FAILING = "DO $$ BEGIN RAISE EXCEPTION 'connection to the remote node failed' USING ERRCODE = '{}'; END $$"


@pytest.mark.parametrize("state", ["08006", "08001", "57P01", "57P03"])
@pytest.mark.parametrize("run", [rows_of, execute])
def test_a_node_that_is_down_is_an_error_of_its_own(run, state):
    with pytest.raises(NodeOutOfReach) as caught:
        run(FAILING.format(state))
    assert caught.value.code == "node_out_of_reach"


@pytest.mark.parametrize(
    ("state", "text"),
    [("58030", "failed to COPY to shard 7 on 10.0.0.2:5432"), ("XX000", "server closed the connection unexpectedly")],
)
def test_a_connection_that_ends_while_it_is_used_is_one_too(state, text):
    with pytest.raises(NodeOutOfReach):
        execute(FAILING.replace("connection to the remote node failed", text).format(state))


@pytest.mark.parametrize("state", ["57014", "40001", "XX000", "58030"])
def test_other_errors_stay_what_they_are(state):
    with pytest.raises(Exception, match="remote node") as caught:
        execute(FAILING.format(state))
    assert not isinstance(caught.value, NodeOutOfReach)


def test_so_it_is_in_a_session_of_its_own():
    session = OwnSession()
    try:
        with pytest.raises(NodeOutOfReach):
            session.rows_of(FAILING.format("08006"))
    finally:
        session.close()


@pytest.mark.django_db(transaction=True)
def test_the_end_of_the_own_session_is_no_node():
    with pytest.raises(OperationalError):
        rows_of("SELECT pg_terminate_backend(pg_backend_pid())")
    connection.close()


# --- The doors -------------------------------------------------------------------------------------------------


@pytest.fixture
def dsr(monkeypatch):
    """A DSR whose lines are on a node that is down."""

    def down(*_, **__):
        with statements.nodes_required(connection):
            execute(FAILING.format("08006"))

    monkeypatch.setattr(selectors, "lines_after", down)
    monkeypatch.setattr("catalogue.admin.dsrs.lines.dsr_lines", down)
    return recipes.dsr.make(line_count=1)


def test_rest_says_so(client, dsr):
    response = client.get(f"/dsrs/{dsr.pk}/lines")
    assert (response.status_code, response.json()["code"]) == (503, "node_out_of_reach")


def test_graphql_says_so(client, dsr):
    query = f'{{ dsr(id: "{dsr.pk}") {{ lines(first: 1) {{ edges {{ node {{ dspId }} }} }} }} }}'
    answer = json.loads(client.post("/graphql", {"query": query}, content_type="application/json").content)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["node_out_of_reach"]


def test_the_admin_says_so(admin_user, dsr):
    client = Client(raise_request_exception=False)
    client.force_login(admin_user)
    response = client.get(f"/admin/catalogue/dsr/{dsr.pk}/lines/")
    assert response.status_code == 503
    assert "A node of the database is down or out of reach" in response.content.decode()
