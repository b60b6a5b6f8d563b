"""Delivered files, kept byte for byte if `DSRHUB_KEEP_FILES` names a folder for them.

The name of a kept file is the hash of its unpacked content and the id of its DSR, so that no two DSRs share a file.
"""

import os
import shutil
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import transaction

from catalogue.models import DSR


def file_keep(path: Path, dsr: DSR) -> None:
    """Keep the delivered file of a DSR. A DSR must not be committed without it."""
    kept = _place(dsr)
    if kept is None:
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    draft = kept.with_name(f"{kept.name}.draft")
    shutil.copyfile(path, draft)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(kept)


def file_forget(dsr: DSR) -> None:
    """Remove the file of a DSR once the transaction that deletes it has committed."""
    kept = kept_file(dsr)
    if kept is not None:
        transaction.on_commit(partial(kept.unlink, missing_ok=True))


def kept_file(dsr: DSR) -> Path | None:
    """The delivered file of a DSR, if it is kept."""
    kept = _place(dsr)
    return kept if kept is not None and kept.is_file() else None


def _place(dsr: DSR) -> Path | None:
    if not settings.DSRHUB_KEEP_FILES or dsr.sha256 is None:
        return None
    return Path(settings.DSRHUB_KEEP_FILES) / dsr.sha256[:2] / f"{dsr.sha256}-{dsr.pk}"
