"""Every advisory lock of dsrhub, in one table.

An advisory lock guards something that no single row or table represents. Its key has 64 bits: the hash of a text, or
two numbers of 32 bits. Old and new servers and workers run side by side during an upgrade, so a key must never change.
A test pins the hashes.
"""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from dsrhub.database.sessions import OwnSession
from dsrhub.database.statements import rows_of


@dataclass(frozen=True)
class TransactionLock:
    """A lock under the hash of a text, held until the transaction ends. `take` fills in the parts in braces."""

    text: str

    def key(self, **parts: Any) -> str:
        return self.text.format(**parts)

    def take(self, *, shared: bool = False, **parts: Any) -> None:
        """Wait for the lock. Shared locks exclude only exclusive ones."""
        function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        rows_of(f"SELECT {function}(hashtextextended(%(key)s, 0))", key=self.key(**parts))

    def take_with(self, cursor: Any, **parts: Any) -> None:
        """Wait for the lock with the cursor of another connection than Django's."""
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [self.key(**parts)])


@dataclass(frozen=True)
class SessionLock:
    """Locks under two numbers, the first of which is `space`. Each is held until it is released or the session ends, so
    no lock outlives a killed process."""

    space: int

    def take_shared(self, number: int) -> None:
        """Wait for a shared lock."""
        rows_of("SELECT pg_advisory_lock_shared(%(space)s, %(number)s)", space=self.space, number=number)

    def take_with(self, session: OwnSession, number: int) -> None:
        """Wait for an exclusive lock of another session than that of the thread."""
        session.rows_of("SELECT pg_advisory_lock(%(space)s, %(number)s)", space=self.space, number=number)

    def try_take(self, number: int) -> bool:
        """Take an exclusive lock for this session, if no session holds it. Return whether it was taken."""
        return self._ask("pg_try_advisory_lock", number)

    def try_take_for_transaction(self, number: int) -> bool:
        """The same, until the transaction ends."""
        return self._ask("pg_try_advisory_xact_lock", number)

    def give_back(self, number: int, *, shared: bool = False) -> None:
        """Release a lock. A lost connection has released it already."""
        if connection.is_usable():
            self._ask("pg_advisory_unlock_shared" if shared else "pg_advisory_unlock", number)

    def held_numbers(self) -> set[int]:
        """The numbers of the locks that any session holds now, in this database."""
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

# Imports of one report: the second importer waits, then sees the result of the first one.
DSR_KEY = TransactionLock(
    "ReportName(dsp={dsp!r}, offer={offer!r}, society={society!r}, territory={territory!r}, currency={currency!r}, "
    "period_start={period_start!r}, period_end={period_end!r})"
)
# The look-alikes of some of the names of DSPs, offers and societies: a hash spreads the names over the numbers, as a
# message may have thousands of names, and the memory of the server has room for some thousands of locks in all. An
# import of a new name holds its lock exclusively until the commit, others share it.
NAMES = TransactionLock("dsrhub.names.{number}")
# Deliveries of several sales contexts, from the check of their keys to the commit: one at a time.
MESSAGES = TransactionLock("dsrhub.messages")
# The exchange rates. An import shares it from reading its rate to its commit; a change of rates holds it exclusively.
RATES = TransactionLock("dsrhub.rates")
# The table of resources. Changes to one DSP's resources share it; a rebuild of the table holds it exclusively.
RESOURCES = TransactionLock("resources")
# The resources of one DSP, while they are changed.
RESOURCES_OF_DSP = TransactionLock("resources of {dsp}")
# The ranking of one state of the DSRs, while it is built: a second request waits, then finds it in the cache.
RANKING = TransactionLock("ranking {key}")
# Adding up all lines takes much memory, disk and CPU: one ranking at a time may do it.
RANKING_BY_ADDING_UP = TransactionLock("ranking by adding all up")
# The rows of one cached ranking, which must not be dropped while they are read. The number is the ranking's id.
RANKING_READERS = SessionLock(0x72616E6B)
# The same for a ranking of artists: while it is built, and while it is read.
ARTISTS = TransactionLock("artists {key}")
ARTIST_READERS = SessionLock(0x61727473)
# The rankings that people will ask for: one worker at a time prepares them. The number is 0.
PREPARING_RANKINGS = SessionLock(0x70726570)
# Lines that are on their way to a cluster, before their DSRs are there: the session that brings them holds the lock.
# The number is the id of the first DSR.
INCOMING_LINES = SessionLock(0x696E636F)
# The uploaded files of one user that wait for other files of their messages.
WAITING_FILES = TransactionLock("dsrhub.waiting_files {user}")
# One drop folder, whose number is the id of its row: one process at a time takes files there.
DROP_FOLDERS = SessionLock(0x64726F70)
# One import job, whose number is its id, while a worker or a request works on it. 0 means that a worker is running.
IMPORT_JOBS = SessionLock(0x44535200)

# --- Subscriptions ---------------------------------------------------------------------------------------------

# The aggregates of one usage type: refreshes and purges take turns.
USAGE_AGGREGATES = TransactionLock("dsrhub.usage.{usage_type}")
# The records of one usage type. Changes to a few records share it; a change of many holds it exclusively.
USAGE_RECORDS = TransactionLock("dsrhub.usage.{usage_type}.records")
# One record: a second writer gets an error if the row moves to another partition meanwhile.
USAGE_RECORD = TransactionLock("dsrhub.usage.{usage_type}.{record_id}")
# The exports of usage: one request at a time makes one. The number is 0.
USAGE_EXPORTS = SessionLock(0x75657870)
# A partition of records, named by its table, while it is created: a second creator waits, then finds it.
USAGE_PARTITION = TransactionLock("{table}")
# The price limits of one usage type, and what reached them: changes of limits and the worker that follows take turns.
USAGE_LIMITS = TransactionLock("dsrhub.usage.{usage_type}.limits")

# --- Webhooks --------------------------------------------------------------------------------------------------

# One webhook, whose number is its id, while a session sends to it.
WEBHOOKS = SessionLock(0x77656268)
