"""Delivered files, kept byte for byte if `DSRHUB_KEEP_FILES` names a folder for them.

The name of a kept file is the hash of its unpacked content and the id of its DSR, so that no two DSRs share a file. The
DSRs of a message share its files, whose names have the id of the message.
"""

import os
import shutil
from contextlib import suppress
from functools import partial
from io import BufferedReader
from pathlib import Path

from django.conf import settings
from django.db import transaction

from catalogue.models import DSR, AbstractDSR, AbstractMessage, ReportMessage
from dsrhub.files.disk import CREATE, FileBytes, NotARegularFile, file_open, folder_open


def dsr_file_keep(content: FileBytes, dsr: DSR) -> None:
    """Keep the delivered file of a DSR that belongs to no message. The DSR must not be committed without it."""
    _keep(content, _place_of_dsr(dsr))


def message_file_keep(content: FileBytes, message: ReportMessage, number: int) -> None:
    """Keep a file of a message: `number` is its place in `message.files`."""
    _keep(content, _place_of_message(message, number))


def dsr_file_forget(dsr: AbstractDSR) -> None:
    """Remove the file of a DSR once the transaction that deletes it has committed."""
    if dsr.message_id is None:
        _forget(_place_of_dsr(dsr))


def message_files_forget(message: AbstractMessage) -> None:
    """The same for the files of a message."""
    for number in range(len(message.files)):
        _forget(_place_of_message(message, number))


def dsr_file_bytes(dsr: AbstractDSR) -> int:
    """The size of the kept file of a DSR that belongs to no message; 0 where there is none."""
    return 0 if dsr.message_id is not None else _size(_place_of_dsr(dsr))


def message_files_bytes(message: AbstractMessage) -> int:
    """The size of the kept files of a message."""
    return sum(_size(_place_of_message(message, number)) for number in range(len(message.files)))


def kept_file(dsr: DSR) -> Path | None:
    """The delivered file of a DSR, if it is kept: the first one of a message of several files."""
    return _present(_place(dsr))


def kept_file_open(dsr: DSR) -> BufferedReader | None:
    """The same file to be read."""
    return _open(_place(dsr))


def message_file(message: ReportMessage, number: int) -> Path | None:
    """A file of a message, if it is kept: `number` is its place in `message.files`."""
    return _present(_place_of_message(message, number))


def message_file_open(message: ReportMessage, number: int) -> BufferedReader | None:
    """The same file to be read."""
    return _open(_place_of_message(message, number))


def _size(kept: Path | None) -> int:
    found = _present(kept)
    return 0 if found is None else found.stat().st_size


def _present(kept: Path | None) -> Path | None:
    return kept if kept is not None and kept.is_file() and not kept.is_symlink() else None


def _open(kept: Path | None) -> BufferedReader | None:
    try:
        return None if kept is None else file_open(kept, Path(settings.DSRHUB_KEEP_FILES))
    except (FileNotFoundError, NotARegularFile):
        return None


def _keep(content: FileBytes, kept: Path | None) -> None:
    """No link in the folder is followed, and nothing that has the name of the draft already is written to."""
    if kept is None:
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    draft = f"{kept.name}.draft"
    with folder_open(kept.parent, Path(settings.DSRHUB_KEEP_FILES)) as folder:
        with suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=folder)
        with os.fdopen(os.open(draft, CREATE, 0o666, dir_fd=folder), "wb") as file:
            shutil.copyfileobj(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, kept.name, src_dir_fd=folder, dst_dir_fd=folder)


def _forget(kept: Path | None) -> None:
    if kept is not None and kept.is_file():
        transaction.on_commit(partial(kept.unlink, missing_ok=True))


def _place(dsr: DSR) -> Path | None:
    return _place_of_dsr(dsr) if dsr.message is None else _place_of_message(dsr.message, 0)


def _place_of_dsr(dsr: AbstractDSR) -> Path | None:
    return None if dsr.sha256 is None else _path(dsr.sha256, f"{dsr.pk}")


def _place_of_message(message: AbstractMessage, number: int) -> Path | None:
    return _path(message.files[number]["sha256"], f"message-{message.pk}-{number + 1}")


def _path(sha256: str, owner: str) -> Path | None:
    folder = settings.DSRHUB_KEEP_FILES
    return Path(folder) / sha256[:2] / f"{sha256}-{owner}" if folder else None
