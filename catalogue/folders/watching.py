"""A look at a drop folder: what has arrived is imported, one delivery after the other, and moved."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile

from django.conf import settings
from django.utils import timezone

from catalogue.folders.arriving import Arrivals, Arrived, stem
from catalogue.folders.claims import Claim, Claims
from catalogue.folders.delivering import Delivering, Fate
from catalogue.imports.grouping import file_part, parts_group
from catalogue.imports.loading.choices import Choices
from catalogue.models import DropFolder
from catalogue.reports.contexts import MessagePart
from dsrhub.actors import Actor, Door
from dsrhub.database import locks
from dsrhub.database.sessions import lost_machine_notice
from dsrhub.files.disk import NotARegularFile
from dsrhub.logs.server import working_as
from dsrhub.stores.addresses import Address
from dsrhub.stores.interface import StoredFile, failure_text
from dsrhub.stores.opening import store_of
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.wording import printable

logger = logging.getLogger(__name__)

# Bounds of one look: the files that are listed, those that are opened first, and the deliveries that are begun.
MOST_FILES, MOST_NEW, MOST_DELIVERIES = 10_000, 500, 100
# The bytes at the start of a file in which a part of a message is recognised.
HEAD_BYTES = 128 * 1024
LONGEST_NAME = 255

Group = list[tuple[StoredFile, MessagePart | None]]


@dataclass(frozen=True)
class FolderOptions:
    """What holds for all deliveries of a folder. `replace` and `drop_missing` are those of `import_dsr`.

    A file has arrived when it did not change for `rest_seconds`, or by its semaphore; with `semaphores_only`, by its
    semaphore alone. Raises InvalidArgument for `drop_missing` without `replace`.
    """

    replace: bool
    drop_missing: bool
    rest_seconds: float
    semaphores_only: bool

    def __post_init__(self) -> None:
        self.choices()

    def choices(self) -> Choices:
        return Choices(replace=self.replace, drop_missing=self.drop_missing)


def options_of_settings() -> FolderOptions:
    return FolderOptions(
        replace=settings.DSRHUB_FOLDER_REPLACE,
        drop_missing=settings.DSRHUB_FOLDER_DROP_MISSING,
        rest_seconds=settings.DSRHUB_FOLDER_REST_SECONDS,
        semaphores_only=settings.DSRHUB_FOLDER_SEMAPHORES_ONLY,
    )


@dataclass
class Look:
    """How a look went. `ended` deliveries were moved, `failing` ones are tried again. The others are files."""

    ended: int = 0
    failing: int = 0
    arriving: int = 0
    waiting: int = 0
    left: int = 0
    error: str = ""


class FolderWatch:
    """Looks at one folder again and again. What it remembers between two looks may be forgotten at any time."""

    def __init__(
        self, *, address: Address, options: FolderOptions, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store_of(address)
        self._claims = Claims(self._store)
        self._arrivals = Arrivals(
            rest_seconds=options.rest_seconds, semaphores_only=options.semaphores_only, clock=clock
        )
        self._delivering = Delivering(self._store, self._claims, options.choices(), clock)
        self._parts: dict[tuple[str, str], MessagePart | None] = {}
        self._said: set[tuple[str, str]] = set()

    @property
    def address(self) -> str:
        return self._store.address

    def look(
        self, *, is_alive: Callable[[], bool] = lambda: True, may_continue: Callable[[], bool] = lambda: True
    ) -> Look:
        """Import what has arrived, unless another process is just looking at the folder.

        It ends when `is_alive` says so, also in the middle of an import, and between two deliveries when `may_continue`
        does. The caller brings the catalogue of resources up to date. Raises errors of the database if the connection
        is lost.
        """
        lost_machine_notice()
        row, _is_new = DropFolder.objects.get_or_create(address=self.address)
        look = Look()
        if not locks.DROP_FOLDERS.try_take(row.pk):
            return look
        try:
            with working_as(Actor(Door.FOLDER, folder=self.address)):
                self._look(look, is_alive, may_continue)
                _keep(row, look)
        finally:
            locks.DROP_FOLDERS.give_back(row.pk)
        return look

    def _look(self, look: Look, is_alive: Callable[[], bool], may_continue: Callable[[], bool]) -> None:
        try:
            with self._store.opened():
                self._work(look, is_alive, may_continue)
        except self._store.errors as error:
            look.error = failure_text(error)
            logger.warning("%s: the folder cannot be worked in: %s", self.address, look.error)

    def _work(self, look: Look, is_alive: Callable[[], bool], may_continue: Callable[[], bool]) -> None:
        present = {file.name: file for file in islice(self._store.files(""), MOST_FILES)}
        arrived = self._arrivals.sorted_out(present.values())
        begun = self._claims.begun()
        deliveries: list[Claim | Group] = [*begun, *self._complete(arrived, look)]
        self._say_left(arrived, is_full=len(present) == MOST_FILES)
        look.arriving, look.left = len(arrived.arriving), len(arrived.left)
        for number, one in enumerate(deliveries):
            if not is_alive() or (number and (number >= MOST_DELIVERIES or not may_continue())):
                look.waiting += sum(len(later) for later in deliveries[number:] if not isinstance(later, Claim))
                break
            claim = one if isinstance(one, Claim) else self._begun(one, arrived, look)
            if claim is not None:
                fate = self._delivering.deliver(claim, self._claims.take(claim, present), is_alive=is_alive)
                look.ended += fate == Fate.ENDED
                look.failing += fate == Fate.FAILING

    def _begun(self, group: Group, arrived: Arrived, look: Look) -> Claim | None:
        """A claim of a delivery with its semaphore; None if its files have just changed."""
        files = [file for file, _part in group]
        stems = {stem(file.name) for file in files}
        claim = self._claims.begin(files, [file for file in arrived.semaphores if stem(file.name) in stems])
        look.waiting += len(files) if claim is None else 0
        return claim

    def _complete(self, arrived: Arrived, look: Look) -> list[Group]:
        """The complete deliveries of the files that have arrived; and messages for whose files nobody waits longer."""
        complete = []
        for group in parts_group(self._with_parts(arrived, look)):
            if _is_whole(group) or _is_late(group):
                complete.append(group)
            else:
                look.waiting += len(group)
        return complete

    def _with_parts(self, arrived: Arrived, look: Look) -> Iterator[tuple[StoredFile, MessagePart | None]]:
        known, self._parts = self._parts, {}
        keys = {file: (file.name, file.mark) for file in arrived.complete}
        new = [file for file in arrived.complete if keys[file] not in known]
        later = set(new[MOST_NEW:])
        look.waiting += len(later)
        for file in arrived.complete:
            key = keys[file]
            if file in later:
                continue
            try:
                part = known[key] if key in known else self._part(file)
            except PermissionError as error:
                arrived.left.append((file, _("cannot be read: %(why)s") % {"why": error.strerror or error}))
            except FileNotFoundError:
                continue
            else:
                self._parts[key] = part
                yield file, part

    def _part(self, file: StoredFile) -> MessagePart | None:
        try:
            head = self._store.head(file, HEAD_BYTES)
        except NotARegularFile:
            return None  # Its import refuses it.
        with NamedTemporaryFile() as copy:
            copy.write(head)
            copy.flush()
            return file_part(Path(copy.name), file.name, None)

    def _say_left(self, arrived: Arrived, *, is_full: bool) -> None:
        """Log what stays in the folder, and why, once for as long as it is there."""
        reasons = {(printable(file.name, LONGEST_NAME), str(reason)) for file, reason in arrived.left}
        if is_full:
            reasons.add(("the other files", f"at most {MOST_FILES} files are looked at"))
        for name, reason in sorted(reasons - self._said):
            logger.warning("%s: left: %s: %s", self.address, name, reason)
        self._said = reasons


def _is_whole(group: Group) -> bool:
    part = group[0][1]
    return part is None or {other.number for _file, other in group if other} >= {*range(1, part.count + 1)}


def _is_late(group: Group) -> bool:
    """Whether the last file of a message came more than DSRHUB_UPLOAD_DAYS ago: its other files count as missing."""
    newest = max(file.changed_at for file, _part in group)
    return newest < (timezone.now() - timedelta(days=settings.DSRHUB_UPLOAD_DAYS)).timestamp()


def _keep(row: DropFolder, look: Look) -> None:
    """Note how a look went, for the metrics."""
    row.looked_at, row.error = timezone.now(), look.error
    row.arriving_count, row.waiting_count = look.arriving, look.waiting
    row.failing_count, row.left_count = look.failing, look.left
    row.save()


class Folders:
    """The folders of the settings, which a worker looks at from time to time."""

    def __init__(self) -> None:
        options = options_of_settings()
        self._watches = [FolderWatch(address=address, options=options) for address in settings.DSRHUB_FOLDERS]
        self._looked_at = float("-inf")

    def look(self, *, is_alive: Callable[[], bool], may_continue: Callable[[], bool]) -> int:
        """Look at all folders if it is time to, and return how many deliveries were moved."""
        if not self._watches or time.monotonic() - self._looked_at < settings.DSRHUB_FOLDER_PAUSE_SECONDS:
            return 0
        looks = [watch.look(is_alive=is_alive, may_continue=may_continue) for watch in self._watches if is_alive()]
        self._looked_at = time.monotonic()
        return sum(look.ended for look in looks)
