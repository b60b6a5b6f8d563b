"""The folder that servers and workers share, with the uploads that wait to be imported."""

import os
import shutil
from pathlib import Path
from uuid import uuid4

from django.conf import settings

from dsrhub.files.disk import file_open


def upload_store(path: Path) -> Path:
    """Store the temporary file of an upload under a new name, and return its path.

    By a hard link if the folder is on the same disk as the temporary files, else by a copy.
    """
    folder: Path = settings.DSRHUB_UPLOAD_DIR
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stored = folder / uuid4().hex
    try:
        os.link(path, stored)
    except OSError:
        # `x`: whatever has the name already, a link above all, is not written through.
        with file_open(path) as file, stored.open("xb") as copy:
            shutil.copyfileobj(file, copy)
    return stored
