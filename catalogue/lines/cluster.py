"""The cluster: spreading the lines over its nodes, and whether all of it is as it must be."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from psycopg2 import sql

from catalogue.exceptions import ClusterNotReady
from catalogue.lines import layout
from catalogue.lines.layout import HAS_EXTENSION, PARENT_TABLE
from dsrhub.database.statements import composed, execute, rows_of
from dsrhub.texts.marked import gettext_lazy as _

# How many shards each node gets. A cluster can grow to this many times its nodes before it must be spread again.
SHARDS_OF_NODE = 4

EXTENSION = "SELECT extversion FROM pg_extension WHERE extname = 'citus'"
NODES = """
SELECT nodename || ':' || nodeport FROM pg_dist_node
WHERE noderole = 'primary' AND isactive AND shouldhaveshards AND groupid <> 0 ORDER BY 1
"""
OTHER_SESSIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
    AND application_name !~ '^citus'
"""
# Each node is asked for something.
OUT_OF_REACH = "SELECT nodename || ':' || nodeport FROM run_command_on_workers('SELECT 1') WHERE NOT success ORDER BY 1"
# A node that does not answer at once counts as out of reach.
CONNECTION_TIMEOUT = "2s"

TABLES = "SELECT relid::text FROM pg_partition_tree(to_regclass(%(parent)s)) ORDER BY 1"
# The partitions that are not spread, as the nodes have nothing of them.
LOCAL_PARTITIONS = """
SELECT relid::text FROM pg_partition_tree(to_regclass(%(parent)s))
WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = relid) ORDER BY 1
"""
# Functions and aggregates that statements on the nodes need.
LOCAL_FUNCTIONS = """
SELECT oid::regprocedure::text FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace AND proname ~ '^(catalogue|dsrhub)_'
    AND prorettype <> 'trigger'::regtype
    AND NOT EXISTS (SELECT FROM pg_dist_object WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid)
ORDER BY oid
"""
# A cluster has no unique index without the column by which it is spread.
UNIQUE_INDEXES = """
SELECT relid::text, indexrelid::regclass::text
FROM pg_partition_tree(to_regclass(%(parent)s)) JOIN pg_index ON indrelid = relid WHERE indisunique ORDER BY 1
"""
SPREAD = "SELECT create_distributed_table(%(table)s, 'dsp_id', shard_count => %(shards)s)"
ON_NODES = "SELECT create_distributed_function(%(function)s)"
FREE = "SELECT truncate_local_data_after_distributing_table(%(table)s::regclass)"


@dataclass(frozen=True)
class Cluster:
    """What a database with the extension is. Nodes are named by host and port; those `out_of_reach` do not answer."""

    extension: str
    nodes: list[str]
    shards: int
    out_of_reach: list[str]
    local_partitions: list[str]
    local_functions: list[str]

    @property
    def is_ready(self) -> bool:
        """Whether all questions can be answered. Where lines are not spread, no node has any."""
        return not self.shards or not (self.out_of_reach or self.local_partitions or self.local_functions)


def cluster() -> Cluster | None:
    """The cluster of the database, as it is now; None where there is none."""
    if not layout.are_spread() and not rows_of(HAS_EXTENSION)[0][0]:
        return None
    ((extension,),) = rows_of(EXTENSION)
    with transaction.atomic():
        execute("SELECT set_config('citus.node_connection_timeout', %(limit)s, true)", limit=CONNECTION_TIMEOUT)
        out_of_reach = _column(OUT_OF_REACH)
    shards = layout.shard_count()
    return Cluster(
        extension,
        _column(NODES),
        shards,
        out_of_reach,
        _column(LOCAL_PARTITIONS, parent=PARENT_TABLE) if shards else [],
        _column(LOCAL_FUNCTIONS) if shards else [],
    )


def cluster_state() -> dict[str, Any] | None:
    """The state of the cluster for `/readyz`; None where the database has none."""
    if not layout.are_spread():
        return None
    found = cluster()
    assert found is not None  # noqa: S101 - lines are spread
    return {
        "ready": found.is_ready,
        "extension": found.extension,
        "nodes": len(found.nodes),
        "shards": found.shards,
        "out_of_reach": found.out_of_reach,
        "not_distributed": [*found.local_partitions, *found.local_functions],
    }


# --- Spreading -------------------------------------------------------------------------------------------------


def lines_distribute(*, shards: int | None = None, dry_run: bool = False) -> Iterator[str]:
    """Spread the lines over the nodes by their dsp_id, and name each step, before it is done.

    What is done already is not done again. By default, each node gets SHARDS_OF_NODE shards. Everything happens in one
    transaction. Raises ClusterNotReady.
    """
    found = _required()
    shards = shards or SHARDS_OF_NODE * len(found.nodes)
    with transaction.atomic():
        for text, statement, parameters in _steps(found, shards):
            yield text
            if not dry_run:
                execute(statement, **parameters)
    layout.layout_forget()


def _required() -> Cluster:
    """The cluster, if lines can be spread now."""
    found = cluster()
    if found is None:
        raise ClusterNotReady(_("The database has no extension citus: CREATE EXTENSION citus, on all nodes."))
    if not found.nodes:
        raise ClusterNotReady(_("The cluster has no nodes: SELECT citus_add_node('host', 5432)."))
    if found.out_of_reach:
        text = _("These nodes are out of reach: %(nodes)s.") % {"nodes": ", ".join(found.out_of_reach)}
        raise ClusterNotReady(text, nodes=found.out_of_reach)
    ((others,),) = rows_of(OTHER_SESSIONS)
    if others and not found.shards:
        text = _("Stop all servers and workers first: %(count)s other sessions use the database.") % {"count": others}
        raise ClusterNotReady(text, sessions=others)
    return found


Step = tuple[str, str | sql.Composable, dict[str, Any]]


def _steps(found: Cluster, shards: int) -> Iterator[Step]:
    """The sentences of the steps, their statements and the parameters of these."""
    for function in _column(LOCAL_FUNCTIONS):
        yield f"create {function} on the nodes", ON_NODES, {"function": function}
    if found.shards:
        return
    unique = rows_of(UNIQUE_INDEXES, parent=PARENT_TABLE)
    for table, index in unique:
        yield f"drop the unique index of {table}", composed("DROP INDEX {}", sql.Identifier(index)), {}
    text = f"spread the lines over {shards} shards on {len(found.nodes)} nodes"
    yield text, SPREAD, {"table": PARENT_TABLE, "shards": shards}
    for table, _index in unique:
        indexed = composed("CREATE INDEX ON {} (hashtextextended(dsp_id, 0))", sql.Identifier(table))
        yield f"create the index of {table} again", indexed, {}
    for table in _column(TABLES, parent=PARENT_TABLE):
        yield f"free what {table} took on the coordinator", FREE, {"table": table}


def _column(statement: str, **parameters: Any) -> list[str]:
    return [value for (value,) in rows_of(statement, **parameters)]
