"""Delivered files, kept byte for byte if `DSRHUB_KEEP_FILES` names a folder for them.

The name of a kept file is the hash of its unpacked content and the id of its DSR, so that no two DSRs share a file.
"""

import os
import shutil
from contextlib import suppress
from functools import partial
from io import BufferedReader
from pathlib import Path

from django.conf import settings
from django.db import transaction

from catalogue.models import DSR
from dsrhub.files import CREATE, FileBytes, NotARegularFile, file_open, folder_open


def file_keep(content: FileBytes, dsr: DSR) -> None:
    """Keep the delivered file of a DSR. A DSR must not be committed without it.

    No link in the folder is followed, and nothing that has the name of the draft already is written to.
    """
    kept = _place(dsr)
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


def file_forget(dsr: DSR) -> None:
    """Remove the file of a DSR once the transaction that deletes it has committed."""
    kept = kept_file(dsr)
    if kept is not None:
        transaction.on_commit(partial(kept.unlink, missing_ok=True))


def kept_file(dsr: DSR) -> Path | None:
    """The delivered file of a DSR, if it is kept."""
    kept = _place(dsr)
    return kept if kept is not None and kept.is_file() and not kept.is_symlink() else None


def kept_file_open(dsr: DSR) -> BufferedReader | None:
    """The delivered file of a DSR to be read, if it is kept."""
    kept = _place(dsr)
    try:
        return None if kept is None else file_open(kept, Path(settings.DSRHUB_KEEP_FILES))
    except (FileNotFoundError, NotARegularFile):
        return None


def _place(dsr: DSR) -> Path | None:
    if not settings.DSRHUB_KEEP_FILES or dsr.sha256 is None:
        return None
    return Path(settings.DSRHUB_KEEP_FILES) / dsr.sha256[:2] / f"{dsr.sha256}-{dsr.pk}"
