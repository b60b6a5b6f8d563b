"""Counters in the database, which all processes add to."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection

from dsrhub.models import StoredValue

ADD = """
INSERT INTO dsrhub_storedvalue (name, labels, value) VALUES {rows}
ON CONFLICT (name, labels) DO UPDATE SET value = dsrhub_storedvalue.value + excluded.value
"""


@dataclass(frozen=True)
class Stored:
    """A number with a name for Prometheus, and the names of its labels. Each label has few values.

    The `known` values of the labels are shown from the beginning, as 0: Prometheus cannot see a step from nothing to 1.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()
    known: tuple[tuple[str, ...], ...] = ()


class StoredCounter(Stored):
    """Only grows. Its samples have the name with `_total` behind it."""


class StoredTime(Stored):
    """When something happened last, in seconds since 1970."""

    def set(self, seconds: float) -> None:
        StoredValue.objects.update_or_create(name=self.name, labels=[], defaults={"value": seconds})

    def get(self) -> float | None:
        """None if it never happened."""
        return StoredValue.objects.filter(name=self.name, labels=[]).values_list("value", flat=True).first()


class Addition(NamedTuple):
    """What a counter grows by. `values` are those of its labels, in their order."""

    counter: StoredCounter
    values: Sequence[str] = ()
    amount: float = 1


def stored_add(*additions: Addition) -> None:
    """Add to counters by one statement. Call it outside of transactions: it would make others wait until their end."""
    amounts: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for one in additions:
        amounts[one.counter.name, tuple(one.values)] += one.amount  # type: ignore[assignment]  # not only integers
    statement = ADD.format(rows=", ".join(["(%s, %s, %s)"] * len(amounts)))
    with connection.cursor() as cursor:
        # In the same order for all, so that no two wait for each other.
        cursor.execute(
            statement,
            [value for (name, labels), amount in sorted(amounts.items()) for value in (name, list(labels), amount)],
        )


def stored_values(names: Iterable[str]) -> dict[str, list[tuple[list[str], float]]]:
    """The label values and the number of each row of these names, by the names."""
    found: dict[str, list[tuple[list[str], float]]] = {name: [] for name in names}
    rows = StoredValue.objects.filter(name__in=list(found)).order_by("name", "labels")
    for name, labels, value in rows.values_list("name", "labels", "value"):
        found[name].append((labels, value))
    return found
