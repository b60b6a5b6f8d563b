"""The services for raw records. Only these write records; commands and the admin call them."""

from collections.abc import Collection, Iterable
from datetime import date
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from django.db import transaction

from dsrhub.exceptions import ConfirmationOutdated
from dsrhub.files.disk import file_open
from dsrhub.logs.audit import audit
from dsrhub.models import Action
from dsrhub.texts.marked import Grouped
from dsrhub.texts.marked import gettext_lazy as _
from subscriptions.models import RECORD_MODELS, UsageRecord, UsageType
from subscriptions.records import changes
from subscriptions.records.copying import records_check, records_load
from subscriptions.records.events import UsageEvent
from subscriptions.records.files import Progress, usage_file_records
from subscriptions.records.inserting import records_add

# More records than this are added by COPY.
FEW_RECORDS = 1000


class UsageAdded(NamedTuple):
    """How many records were added, and how many were already stored under their external id."""

    added: int
    repeated: int


class UsageChecked(NamedTuple):
    """The totals of a file. `to_add` is the number of records that are not stored yet."""

    record_count: int
    to_add: int
    price: Decimal
    amount: Decimal
    day_count: int
    first_day: date | None
    last_day: date | None


def usage_records_add(*, usage_type: UsageType, records: Iterable[UsageEvent], backfill: bool = False) -> UsageAdded:
    """Add raw records, one or a million: all of them, or none.

    A record is skipped if its subscription already has a record with the same `external_id` and values. Records of
    sealed days are added only with `backfill`.

    Raises InvalidUsage, DaySealed, and UsageConflict if a record with the same external id has other values.
    """
    remaining = iter(records)
    few = list(islice(remaining, FEW_RECORDS + 1))
    if not few:
        return UsageAdded(0, 0)
    if len(few) <= FEW_RECORDS:
        added = records_add(usage_type, few, backfill=backfill)
        return UsageAdded(added, len(few) - added)
    given, added = records_load(usage_type, chain(few, remaining), backfill=backfill)
    return UsageAdded(added, given - added)


def usage_file_import(
    *,
    path: Path,
    folder: Path | None = None,
    name: str = "",
    usage_type: UsageType | None = None,
    backfill: bool = False,
    progress: Progress | None = None,
    confirmed: int | None = None,
) -> UsageAdded:
    """Add the records of a file: all of them, or none. `progress` gets the number of bytes read since its last call.
    `name` is that of an uploaded file.

    A file that a program found in a `folder` is opened without following links: see `file_open`. If a user has
    `confirmed` a number of new records, ConfirmationOutdated is raised where it would be another number by now.

    Raises NotARegularFile, and the same errors as `usage_records_add`. The header is line 1, the first record
    is on line 2. If a `usage_type` is given, files of the other type are refused.
    """
    with file_open(path, folder) as file, transaction.atomic():
        found, records = usage_file_records(file, progress, usage_type=usage_type)
        given, added = records_load(found, records, backfill=backfill)
        if confirmed not in (None, added):
            raise ConfirmationOutdated(
                _("The check found %(confirmed)s new records, and now there are %(added)s. Nothing was added.")
                % {"confirmed": Grouped(confirmed), "added": Grouped(added)}
            )
        counts = {"added": added, "repeated": given - added, "backfill": backfill}
        audit(Action.USAGE_IMPORTED, RECORD_MODELS[found], name=name or path.name, details=counts)
    return UsageAdded(added, given - added)


def usage_file_check(
    *,
    path: Path,
    folder: Path | None = None,
    usage_type: UsageType | None = None,
    backfill: bool = False,
    progress: Progress | None = None,
) -> UsageChecked:
    """What `usage_file_import` would add now. Raises the same errors, and writes nothing."""
    with file_open(path, folder) as file:
        found, records = usage_file_records(file, progress, usage_type=usage_type)
        return UsageChecked(*records_check(found, records, backfill=backfill))


def usage_record_edit(*, usage_type: UsageType, record_id: int, values: UsageEvent, backfill: bool = False) -> None:
    """Change the values of a raw record. Moving it to a sealed day needs `backfill`.

    Raises UsageRecordNotFound, InvalidUsage, DaySealed, and UsageConflict if another record has the external id.
    """
    changes.record_edit(usage_type, record_id, values, backfill=backfill)


def usage_records_locked(*, usage_type: UsageType, record_ids: Collection[int]) -> list[UsageRecord]:
    """Raw records as they are now. They stay so until the caller's transaction ends, except for what it does."""
    return changes.records_locked(usage_type, record_ids)


def usage_records_delete(*, usage_type: UsageType, record_ids: Collection[int]) -> int:
    """Delete raw records, and return how many existed."""
    return changes.records_delete(usage_type, record_ids)
