"""What only the nodes of a cluster do: where lines lie, and what is answered while a node is out of reach."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from catalogue.dsrs.selectors import dsr_lines
from catalogue.imports.services import dsr_import
from catalogue.lines import cluster, layout
from catalogue.lines.checks import cluster_check
from catalogue.lines.scope import ALL
from catalogue.models import DSR, IncomingLines
from catalogue.ranking.selectors import resource_ranking
from catalogue.resources.services import catalogue_refresh
from dsrhub.database.statements import execute, rows_of
from dsrhub.exceptions import NodeOutOfReach
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line, write_report

pytestmark = [pytest.mark.on_cluster, pytest.mark.django_db(transaction=True)]

LINES = [line(f"id {number}", f"Title {number}", usages="1", revenue=f"{number}") for number in range(50)]
NODES = "SELECT nodeid, nodename, nodeport FROM pg_dist_node WHERE groupid <> 0 ORDER BY nodeid"
MOVE = "SELECT citus_update_node(%(node)s, %(host)s, %(port)s)"


@pytest.fixture(autouse=True)
def _dropped(transactional_db, settings):
    settings.DSRHUB_SUPERSEDED_DAYS = 0
    yield
    for dsr in DSR.objects.all():
        dsr.delete()
    catalogue_refresh()


@pytest.fixture
def node_out_of_reach():
    """A node at an address where nobody answers."""
    (node, host, port), *_ = rows_of(NODES)

    def lose():
        execute(MOVE, node=node, host=host, port=1)
        connection.close()

    yield lose
    execute(MOVE, node=node, host=host, port=port)
    connection.close()


def test_the_tests_run_on_spread_lines():
    found = cluster.cluster()
    assert layout.are_spread()
    assert found.is_ready
    assert len(found.nodes) >= 2
    assert cluster_check(databases=["default"]) == []


@pytest.mark.parametrize("shared_bytes", [0, 1_000_000])
def test_the_lines_of_a_dsr_are_on_all_nodes(tmp_path, settings, shared_bytes):
    settings.DSRHUB_SHARED_PARTITION_BYTES = shared_bytes
    dsr = import_report(tmp_path, ES_JANUARY, *LINES)
    table = f"catalogue_usageline_{dsr.partition}" if dsr.partition else "catalogue_usageline_shared"
    counts = rows_of(
        "SELECT nodeport, sum(result::integer) FROM run_command_on_shards(%(table)s, 'SELECT count(*) FROM %%s') "
        "JOIN pg_dist_shard_placement USING (shardid) GROUP BY nodeport",
        table=table,
    )
    assert len(counts) == len(rows_of(NODES))
    assert sum(count for _, count in counts) == 50
    assert all(count > 0 for _, count in counts)
    ((on_coordinator,),) = rows_of("SELECT pg_relation_size(%(table)s::regclass)", table=table)
    assert on_coordinator == 0


def test_what_is_spread_stays_so(capsys):
    call_command("distribute")
    assert capsys.readouterr().out == "Nothing is to be done.\n"


def test_questions_that_need_a_lost_node_are_refused(tmp_path, node_out_of_reach, client):
    dsr = import_report(tmp_path, ES_JANUARY, *LINES)
    with resource_ranking(percentile=100, scope=ALL) as ranking:
        kept = ranking.rows(limit=60)
    import_report(tmp_path, NO_JANUARY, line("z", revenue="1"))
    node_out_of_reach()

    with pytest.raises(NodeOutOfReach), resource_ranking(percentile=100, scope=ALL):
        pass
    with pytest.raises(NodeOutOfReach):
        dsr_lines(dsr=dsr, after=0, limit=50)
    response = client.get("/resources/percentile/10")
    assert (response.status_code, response.json()["code"]) == (503, "node_out_of_reach")
    # What is on the coordinator is answered.
    assert len(kept) == 50
    assert client.get("/dsrs/").status_code == 200


def test_nothing_is_imported_without_a_node(tmp_path, settings, node_out_of_reach):
    settings.DSRHUB_SHARED_PARTITION_BYTES = 0
    path = write_report(tmp_path, ES_JANUARY, *LINES)
    node_out_of_reach()

    with pytest.raises(NodeOutOfReach):
        dsr_import(path=path, name=path.name)
    assert not DSR.objects.exists()
    assert not IncomingLines.objects.exists()


def test_readyz_and_the_admin_name_the_node(node_out_of_reach, client, admin_user, tmp_path):
    dsr = import_report(tmp_path, ES_JANUARY, *LINES)
    node_out_of_reach()

    response = client.get("/readyz")
    assert (response.status_code, len(response.json()["cluster"]["out_of_reach"])) == (503, 1)
    assert [message.id for message in cluster_check(databases=["default"])] == ["catalogue.E001"]
    staff = Client(raise_request_exception=False)
    staff.force_login(admin_user)
    assert staff.get(f"/admin/catalogue/dsr/{dsr.pk}/lines/").status_code == 503
