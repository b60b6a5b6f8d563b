"""What all trials of hostile requests share: their cases, the state of the database, and a run that is undone."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from django.db import connection, transaction
from django.http import HttpResponseBase
from django.test import Client

# Tables that a refused request may change: counters of requests, sessions and failures to sign in.
UNWATCHED = {"dsrhub_tally", "django_session", "dsrhub_storedvalue", "catalogue_ecbrate"}
TABLES = """
SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = 'public' AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname
"""
# A status of 500 and above is an internal error, but for these: the server asks to come again.
BUSY = 503


class Trial:
    """A way into dsrhub that is tried with cases. `try_with` makes a case of random numbers, and checks the result."""

    # How many of 40 cases of a run are of this kind.
    share = 1

    def __init__(self) -> None:
        self.cases = 0
        self.statuses: Counter[str] = Counter()
        self.failures: list[str] = []

    def run(self, count: int, seed: int) -> None:
        """Try so many cases. The same seed makes the same ones."""
        for number in range(count):
            random = Random(f"{seed} {number}")  # noqa: S311 - the same seed must make the same case
            self.cases += 1
            case: list[object] = []
            try:
                self.statuses[self.try_with(random, case)] += 1
            except Exception as error:  # noqa: BLE001 - each is a failure, which is reported
                self.statuses["failed"] += 1
                what = f"{type(error).__name__}: {str(error)[:1500]}"
                self.failures.append(f"{type(self).__name__}, case {number} of seed {seed}: {what}\n  {_short(case)}")

    def try_with(self, random: Random, case: list[object]) -> str:
        """Try one case, and return how it ended. What is sent goes into `case`, to be shown if it fails."""
        raise NotImplementedError


def _short(case: list[object]) -> str:
    return "\n  ".join(repr(part)[:3000] for part in case)


class Requests(Trial):
    """Requests, each of which is undone. A refused one must have changed nothing."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.client = client
        self._tables = _tables()
        self._state: object = None

    @contextmanager
    def undone(self) -> Iterator[None]:
        if self._state is None:
            self._state = self.state()
        block = transaction.atomic()
        block._from_testcase = True  # type: ignore[attr-defined]  # An import starts the outermost transaction.
        with block:
            yield
            transaction.set_rollback(True)

    def state(self) -> object:
        """The number of rows of each table, and a hash of them."""
        with connection.cursor() as cursor:
            cursor.execute(
                " UNION ALL ".join(
                    f"SELECT '{table}', count(*), sum(hashtextextended({table}::text, 0)::numeric) FROM {table}"  # noqa: S608
                    for table in self._tables
                )
            )
            return sorted(cursor.fetchall())

    def assert_unchanged(self) -> None:
        changed = [new[0] for old, new in zip(self._state, self.state(), strict=True) if old != new]  # type: ignore[call-overload]
        assert not changed, f"a refused request has changed {changed}"

    def check(self, response: HttpResponseBase) -> Any:
        """The JSON of a response, which is no internal error; a refusal says why. None for other content."""
        content = body(response)
        status = response.status_code
        assert status < 500 or status == BUSY, f"status {status}: {content[:500]!r}"
        if status >= 400:
            self.assert_unchanged()
        if "json" not in response.headers.get("Content-Type", ""):
            assert status < 400, f"status {status} without a reason"
            return None
        return json.loads(content)


def _tables() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        return [name for (name,) in cursor.fetchall() if name not in UNWATCHED]


def body(response: HttpResponseBase) -> bytes:
    if response.streaming:
        return b"".join(response.streaming_content)  # type: ignore[attr-defined]
    content: bytes = response.content  # type: ignore[attr-defined]
    return content
