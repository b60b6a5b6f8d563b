"""The way of a cluster, on one server: lines are gathered before statements read them, and come before their DSRs."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from catalogue.lines import arriving, layout, storage
from tests import cluster

# Nothing is spread: there is one server. All else is done as on a cluster. On a cluster, nothing is to be replaced.
ON_ONE_SERVER = [
    (layout, "shard_count", lambda: 1),
    (arriving.Arrival, "distribute", lambda *_: None),
    (storage, "UNSETTLED_LOADS", "SELECT 0 WHERE false"),
]
AS_ON_A_CLUSTER = [] if cluster.is_named() else ON_ONE_SERVER


@contextmanager
def as_on_a_cluster() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for place, name, value in AS_ON_A_CLUSTER:
            patch.setattr(place, name, value)
        yield
