"""The locks of the keys of DSRs. Imports hold those of their keys, and so do returns of earlier versions."""

from collections.abc import Iterable
from dataclasses import asdict

from catalogue.reports.contexts import SalesContext
from dsrhub.database import locks

# More locks might not fit into the memory of the server.
MOST_KEYS = 1000


def keys_lock(contexts: Iterable[SalesContext], *, is_single: bool) -> None:
    """Let others who write DSRs under the same keys wait until this transaction ends.

    `is_single` says whether this is a delivery of a single context, without a message.
    """
    if not is_single:
        # Of these deliveries, one at a time gets here: a lock for each of thousands of keys would not fit into the
        # memory of the server. Keys with a commercial model are only in such deliveries.
        locks.MESSAGES.take()
    keys = [asdict(context) for context in set(contexts) if context.commercial_model is None]
    if len(keys) > MOST_KEYS:
        # The unique index refuses what others load meanwhile under one of the keys: see `dsrs_write`.
        return
    # In one order, so that two deliveries with the same keys do not wait for each other.
    for key in sorted(keys, key=lambda key: locks.DSR_KEY.key(**key)):
        locks.DSR_KEY.take(**key)
