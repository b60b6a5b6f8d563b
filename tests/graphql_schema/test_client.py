"""The examples of the documentation, run by a real client against a real server with the samples."""

import json
import re

import pytest
from django.conf import settings
from django.core.management import call_command
from gql import Client, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.requests import RequestsHTTPTransport

from tests import recipes

pytestmark = pytest.mark.django_db(transaction=True)

DOCS = "".join((settings.BASE_DIR / name).read_text() for name in ("README.md", "docs/graphql.md"))
# Each query with its answer.
QUERIES = re.findall(r"```graphql\n(.+?)```\n\n```json\n(.+?)```", DOCS, re.DOTALL)
PROGRAMS = re.findall(r"```python\n(from gql .+?|import os\n.+?)```", DOCS, re.DOTALL)


@pytest.fixture
def server(live_server):
    call_command("import_dsr", str(settings.BASE_DIR / "data"), jobs=1)  # so their ids are in the order of the names
    return live_server


@pytest.fixture
def client(server):
    return Client(
        transport=RequestsHTTPTransport(f"{server.url}/graphql"), fetch_schema_from_transport=True, parse_results=False
    )


def test_every_query_of_the_docs_gets_its_documented_answer(client):
    assert len(QUERIES) == DOCS.count("```graphql") == 4
    for query, answer in QUERIES:
        assert client.execute(gql(query)) == json.loads(answer)


def test_every_program_of_the_docs_prints_its_documented_output(server, admin_user, monkeypatch, capsys):
    monkeypatch.setenv("DSRHUB_TOKEN", recipes.token.make(user=admin_user).key)
    capsys.readouterr()
    for program in PROGRAMS:
        exec(program.replace("http://localhost:8000", server.url), {})  # noqa: S102 - it is ours
    assert capsys.readouterr().out == "700 lines\n1 DSR has a new rate\n"


def test_the_client_understands_a_refusal(client):
    with pytest.raises(TransportQueryError) as caught:
        client.execute(gql("{ dsrs(first: 100) { edges { node { lines(first: 100) { edges { cursor } } } } } }"))
    # 10 + 100 * (edges + node + 10 + 100 * (edges + cursor))
    (error,) = caught.value.errors
    assert error["extensions"] == {"code": "too_costly", "cost": 21210, "limit": 20000}


@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
def test_the_address_works_with_and_without_a_slash(live_server, path):
    client = Client(transport=RequestsHTTPTransport(live_server.url + path))
    assert client.execute(gql("{ __typename }")) == {"__typename": "Query"}
