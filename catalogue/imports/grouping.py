"""Which files are one delivery: the files of a message belong together, every other file is a delivery of its own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from catalogue.reports.contexts import MessagePart
from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.registry import format_of
from dsrhub.files.disk import FoundFile, NotARegularFile

File = TypeVar("File")


@dataclass(frozen=True)
class FoundDelivery:
    """The files of a delivery in their order. Its path is that of the first one."""

    files: tuple[FoundFile, ...]

    @property
    def path(self) -> Path:
        return self.files[0].path

    def size(self) -> int:
        return sum(file.size() for file in self.files)


def deliveries_of(files: Sequence[FoundFile]) -> list[FoundDelivery]:
    """The deliveries that files are. Those of a message stand in the order of their numbers, at the place of the first.

    Files of a message may be missing, or be there twice: the import of the delivery tells it.
    """
    parts = ((file, file_part(file.path, file.path.name, file.folder)) for file in files)
    return [FoundDelivery(tuple(file for file, _ in group)) for group in parts_group(parts)]


def parts_group(parts: Iterable[tuple[File, MessagePart | None]]) -> list[list[tuple[File, MessagePart | None]]]:
    """The files of each delivery, in the order of their numbers, each with its part. None is a delivery of its own."""
    groups: dict[object, list[tuple[File, MessagePart | None]]] = {}
    for position, (file, part) in enumerate(parts):
        key = position if part is None else (part.sender, part.message_id)
        groups.setdefault(key, []).append((file, part))
    return [sorted(group, key=lambda numbered: numbered[1].number if numbered[1] else 1) for group in groups.values()]


def file_part(path: Path, name: str, folder: Path | None) -> MessagePart | None:
    """Which file of a message of several files the file at `path` is, named `name` (see `Delivery`).

    None where it is a delivery of its own, or cannot be opened: its import tells why.
    """
    try:
        delivery = Delivery(path, name, folder=folder)
        part = format_of(delivery).message_part(delivery)
    except (OSError, NotARegularFile):
        return None
    return part if part is not None and part.count > 1 else None
