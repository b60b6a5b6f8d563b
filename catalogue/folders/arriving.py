"""Which files of a drop folder have arrived completely: by a semaphore, or as they have not changed for a while."""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from catalogue.imports.finding import why_no_report
from catalogue.reports.formats.registry import SEMAPHORE, file_endings
from dsrhub.files.disk import ends_in
from dsrhub.stores.interface import StoredFile
from dsrhub.texts.marked import Text

# How programs name a file while they send it.
UNFINISHED = (".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".upload", ".uploading", "~")
# A semaphore leaves this part out of its name.
FILE_OF_FILES = re.compile(r"_[0-9]{1,9}of[0-9]{1,9}(?=_|$)")
# The editions of DDEX's standard name semaphores `DSR_`, `ACK_`, or with an underscore in front.
PREFIX = re.compile(r"\A_?(?:dsr|ack)_")


@dataclass
class Arrived:
    """The files of a folder: complete ones in the order of their times, those still on their way, and others."""

    complete: list[StoredFile] = field(default_factory=list)
    arriving: list[StoredFile] = field(default_factory=list)
    semaphores: list[StoredFile] = field(default_factory=list)
    left: list[tuple[StoredFile, Text]] = field(default_factory=list)


class Arrivals:
    """Remembers since when each file has not changed. It is right for one process, and needs no clock of the store."""

    def __init__(
        self, *, rest_seconds: float, semaphores_only: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rest_seconds, self._semaphores_only, self._clock = rest_seconds, semaphores_only, clock
        self._seen: dict[str, tuple[str, float]] = {}

    def sorted_out(self, files: Iterable[StoredFile]) -> Arrived:
        found = Arrived()
        reports = []
        for file in files:
            if is_semaphore(file.name):
                found.semaphores.append(file)
            elif is_unfinished(file.name):
                continue
            elif reason := why_no_report(file.name):
                found.left.append((file, reason))
            else:
                reports.append(file)
        self._see(reports)
        announced = {stem(file.name) for file in found.semaphores}
        for file in sorted(reports, key=lambda file: (file.changed_at, file.name)):
            (found.complete if self._is_complete(file, announced) else found.arriving).append(file)
        return found

    def _see(self, files: Sequence[StoredFile]) -> None:
        now, before = self._clock(), self._seen
        self._seen = {}
        for file in files:
            mark, since = before.get(file.name, ("", now))
            self._seen[file.name] = (file.mark, since if mark == file.mark else now)

    def _is_complete(self, file: StoredFile, announced: set[str]) -> bool:
        # A link is never written to. It is to be refused.
        if not file.is_regular or stem(file.name) in announced:
            return True
        return not self._semaphores_only and self._clock() - self._seen[file.name][1] >= self._rest_seconds


def is_unfinished(name: str) -> bool:
    """Whether programs name files so that they have not finished, or files that they hide."""
    return name.startswith(".") or ends_in(name, UNFINISHED)


def is_semaphore(name: str) -> bool:
    return ends_in(name, SEMAPHORE) and not name.startswith(".")


def stem(name: str) -> str:
    """What the names of a delivery's files and of its semaphore have in common."""
    plain = name.casefold().removesuffix(SEMAPHORE)
    ending = next((one for one in sorted(file_endings(), key=len, reverse=True) if plain.endswith(one)), "")
    plain = FILE_OF_FILES.sub("", plain.removesuffix(ending))
    return re.sub("_+", "_", PREFIX.sub("", plain)).strip("_")
