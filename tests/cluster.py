"""The database of the tests on a cluster of Citus, where DATABASE_URL names a coordinator.

The test database gets the extension, and databases of the same name on the nodes of the named one. Its lines are spread
over them, as `manage.py distribute` does it.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from typing import Any

import psycopg2
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from psycopg2 import sql

# Before the tests, the settings name the database of the coordinator.
NAMED = settings.DATABASES["default"]["NAME"]
HAS_EXTENSION = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"
NODES = "SELECT nodename, nodeport FROM pg_dist_node WHERE groupid <> 0 AND noderole = 'primary' ORDER BY nodeid"
COORDINATOR = "SELECT nodename, nodeport FROM pg_dist_node WHERE groupid = 0"

Node = tuple[str, int]


@contextmanager
def session(database: str, node: Node | None = None) -> Iterator[Any]:
    """A cursor in a database of the coordinator or of a node, each statement a transaction of its own."""
    parameters = connection.get_connection_params() | {"dbname": database}
    if node is not None:
        parameters |= {"host": node[0], "port": node[1]}
    known = {name: parameters[name] for name in ("dbname", "host", "port", "user", "password") if name in parameters}
    with closing(psycopg2.connect(**known)) as opened:
        opened.autocommit = True
        with opened.cursor() as cursor:
            yield cursor


@cache
def is_named() -> bool:
    """Whether DATABASE_URL names a cluster."""
    return bool(nodes())


@cache
def nodes() -> list[Node]:
    """The nodes of the cluster that DATABASE_URL names, or none."""
    if settings.EMBEDDED:
        return []
    with session(NAMED) as cursor:
        cursor.execute(HAS_EXTENSION)
        if not cursor.fetchone()[0]:
            return []
        cursor.execute(NODES)
        return list(cursor.fetchall())


def database_spread(of: list[Node]) -> None:
    """Spread the lines of the test database over the nodes."""
    name = connection.settings_dict["NAME"]
    for node in of:
        with session("postgres", node) as cursor:
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with session(name, node) as cursor:
            cursor.execute("CREATE EXTENSION citus")
    with session(NAMED) as cursor:
        cursor.execute(COORDINATOR)
        coordinator = cursor.fetchone()
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION citus")
        cursor.execute("SELECT citus_set_coordinator_host(%s, %s)", coordinator)
        for node in of:
            cursor.execute("SELECT citus_add_node(%s, %s)", node)
    call_command("distribute", verbosity=0)
    connection.close()


def transactions_settle() -> None:
    """Let the cluster look now whether nodes have committed what they prepared. By itself it does so now and then."""
    if is_named():
        with connection.cursor() as cursor:
            cursor.execute("SELECT recover_prepared_transactions()")


def databases_drop(of: list[Node]) -> None:
    """Remove the databases on the nodes. The test runner removes that of the coordinator."""
    name = connection.settings_dict["NAME"]
    with session(name) as cursor:
        cursor.execute("DROP EXTENSION citus CASCADE")
    for node in of:
        with session("postgres", node) as cursor:
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
