"""Every advisory lock of dsrhub, in one table.

An advisory lock guards what no row or table stands for. PostgreSQL knows it by 64 bits: the hash of a text, or two
numbers of 32 bits. Old and new servers and workers run side by side during an upgrade, so a key never changes: a test
keeps the hashes.
"""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from dsrhub.database.statements import rows_of


@dataclass(frozen=True)
class TransactionLock:
    """A lock under the hash of a text, held until the transaction ends. Parts in braces are given when it is taken."""

    text: str

    def key(self, **parts: Any) -> str:
        return self.text.format(**parts)

    def take(self, *, shared: bool = False, **parts: Any) -> None:
        """Wait for the lock. Those who share it keep out only those who do not."""
        function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        rows_of(f"SELECT {function}(hashtextextended(%(key)s, 0))", key=self.key(**parts))


@dataclass(frozen=True)
class SessionLock:
    """Locks under two numbers, of which `space` is the first. Each is held until it is given back, or until the
    session ends: so no lock outlives a process that was killed."""

    space: int

    def take_shared(self, number: int) -> None:
        """Wait for a lock, which others may share."""
        rows_of("SELECT pg_advisory_lock_shared(%(space)s, %(number)s)", space=self.space, number=number)

    def try_take(self, number: int) -> bool:
        """Take a lock for this session alone, if nobody holds it."""
        return self._ask("pg_try_advisory_lock", number)

    def try_take_for_transaction(self, number: int) -> bool:
        """The same until the transaction ends."""
        return self._ask("pg_try_advisory_xact_lock", number)

    def give_back(self, number: int, *, shared: bool = False) -> None:
        """Do nothing where the connection is lost: the lock is lost with it."""
        if connection.is_usable():
            self._ask("pg_advisory_unlock_shared" if shared else "pg_advisory_unlock", number)

    def held_numbers(self) -> set[int]:
        """The numbers of the locks that anybody holds at this moment, in this database."""
        rows = rows_of(
            "SELECT objid::bigint FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database "
            "WHERE locktype = 'advisory' AND granted AND classid = %(space)s AND objsubid = 2 "
            "AND datname = current_database()",
            space=self.space,
        )
        return {number for (number,) in rows}

    def _ask(self, function: str, number: int) -> bool:
        ((answer,),) = rows_of(f"SELECT {function}(%(space)s, %(number)s)", space=self.space, number=number)
        return bool(answer)


# --- The catalogue ---------------------------------------------------------------------------------------------

# Imports of one report: the second importer waits, and then finds what the first one did.
DSR_KEY = TransactionLock(
    "ReportName(dsp={dsp!r}, offer={offer!r}, society={society!r}, territory={territory!r}, currency={currency!r}, "
    "period_start={period_start!r}, period_end={period_end!r})"
)
# The exchange rates. An import shares it from reading its rate to its commit; a change of rates holds it alone.
RATES = TransactionLock("dsrhub.rates")
# The table of resources. Changes to one DSP's resources share it; a rebuild of the table holds it alone.
RESOURCES = TransactionLock("resources")
# The resources of one DSP, while they are changed.
RESOURCES_OF_DSP = TransactionLock("resources of {dsp}")
# The ranking of one state of the DSRs, while it is built: the second request waits, and then finds it.
RANKING = TransactionLock("ranking {key}")
# The memory, disk and cores that adding up all lines takes: one ranking at a time.
RANKING_BY_ADDING_UP = TransactionLock("ranking by adding all up")
# The rows of one cached ranking, which are not dropped while somebody reads them. The number is the ranking's.
RANKING_READERS = SessionLock(0x72616E6B)
# One import job, whose number is its id, while a worker or a request works on it; 0 says that a worker is running.
IMPORT_JOBS = SessionLock(0x44535200)

# --- Subscriptions ---------------------------------------------------------------------------------------------

# The aggregates of one usage type: refreshes and purges take turns.
USAGE_AGGREGATES = TransactionLock("dsrhub.usage.{usage_type}")
# The records of one usage type. Changes to a few records share it; a change of many holds it alone.
USAGE_RECORDS = TransactionLock("dsrhub.usage.{usage_type}.records")
# One record: a row that moves to another partition under a second writer is an error.
USAGE_RECORD = TransactionLock("dsrhub.usage.{usage_type}.{record_id}")
# A partition of records, named by its table, while it is created: the second creator waits, and then finds it.
USAGE_PARTITION = TransactionLock("{table}")
