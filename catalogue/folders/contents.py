"""What lies in drop folders, for people: read within a time limit, and only as much as a page shows."""

import logging
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from catalogue.folders.arriving import is_semaphore, is_unfinished, message_files, stem
from catalogue.folders.claims import DONE, IMPORTING, OWN, REFUSED, begun_at, result_read
from catalogue.folders.watching import MOST_FILES, FolderOptions
from catalogue.imports.finding import why_no_report
from dsrhub.stores.addresses import Address
from dsrhub.stores.interface import Store, StoredFile, failure_text
from dsrhub.stores.opening import store_of
from dsrhub.texts.marked import Text
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.wording import printable

logger = logging.getLogger(__name__)

# What is shown of a folder: files that wait, deliveries of each state, and the parts of each delivery.
SHOWN_FILES, SHOWN_DELIVERIES, SHOWN_PARTS, SHOWN_PROBLEMS = 100, 10, 20, 3
# The deliveries of each state whose files are compared with a search.
SEARCHED_DELIVERIES = 200
# The bytes of a result that are read. One with more problems is shown by the names of its files.
LARGEST_SHOWN_RESULT = 4 * 1024 * 1024
LONGEST_NAME, LONGEST_TEXT = 255, 1000
# A folder that never answers holds the thread that reads it. At most this many threads of a process read one folder.
MOST_READERS = 3

REMEDIES = {
    "file": _("Make the folder, or let the user of dsrhub read it and write to it."),
    "s3": _("Check the name of the bucket, the credentials of AWS and AWS_ENDPOINT_URL."),
    "sftp": _("Check that the server is up, that its key is known, and the user with the key or the password."),
}
NO_ANSWER = _("It did not answer in time.")

_readers: dict[str, threading.BoundedSemaphore] = defaultdict(lambda: threading.BoundedSemaphore(MOST_READERS))


@dataclass(frozen=True)
class WaitingFile:
    """A file of the folder itself, and why it is still there. `since` is the time of its last change."""

    name: str
    size: int
    since: datetime
    reason: Text


@dataclass(frozen=True)
class ShownProblem:
    code: str
    file: str
    line: int | None
    column: str
    value: str


@dataclass(frozen=True)
class ShownDelivery:
    """A delivery in a folder of its own, as its result tells. Senders may write there: nothing of it is trusted."""

    name: str
    at: datetime | None
    files: Sequence[str]
    file_count: int
    outcome: str = ""
    code: str = ""
    message: str = ""
    dsrs: Sequence[int] = ()
    failed_dsr: int | None = None
    error_count: int = 0
    problems: Sequence[ShownProblem] = ()
    tried_again: datetime | None = None
    tries: int = 0


@dataclass
class FolderContents:
    """What was read of a folder. A part is None if there was no time to read it; `error` says why nothing is there."""

    address: Address
    waiting: list[WaitingFile] | None = None
    waiting_count: int = 0
    subfolders: list[str] = field(default_factory=list)
    importing: list[ShownDelivery] | None = None
    refused: list[ShownDelivery] | None = None
    done: list[ShownDelivery] | None = None
    error: str | Text = ""

    @property
    def remedy(self) -> Text:
        return REMEDIES[self.address.scheme]

    @property
    def is_reached(self) -> bool:
        return not self.error and self.waiting is not None

    @property
    def is_complete(self) -> bool:
        return self.done is not None


def folders_read(
    *, addresses: Sequence[Address], options: FolderOptions, text: str = "", seconds: float
) -> list[FolderContents]:
    """What lies in each folder now. All folders are read at the same time. After `seconds`, the rest is left out.

    With a `text`, only the files whose names contain it, and their deliveries.
    """
    readings = [_begun(FolderContents(address), options, text.casefold()) for address in addresses]
    end = time.monotonic() + seconds
    found = []
    for contents, thread in readings:
        if thread is not None:
            thread.join(max(end - time.monotonic(), 0))
        read = copy(contents)  # A thread that is late must not change what the page shows.
        if read.waiting is None and not read.error:
            read.error = NO_ANSWER
        found.append(read)
    return found


def _begun(
    contents: FolderContents, options: FolderOptions, text: str
) -> tuple[FolderContents, threading.Thread | None]:
    reader = _readers[contents.address.shown]
    if not reader.acquire(blocking=False):
        return contents, None

    def run() -> None:
        try:
            _read(contents, options, text)
        finally:
            reader.release()

    thread = threading.Thread(target=run, daemon=True, name=f"reading {contents.address}")
    thread.start()
    return contents, thread


def _read(contents: FolderContents, options: FolderOptions, text: str) -> None:
    try:
        store = store_of(contents.address)
    except ImproperlyConfigured as error:
        contents.error = str(error)
        return
    try:
        with store.opened():
            _read_parts(contents, store, options, text)
    except store.errors as error:
        contents.error = failure_text(error)
    except Exception:
        logger.exception("the drop folder %s could not be read for its page", contents.address)
        contents.error = _("An internal error. The log has the details.")


def _read_parts(contents: FolderContents, store: Store, options: FolderOptions, text: str) -> None:
    files = list(islice(store.files(""), MOST_FILES))
    waiting = [file for file in waiting_files(files, options) if text in file.name.casefold()]
    contents.waiting_count = len(waiting)
    contents.subfolders = [
        printable(name, LONGEST_NAME)
        for name in store.folders("")
        if name not in (IMPORTING, REFUSED, DONE) and not name.startswith(".")
    ][:SHOWN_PARTS]
    contents.waiting = waiting[:SHOWN_FILES]
    contents.importing = _deliveries(store, IMPORTING, text)
    contents.refused = _deliveries(store, REFUSED, text)
    contents.done = _deliveries(store, DONE, text)


