"""What can be done with raw records. Every door (command, admin) calls these, and they alone write records."""

from collections.abc import Collection, Iterable
from datetime import date
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from subscriptions.models import UsageType
from subscriptions.records import changes, storage
from subscriptions.records.events import UsageEvent
from subscriptions.records.files import Progress, usage_file_records

# More records than these go in by COPY.
FEW_RECORDS = 1000


class UsageAdded(NamedTuple):
    """How many records were added, and how many were there already under their external id."""

    added: int
    repeated: int


class UsageChecked(NamedTuple):
    """What a file has, and how many of its records would be added: the others are there already."""

    record_count: int
    to_add: int
    price: Decimal
    amount: Decimal
    day_count: int
    first_day: date | None
    last_day: date | None


def usage_records_add(*, usage_type: UsageType, records: Iterable[UsageEvent], backfill: bool = False) -> UsageAdded:
    """Add raw records, one or a million: all of them, or none.

    A record whose `external_id` its subscription has already is not added again. Only as a `backfill` are records
    added to sealed days.

    Raises InvalidUsage, DaySealed, and UsageConflict where a record with the same external id has other values.
    """
    remaining = iter(records)
    few = list(islice(remaining, FEW_RECORDS + 1))
    if not few:
        return UsageAdded(0, 0)
    if len(few) <= FEW_RECORDS:
        added = storage.records_add(usage_type, few, backfill=backfill)
        return UsageAdded(added, len(few) - added)
    given, added = storage.records_load(usage_type, chain(few, remaining), backfill=backfill)
    return UsageAdded(added, given - added)


def usage_file_import(
    *, path: Path, usage_type: UsageType | None = None, backfill: bool = False, progress: Progress | None = None
) -> UsageAdded:
    """Add the records of a file: all of them, or none. `progress` is told how many bytes were read since.

    Raises what `usage_records_add` does; the header of the file is its line 1, the first record is on line 2. With a
    `usage_type`, a file of the other one is refused.
    """
    with path.open("rb") as file:
        found, records = usage_file_records(file, progress, usage_type=usage_type)
        given, added = storage.records_load(found, records, backfill=backfill)
    return UsageAdded(added, given - added)


def usage_file_check(
    *, path: Path, usage_type: UsageType | None = None, backfill: bool = False, progress: Progress | None = None
) -> UsageChecked:
    """What `usage_file_import` would add now. It raises the same, and writes nothing."""
    with path.open("rb") as file:
        found, records = usage_file_records(file, progress, usage_type=usage_type)
        return UsageChecked(*storage.records_check(found, records, backfill=backfill))


def usage_record_edit(*, usage_type: UsageType, record_id: int, values: UsageEvent, backfill: bool = False) -> None:
    """Give a raw record other values. It may move to another day, though to a sealed one only as a `backfill`.

    Raises UsageRecordNotFound, InvalidUsage, DaySealed, and UsageConflict where another record has the external id.
    """
    changes.record_edit(usage_type, record_id, values, backfill=backfill)


def usage_records_delete(*, usage_type: UsageType, record_ids: Collection[int]) -> int:
    """Delete raw records, and return how many of them were there."""
    return changes.records_delete(usage_type, record_ids)
