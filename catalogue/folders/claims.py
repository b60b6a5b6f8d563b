"""Deliveries on their way through a drop folder, each in a folder of its own with a file that tells how far it is."""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

from catalogue.reports.contexts import SalesContext
from dsrhub.stores.interface import Store, StoredFile

IMPORTING, DONE, REFUSED = "importing", "done", "refused"
RESULT, RESULT_TEXT = "result.json", "result.txt"
OWN = {RESULT, RESULT_TEXT}
# The time in the name of the folder of a delivery.
TIME = "%Y%m%dT%H%M%S.%fZ"
# More than a result has with all kept problems. Whatever is larger is not ours.
LARGEST_RESULT = 64 * 1024 * 1024


@dataclass
class Claim:
    """A delivery in `importing`. `tries` counts the imports that were begun and came to no end.

    `planned` are the marks of its files by their names, in the order of the delivery, semaphores last. `series` are its
    sales contexts without their periods; None until it was opened.
    """

    name: str
    planned: dict[str, str]
    tries: int = 0
    series: Collection[SalesContext] | None = None

    @property
    def folder(self) -> str:
        return f"{IMPORTING}/{self.name}"


class Claims:
    """The claims of one folder. The caller holds the lock of the folder."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begun(self) -> list[Claim]:
        """The claims that are left from before, the earliest first. Those with a result are moved to their place."""
        claims = []
        for name in self._store.folders(IMPORTING):
            noted = self._noted(name)
            if noted["state"] == IMPORTING:
                claims.append(Claim(name, noted["planned"], noted["tries"]))
            else:
                self._move(name, noted["state"])
        return claims

    def begin(self, files: Sequence[StoredFile], semaphores: Sequence[StoredFile]) -> Claim | None:
        """Plan a delivery of these files; None if one of them is no longer as it was listed. Nothing is moved yet."""
        if not all(map(self._store.is_unchanged, files)):
            return None
        claim = Claim(_new_name(), {file.name: file.mark for file in (*files, *semaphores)})
        self._note(claim)
        return claim

    def take(self, claim: Claim, present: Mapping[str, StoredFile]) -> list[StoredFile]:
        """Move the planned files of a claim that are still in the folder, and return all files of the claim in order.

        `present` are the files in the folder by name. A file that has changed since the plan is another delivery.
        """
        taken = {file.name for file in self._store.files(claim.folder)}
        for name, mark in claim.planned.items():
            file = present.get(name)
            if file is None or file.mark != mark:
                continue
            if name in taken:
                self._store.take_is_ended(file, claim.folder)
            else:
                with suppress(FileNotFoundError):  # Its sender has removed it.
                    self._store.take(file, claim.folder)
        order = list(claim.planned)
        files = [file for file in self._store.files(claim.folder) if file.name not in OWN and file.name[0] != "."]
        return sorted(files, key=lambda file: order.index(file.name) if file.name in order else len(order))

    def note_try(self, claim: Claim, change: int) -> None:
        claim.tries += change
        self._note(claim)

    def end(self, claim: Claim, *, state: str, result: Mapping[str, Any], text: str) -> None:
        """Tell what became of a claim, and move it to `done` or `refused`."""
        self._store.write(claim.folder, RESULT_TEXT, f"{text}\n".encode(errors="backslashreplace"))
        self._write(claim.name, {"state": state, **result})
        self._move(claim.name, state)

    def _note(self, claim: Claim) -> None:
        self._write(claim.name, {"state": IMPORTING, "tries": claim.tries, "planned": claim.planned})

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        result_write(self._store, f"{IMPORTING}/{name}", content)

    def _move(self, name: str, state: str) -> None:
        self._store.move_folder(f"{IMPORTING}/{name}", f"{state}/{name}", last=RESULT)

    def _noted(self, name: str) -> dict[str, Any]:
        """What a claim notes. What a person put into `importing` has no note, and is imported as it is."""
        unknown = {"state": IMPORTING, "tries": 0, "planned": {}}
        noted = result_read(self._store, f"{IMPORTING}/{name}")
        is_ended = noted.get("state") in (DONE, REFUSED)
        return noted if is_ended else unknown | (noted if _is_plan(noted) else {})


def result_read(store: Store, folder: str, *, largest: int = LARGEST_RESULT) -> dict[str, Any]:
    """What the result of a delivery says; empty if it is missing, unreadable or too large."""
    try:
        result = json.loads(store.read(folder, RESULT, largest) or b"{}")
    except ValueError:
        return {}
    return result if isinstance(result, dict) else {}


def result_write(store: Store, folder: str, content: Mapping[str, Any]) -> None:
    store.write(folder, RESULT, f"{json.dumps(content, ensure_ascii=True, indent=2)}\n".encode())


def _new_name() -> str:
    """A name that no other claim has. Those of one process are in the order of their times."""
    return f"{datetime.now(UTC):{TIME}}-{token_hex(4)}"


def begun_at(name: str) -> datetime | None:
    """When a delivery was begun, as the name of its folder tells; None if no claim has such a name."""
    try:
        return datetime.strptime(name.partition("-")[0], TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


def _is_plan(noted: Mapping[str, Any]) -> bool:
    return (
        noted.get("state") == IMPORTING
        and isinstance(noted.get("tries"), int)
        and isinstance(noted.get("planned"), dict)
    )
