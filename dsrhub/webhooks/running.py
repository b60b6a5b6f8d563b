"""The delivery of events beside other work: in threads of a worker, so that no slow receiver holds up an import."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread

import psycopg2
from django.db import Error, connection

from dsrhub.webhooks.delivering import webhook_deliver, webhooks_due
from dsrhub.webhooks.retention import events_drop_surplus

logger = logging.getLogger(__name__)

# How many webhooks a worker sends to at a time, and seconds between two looks at what waits.
THREADS, PAUSE = 4, 1
# Looks between two clean-ups.
CLEANUP_LOOKS = 600


def events_deliver(*, may_continue: Callable[[], bool] = lambda: True) -> int:
    """Send all that is due now, webhook by webhook, and return the number of attempts."""
    count = 0
    while may_continue() and (sent := sum(webhook_deliver(one, may_continue=may_continue) for one in webhooks_due())):
        count += sent
    return count


@contextmanager
def delivering() -> Iterator[None]:
    """Send what is due, in other threads, until the end of the block. What is being sent then comes to its end."""
    is_over = Event()
    thread = Thread(target=_deliver_until, args=[is_over], name="webhooks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _deliver_until(is_over: Event) -> None:
    looks = 0
    with ThreadPoolExecutor(THREADS, thread_name_prefix="webhooks") as pool:
        in_work: dict[int, Future[None]] = {}
        while not is_over.wait(PAUSE):
            in_work = {number: future for number, future in in_work.items() if not future.done()}
            with _failures_logged():
                for number in webhooks_due():
                    if number not in in_work:
                        in_work[number] = pool.submit(_deliver_in_thread, number, is_over)
                if looks % CLEANUP_LOOKS == 0:
                    events_drop_surplus()
            looks += 1
    connection.close()


def _deliver_in_thread(webhook_number: int, is_over: Event) -> None:
    """Send what is due to a webhook over a connection of this thread."""
    with _failures_logged():
        webhook_deliver(webhook_number, may_continue=lambda: not is_over.is_set())
    connection.close()


@contextmanager
def _failures_logged() -> Iterator[None]:
    """Log what fails in the block, and go on: the next look tries again."""
    try:
        yield
    except (Error, psycopg2.Error) as error:
        logger.warning("webhooks: the database is unreachable: %s", error)
        connection.close()
    except Exception:
        # One webhook must not keep the others from their events.
        logger.exception("webhooks: an attempt failed")
