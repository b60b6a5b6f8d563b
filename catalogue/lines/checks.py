"""Checks of the database, which `manage.py check --database default` and `migrate` make."""

from collections.abc import Sequence
from typing import Any

from django.core import checks

from catalogue.lines.cluster import Cluster, cluster


def cluster_check(*, databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """Whether a cluster is as it must be. A database without the extension is no cluster."""
    found = cluster() if databases else None
    return [] if found is None else [*_faults(found)]


def _faults(found: Cluster) -> list[checks.CheckMessage]:
    if not found.shards:
        hint = "Run manage.py distribute, or drop the extension."
        text = "The database has the extension citus, and no node has any lines."
        return [checks.Warning(text, hint=hint, id="catalogue.W001")]
    faults: list[checks.CheckMessage] = []
    if found.out_of_reach:
        nodes = ", ".join(found.out_of_reach)
        faults.append(checks.Error(f"These nodes of the cluster are out of reach: {nodes}.", id="catalogue.E001"))
    if found.local_partitions:
        tables = ", ".join(found.local_partitions)
        faults.append(checks.Error(f"The nodes do not have these tables of lines: {tables}.", id="catalogue.E002"))
    if found.local_functions:
        text = f"The nodes do not have these functions: {', '.join(found.local_functions)}."
        faults.append(checks.Error(text, hint="Run manage.py distribute.", id="catalogue.E003"))
    return faults
