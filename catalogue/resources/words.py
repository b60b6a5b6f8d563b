"""The search for words of title and artists, and its index.

Migrations have the SQL functions that split texts into folded words: see `docs/decisions/search.md`. An index of the
form that earlier versions made answers until a worker has made the other one.
"""

import logging
import time

from django.db import OperationalError, transaction

from dsrhub.database import locks
from dsrhub.database.statements import execute, is_lock_timeout, rows_of, wait_for_locks

logger = logging.getLogger(__name__)

# The memory of building the index before it goes to the disk.
INDEX_MEM = "128MB"
# How long dropping the earlier index may make readers wait, how often it is tried, and the pause in seconds between.
DROP_LOCK_TIMEOUT, DROP_TRIES, DROP_PAUSE = "100ms", 3, 0.1

FOLDED = "catalogue_word_vector(title, artists) @@ catalogue_word_query(%(words)s)"
UNFOLDED = """
to_tsvector('simple', coalesce(title, '') || ' ' || coalesce(artists, '')) @@ to_tsquery('simple', %(unfolded_words)s)
"""

# Whether each index can be used.
INDEXES = """
SELECT to_regclass('catalogue_resource_folded_words') IS NOT NULL, to_regclass('catalogue_resource_words') IS NOT NULL
"""
FOLDED_INDEX = """
CREATE INDEX catalogue_resource_folded_words ON catalogue_resource USING gin (catalogue_word_vector(title, artists))
"""


def words_condition() -> str:
    """The condition that an index answers now."""
    ((has_folded, _),) = rows_of(INDEXES)
    return FOLDED if has_folded else UNFOLDED


def words_values(words: str | None) -> dict[str, str | None]:
    """The parameters of both conditions."""
    return {"words": words, "unfolded_words": None if words is None else _prefixes(words)}


def _prefixes(words: str) -> str:
    """A query for texts that have a word beginning with each of the words. Quoted, no sign has a meaning."""
    quoted = (word.replace("\\", "\\\\").replace("'", "''") for word in words.split())
    return " & ".join(f"'{word}':*" for word in quoted)


def words_index_build() -> None:
    """Build the index of folded words in a database that an earlier version filled, and drop the one of that version.

    People search meanwhile, with the earlier index; what changes resources waits. After a crash, nothing is left of it.
    """
    ((has_folded, has_unfolded),) = rows_of(INDEXES)
    if not has_folded:
        _build()
    if has_unfolded and not any(_is_dropped(pause) for pause in [0, *[DROP_PAUSE] * (DROP_TRIES - 1)]):
        logger.info("the earlier index of words is left to a later run, as people are searching")


def _build() -> None:
    with transaction.atomic():
        locks.RESOURCES.take()
        # Another session may have done it while this one waited for the lock.
        ((has_folded, _),) = rows_of(INDEXES)
        if has_folded:
            return
        execute(f"SET LOCAL maintenance_work_mem = '{INDEX_MEM}'; SET LOCAL jit = off")
        execute(FOLDED_INDEX)
        # The planner learns how frequent each word is.
        execute("ANALYZE catalogue_resource")
    logger.info("the index of words is built: searches ignore accents from now on")


def _is_dropped(pause: float) -> bool:
    time.sleep(pause)
    try:
        with transaction.atomic():
            # Dropping an index waits for the readers of the table, and other readers wait behind it.
            wait_for_locks(DROP_LOCK_TIMEOUT)
            execute("DROP INDEX IF EXISTS catalogue_resource_words")
    except OperationalError as error:
        if not is_lock_timeout(error):
            raise
        return False
    return True