# --- What waits ------------------------------------------------------------------------------------------------


NEXT_LOOK = _("It has arrived. The next look takes it, after the deliveries before it.")


def waiting_files(
    files: Iterable[StoredFile], options: FolderOptions, *, clock: Callable[[], float] = time.time
) -> list[WaitingFile]:
    """The files of the folder itself, the latest first, each with the reason why it is still there."""
    files = sorted(files, key=lambda file: (-file.changed_at, file.name))
    present = Present(
        options,
        clock(),
        announced={stem(file.name) for file in files if is_semaphore(file.name)},
        reports=Counter(stem(file.name) for file in files if is_report(file.name)),
    )
    return [
        WaitingFile(
            printable(file.name, LONGEST_NAME),
            file.size,
            datetime.fromtimestamp(file.changed_at, UTC),
            present.why_no_report(file) or present.why_not_arrived(file) or present.why_not_whole(file) or NEXT_LOOK,
        )
        for file in files
    ]


def is_report(name: str) -> bool:
    """Whether a file of this name is imported when it has arrived."""
    return not is_semaphore(name) and not is_unfinished(name) and why_no_report(name) is None


@dataclass(frozen=True)
class Present:
    """What is in a folder at a time: the stems that semaphores announce, and the number of reports of each stem."""

    options: FolderOptions
    now: float
    announced: Collection[str]
    reports: Mapping[str, int]

    def why_no_report(self, file: StoredFile) -> Text | None:
        if is_semaphore(file.name):
            return None if stem(file.name) in self.reports else _("A semaphore. Its report is not there yet.")
        if is_unfinished(file.name):
            return _("Its name says that it is still being sent, or hidden. Its sender has to rename it.")
        if reason := why_no_report(file.name):
            return _("It is not imported: %(reason)s. It stays until somebody removes it.") % {"reason": reason}
        return None

    def why_not_arrived(self, file: StoredFile) -> Text | None:
        if not file.is_regular or stem(file.name) in self.announced:
            return None
        if self.options.semaphores_only:
            return _("Its semaphore (.ctrl) is not there yet.")
        if self.now - file.changed_at < self.options.rest_seconds:
            text = _("It may still grow: it is taken when it has not changed for %(seconds)s seconds.")
            return text % {"seconds": self.options.rest_seconds}
        return None

    def why_not_whole(self, file: StoredFile) -> Text | None:
        """Why a part of a message waits, as far as its name tells. The look reads the files themselves."""
        there, count = self.reports.get(stem(file.name), 0), message_files(file.name)
        if count is None or there >= count or is_semaphore(file.name):
            return None
        text = _("It waits for the other files of its message: %(there)s of %(count)s are there.")
        return text % {"there": there, "count": count}


# --- Deliveries ------------------------------------------------------------------------------------------------


def _deliveries(store: Store, state: str, text: str) -> list[ShownDelivery]:
    names = store.folders(state)[::-1][: SEARCHED_DELIVERIES if text else SHOWN_DELIVERIES]
    return list(islice(_found(store, state, names, text), SHOWN_DELIVERIES))


def _found(store: Store, state: str, names: Sequence[str], text: str) -> Iterator[ShownDelivery]:
    for name in names:
        result = result_read(store, f"{state}/{name}", largest=LARGEST_SHOWN_RESULT)
        files = _file_names(result) or [one.name for one in store.files(f"{state}/{name}") if one.name not in OWN]
        if not text or any(text in file.casefold() for file in files):
            yield _shown(name, result, files)


def _shown(name: str, result: dict[str, Any], files: Sequence[str]) -> ShownDelivery:
    return ShownDelivery(
        name=name,
        at=_time(result.get("at")) or begun_at(name),
        files=[printable(file, LONGEST_NAME) for file in files[:SHOWN_PARTS]],
        file_count=len(files),
        outcome=_text(result.get("outcome")),
        code=_text(result.get("code")),
        message=_text(result.get("message")),
        dsrs=[number for number in map(_id, _list(result.get("dsrs"))) if number is not None][:SHOWN_PARTS],
        failed_dsr=_id(result.get("failed_dsr")),
        error_count=_id(result.get("error_count")) or 0,
        problems=[_problem(one) for one in _list(result.get("problems")) if isinstance(one, dict)][:SHOWN_PROBLEMS],
        tried_again=_time(result.get("tried_again")),
        tries=_id(result.get("tries")) or 0,
    )


def _file_names(result: dict[str, Any]) -> list[str]:
    """The files of a result; of a delivery in work, those of its plan."""
    named = [one.get("name") for one in _list(result.get("files")) if isinstance(one, dict)]
    planned = result.get("planned")
    return [name for name in named or (planned if isinstance(planned, dict) else ()) if isinstance(name, str)]


def _problem(stored: dict[str, Any]) -> ShownProblem:
    texts = (_text(stored.get(name)) for name in ("code", "file", "column", "value"))
    code, file, column, value = texts
    return ShownProblem(code, file, _id(stored.get("line")), column, value)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return printable(value, LONGEST_TEXT) if isinstance(value, str) else ""


def _id(value: Any) -> int | None:
    """A whole number that the database can have."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def _time(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
