"""The import of one delivery that is claimed, and what becomes of it."""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import Enum, auto

import psycopg2
from django.conf import settings
from django.db import Error, connection

from catalogue.exceptions import DeliveryFailed, DeliveryGivenUp
from catalogue.folders.arriving import is_semaphore
from catalogue.folders.claims import DONE, REFUSED, Claim, Claims
from catalogue.folders.results import facts_json, loaded_json, refused_json, text_of
from catalogue.imports.loading.choices import Choices
from catalogue.imports.loading.contexts import settled_contexts
from catalogue.imports.loading.outcome import ImportReport
from catalogue.imports.queue.progress import Interrupted, StepProgress
from catalogue.imports.services import DeliveredFile, delivery_import
from catalogue.reports.contexts import SalesContext
from catalogue.reports.delivery import Delivery
from dsrhub.exceptions import DsrhubError
from dsrhub.stores.interface import Store, StoredFile
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.wording import printable

logger = logging.getLogger(__name__)

# An import that was begun so often and never ended is perhaps what kills its process.
MOST_TRIES = 5
# Seconds until a delivery that failed is tried again: twice as long each time, within these bounds.
FIRST_PAUSE, LONGEST_PAUSE = 30, 900
LONGEST_NAME = 255
# COPY's errors are the driver's.
DATABASE_ERRORS = (Error, psycopg2.Error)


class Fate(Enum):
    """What became of a delivery: it is moved, it stays to be tried again, or the process ended before it."""

    ENDED = auto()
    FAILING = auto()
    STOPPED = auto()


@dataclass
class Failure:
    """A delivery that is tried again at a time of the clock.

    Later ones of its series wait behind it; if they are None, as it could not be opened, all later ones do.
    """

    pause: float
    again_at: float
    series: Collection[SalesContext] | None


class SeriesFails(Exception):
    """An earlier delivery fails that this one might replace, or be compared with."""


class AliveProgress(StepProgress):
    """The progress of an import that goes on while `is_alive` says so."""

    def __init__(self, is_alive: Callable[[], bool]) -> None:
        self._is_alive = is_alive

    def is_over(self) -> bool:
        return not self._is_alive()


@dataclass
class Delivering:
    """Imports the claims of a folder in their order, and remembers which of them fail."""

    store: Store
    claims: Claims
    choices: Choices
    clock: Callable[[], float] = time.monotonic
    failures: dict[str, Failure] = field(default_factory=dict)

    @property
    def _passing(self) -> tuple[type[Exception], ...]:
        """The errors that say nothing about a delivery."""
        return (*DATABASE_ERRORS, Interrupted, SeriesFails, *self.store.errors)

    def deliver(self, claim: Claim, files: Sequence[StoredFile], *, is_alive: Callable[[], bool]) -> Fate:
        """Import the files of a claim, and move it.

        Raises errors of the database if the connection is lost, and those of the store if it is out of reach. Then the
        claim stays as it is.
        """
        failure = self.failures.get(claim.name)
        if failure is not None and self.clock() < failure.again_at:
            return Fate.FAILING
        reports = [file for file in files if not is_semaphore(file.name)]
        try:
            result = self._result(claim, reports, is_alive)
        except self._passing as error:
            return self._left(claim, error, is_alive)
        self._end(claim, reports, result)
        self.failures.pop(claim.name, None)
        return Fate.ENDED

    def _result(
        self, claim: Claim, files: Sequence[StoredFile], is_alive: Callable[[], bool]
    ) -> ImportReport | DsrhubError | None:
        """The report of the import, or why the delivery is refused; None if its files are gone."""
        if not files:
            return None
        if claim.tries >= MOST_TRIES:
            text = _("Given up after %(tries)s tries, none of which came to an end.")
            return DeliveryGivenUp(text % {"tries": claim.tries})
        try:
            return self._imported(claim, files, is_alive)
        except DsrhubError as refusal:
            return refusal
        except self._passing:
            raise
        except Exception:
            # One file must not keep the others from being imported.
            logger.exception("the delivery %s of %s failed", claim.name, self.store.address)
            return DeliveryFailed(_("An internal error. The log has the details."))

    def _imported(self, claim: Claim, files: Sequence[StoredFile], is_alive: Callable[[], bool]) -> ImportReport:
        with ExitStack() as fetched:
            copies = [(file.name, fetched.enter_context(self.store.fetched(claim.folder, file))) for file in files]
            delivered = [DeliveredFile(copy.path, name, copy.folder) for name, copy in copies]
            series = claim.series = _series(delivered)
            if self._must_wait(claim, series):
                raise SeriesFails("an earlier delivery of its series is to be imported first")
            self.claims.note_try(claim, +1)
            try:
                return delivery_import(
                    files=delivered,
                    choices=self.choices,
                    progress=AliveProgress(is_alive),
                    and_catalogue=False,
                    unpacked_limit=settings.DSRHUB_UPLOAD_UNPACKED_LIMIT_BYTES,
                )
            except (*DATABASE_ERRORS, Interrupted, OSError):
                self.claims.note_try(claim, -1)
                raise

    def _must_wait(self, claim: Claim, series: set[SalesContext]) -> bool:
        earlier = [failure.series for name, failure in self.failures.items() if name < claim.name]
        return any(one is None or not series.isdisjoint(one) for one in earlier)

    def _left(self, claim: Claim, error: Exception, is_alive: Callable[[], bool]) -> Fate:
        """A delivery that was not imported, for no reason of its own."""
        if not is_alive():
            return Fate.STOPPED
        if isinstance(error, DATABASE_ERRORS):
            if not connection.is_usable():
                raise error
        elif not isinstance(error, (OSError, SeriesFails)) or isinstance(error, (ConnectionError, TimeoutError)):
            raise error
        known = self.failures.get(claim.name)
        pause = min(2 * known.pause, LONGEST_PAUSE) if known else FIRST_PAUSE
        self.failures[claim.name] = Failure(pause, self.clock() + pause, claim.series)
        names = ", ".join(printable(name, LONGEST_NAME) for name in claim.planned)
        reason = str(error).partition("\n")[0]
        logger.warning("%s: %s: not imported, to be tried again: %s", self.store.address, names, reason)
        return Fate.FAILING

    def _end(self, claim: Claim, files: Sequence[StoredFile], result: ImportReport | DsrhubError | None) -> None:
        facts = facts_json(self.store.address, files)
        if result is None:
            state, text = DONE, "The files were gone before they were imported."
            facts |= {"outcome": "withdrawn", "message": text}
        elif isinstance(result, DsrhubError):
            state, text = REFUSED, text_of(files[0].name, len(files), error=result)
            facts |= refused_json(result)
        else:
            state, text = DONE, text_of(files[0].name, len(files), report=result)
            facts |= loaded_json(result)
        self.claims.end(claim, state=state, result=facts, text=text)
        level = logging.WARNING if state == REFUSED else logging.INFO
        logger.log(level, "%s: %s/%s: %s", self.store.address, state, claim.name, text.partition("\n")[0])


def _series(files: Sequence[DeliveredFile]) -> set[SalesContext]:
    """The contexts of a delivery without their periods; none where it does not say them."""
    deliveries = [Delivery(file.path, file.name, folder=file.folder) for file in files]
    return {context.beside_period for context in settled_contexts(deliveries)}
