"""Spreading lines over the nodes of a cluster, and what `/readyz` and the checks say of it.

The cluster is made of tables and functions with the names of those of Citus: its coordinator notes what it is asked to
do. On a real cluster, `test_on_a_cluster` does it.
"""

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from catalogue.lines import cluster, layout
from catalogue.lines.checks import cluster_check
from dsrhub.database.statements import execute, rows_of
from tests.catalogue import recipes
from tests.catalogue.helpers import add_lines, line

pytestmark = pytest.mark.on_one_server(reason="its cluster is made of tables with the names of those of Citus")

FAKE = """
CREATE TABLE pg_dist_node (nodename text, nodeport integer, noderole text, isactive boolean,
    shouldhaveshards boolean, groupid integer, is_down boolean DEFAULT false);
CREATE TABLE pg_dist_shard (logicalrelid regclass);
CREATE TABLE pg_dist_partition (logicalrelid regclass);
CREATE TABLE pg_dist_object (classid oid, objid oid);
CREATE TABLE asked (id serial, what text);
CREATE FUNCTION run_command_on_workers(text) RETURNS TABLE (nodename text, nodeport integer, success boolean)
    LANGUAGE sql AS 'SELECT nodename, nodeport, NOT is_down FROM pg_dist_node WHERE groupid > 0';
CREATE FUNCTION create_distributed_function(name regprocedure) RETURNS void LANGUAGE sql AS $$
    INSERT INTO asked (what) VALUES ('function'); INSERT INTO pg_dist_object VALUES ('pg_proc'::regclass, name);
$$;
CREATE FUNCTION create_distributed_table(name regclass, dist text, shard_count integer) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO asked (what) VALUES (name || ' by ' || dist);
    INSERT INTO pg_dist_shard SELECT name FROM generate_series(1, shard_count);
    INSERT INTO pg_dist_partition SELECT relid FROM pg_partition_tree(name);
$$;
CREATE FUNCTION truncate_local_data_after_distributing_table(name regclass) RETURNS void
    LANGUAGE sql AS $$ INSERT INTO asked (what) VALUES ('free ' || name) $$;
"""
COORDINATOR, NODES = ("c", 5432, 0), [("n1", 5432, 1), ("n2", 5433, 2)]


@pytest.fixture
def _extension(db, monkeypatch):
    """A cluster of a coordinator and two nodes. No other test runs in its database."""
    with connection.cursor() as cursor:
        cursor.execute(FAKE)
    for host, port, group in (COORDINATOR, *NODES):
        execute(
            "INSERT INTO pg_dist_node VALUES (%(host)s, %(port)s, 'primary', true, %(group)s > 0, %(group)s)",
            host=host,
            port=port,
            group=group,
        )
    for module in (cluster, layout):
        monkeypatch.setattr(module, "HAS_EXTENSION", "SELECT true")
    monkeypatch.setattr(cluster, "EXTENSION", "SELECT '13.2-1'")
    monkeypatch.setattr(cluster, "OTHER_SESSIONS", "SELECT 0")
    layout.layout_forget()
    yield
    layout.layout_forget()


def asked():
    return [what for (what,) in rows_of("SELECT what FROM asked ORDER BY id")]


def distribute(capsys, *arguments):
    call_command("distribute", *arguments)
    return capsys.readouterr().out.splitlines()


def checked():
    return [(message.id, message.msg) for message in cluster_check(databases=["default"])]


# --- One server ------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_one_server_is_no_cluster(client):
    assert (layout.are_spread(), cluster.cluster(), checked()) == (False, None, [])
    assert "cluster" not in client.get("/readyz").json()
    with pytest.raises(CommandError, match="no extension citus"):
        call_command("distribute")


def test_without_a_database_nothing_is_checked():
    assert cluster_check() == []


@pytest.mark.django_db
def test_a_session_asks_once(monkeypatch):
    assert not layout.are_spread()
    monkeypatch.setattr(layout, "_shard_count", lambda _: 4)
    assert not layout.are_spread()
    layout.layout_forget()
    assert layout.are_spread()
    layout.layout_forget()


