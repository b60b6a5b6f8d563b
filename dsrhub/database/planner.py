"""What the planner of PostgreSQL knows of tables that grow faster than autovacuum looks at them."""

from django.db import transaction
from psycopg2 import sql

from dsrhub.database.statements import composed, execute, rows_of

# A table is analyzed once this many rows have changed since the last time, and half as many as it had then. So a table
# that grows in small steps is analyzed a few times, not with each step.
FEW_CHANGES = 10_000
# A sample of 9,000 rows tells the planner enough.
STATISTICS_TARGET = 30

# Changes of this session are counted at once, those of others a moment after their commit.
CHANGES = """
SELECT greatest(reltuples, 0), pg_stat_get_mod_since_analyze(oid) + pg_stat_get_xact_tuples_inserted(oid)
    + pg_stat_get_xact_tuples_updated(oid) + pg_stat_get_xact_tuples_deleted(oid)
FROM pg_class WHERE oid = to_regclass(%(table)s)
"""


def analyze_if_changed(table: str, *, known_rows: int = 0) -> None:
    """Let the planner look at a table if much of it has changed. `known_rows` are in it for certain.

    Autovacuum does it within a minute or so. Until then, joins may be planned for a table that was nearly empty when it
    was looked at last, and take minutes. Nothing is done while another session analyzes or vacuums the table.
    """
    ((rows, changes),) = rows_of(CHANGES, table=table)
    if max(changes, known_rows - rows) <= FEW_CHANGES + rows / 2:
        return
    # All columns, so that PostgreSQL counts changes from here on.
    statement = "SET LOCAL default_statistics_target = {}; ANALYZE (SKIP_LOCKED) {}"
    with transaction.atomic():
        execute(composed(statement, sql.Literal(STATISTICS_TARGET), sql.Identifier(table)))
