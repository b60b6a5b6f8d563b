"""Batches: the first object of a page that needs some data loads it for all objects of the page.

So a nested field costs the same number of queries for 1 and for 100 objects. This works because the executor resolves
one object after another. Graphene 3 has no data loaders for synchronous execution.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

Member = TypeVar("Member")
Data = TypeVar("Data")


class Batch:
    """Objects that are resolved together, and the data that was loaded for all of them."""

    def __init__(self, members: Sequence[Any]) -> None:
        self.members = members
        self._loaded: dict[Hashable, Any] = {}

    def load(self, key: Hashable, loader: Callable[[Sequence[Any]], Any]) -> Any:
        if key not in self._loaded:
            try:
                self._loaded[key] = loader(self.members)
            except Exception as error:
                # Without this, each member would run the failing query again.
                self._loaded[key] = error
                raise
        data = self._loaded[key]
        if isinstance(data, Exception):
            raise data
        return data


def batched(members: Sequence[Member]) -> Sequence[Member]:
    """Return the objects after putting them in one batch. Objects that are in a batch already stay in it."""
    batch = Batch(members)
    for member in members:
        # A tuple has no `__dict__`, and no fields that load a batch.
        if hasattr(member, "__dict__"):
            member.__dict__.setdefault("batch", batch)
    return members


def load_batch(member: Any, key: Hashable, loader: Callable[[Sequence[Any]], Data]) -> Data:
    """Return what the loader returns for all objects of the member's batch. It runs once for each key."""
    data: Data = member.batch.load(key, loader)
    return data