# --- Spreading -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_extension")
def test_lines_are_spread_once(capsys):
    dsr = recipes.dsr.make()
    add_lines(dsr, line("a"), own_partition=True)
    own = f"catalogue_usageline_{dsr.pk}"

    steps = distribute(capsys, "--dry-run")
    assert asked() == []
    assert distribute(capsys) == [*steps, "Done. Start servers and workers again."]

    functions, (spread, *freed) = asked()[: asked().index("catalogue_usageline by dsp_id")], asked()[len(steps) - 6 :]
    assert set(functions) == {"function"}
    assert "create catalogue_sum(numeric) on the nodes" in steps
    assert spread == "catalogue_usageline by dsp_id"
    assert freed == [f"free {table}" for table in ("catalogue_usageline", own, "catalogue_usageline_shared")]
    # By default, four shards for each node. The index is no longer unique.
    assert layout.shard_count() == 8
    ((definition,),) = rows_of(
        "SELECT indexdef FROM pg_indexes WHERE tablename = %(own)s AND indexdef LIKE '%%hashtextextended%%'", own=own
    )
    assert definition.startswith("CREATE INDEX")

    count = len(asked())
    assert distribute(capsys) == ["Nothing is to be done."]
    assert len(asked()) == count


@pytest.mark.usefixtures("_extension")
def test_a_function_that_is_new_is_brought_to_the_nodes(capsys):
    distribute(capsys, "--shards", "6")
    assert layout.shard_count() == 6
    execute("CREATE FUNCTION catalogue_new() RETURNS integer LANGUAGE sql AS 'SELECT 1'")

    assert checked() == [("catalogue.E003", "The nodes do not have these functions: catalogue_new().")]
    assert distribute(capsys)[0] == "create catalogue_new() on the nodes"
    assert checked() == []


@pytest.mark.usefixtures("_extension")
@pytest.mark.parametrize(
    ("hindrance", "text"),
    [
        ("DELETE FROM pg_dist_node WHERE groupid > 0", "has no nodes"),
        ("UPDATE pg_dist_node SET is_down = true WHERE groupid = 2", r"out of reach: n2:5433"),
    ],
)
def test_a_cluster_that_lacks_something_is_refused(hindrance, text):
    execute(hindrance)
    with pytest.raises(CommandError, match=text):
        call_command("distribute")
    assert asked() == []


@pytest.mark.usefixtures("_extension")
def test_nothing_is_spread_while_others_use_the_database(monkeypatch):
    monkeypatch.setattr(cluster, "OTHER_SESSIONS", "SELECT 2")
    with pytest.raises(CommandError, match="Stop all servers and workers first: 2 other sessions"):
        call_command("distribute")


# --- What is said of it ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_extension")
def test_the_extension_alone_is_worth_a_warning(client):
    assert checked() == [("catalogue.W001", "The database has the extension citus, and no node has any lines.")]
    response = client.get("/readyz")
    assert (response.status_code, "cluster" in response.json()) == (200, False)


@pytest.mark.usefixtures("_extension")
def test_readyz_and_the_check_name_what_is_missing(client, capsys):
    distribute(capsys)
    state = {"extension": "13.2-1", "nodes": 2, "shards": 8, "out_of_reach": [], "not_distributed": []}
    response = client.get("/readyz")
    assert (response.status_code, response.json()["cluster"], checked()) == (200, state, [])

    execute("UPDATE pg_dist_node SET is_down = true WHERE groupid = 1")
    execute("DELETE FROM pg_dist_partition WHERE logicalrelid = 'catalogue_usageline_shared'::regclass")
    response = client.get("/readyz")
    assert (response.status_code, response.json()["ready"]) == (503, False)
    assert response.json()["cluster"] == state | {
        "out_of_reach": ["n1:5432"],
        "not_distributed": ["catalogue_usageline_shared"],
    }
    assert checked() == [
        ("catalogue.E001", "These nodes of the cluster are out of reach: n1:5432."),
        ("catalogue.E002", "The nodes do not have these tables of lines: catalogue_usageline_shared."),
    ]
