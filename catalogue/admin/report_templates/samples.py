"""Sample files that users upload to make templates of them. A worker removes them when they are a day old."""

import os
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest

from catalogue.imports.loading.values import value_text
from catalogue.reports.delivery import DamagedDelivery, Delivery
from catalogue.reports.formats.registry import explanation
from catalogue.reports.formats.templates.guessing import guess
from catalogue.reports.problems import shown
from dsrhub.files.uploads import upload_store

SESSION_KEY = "template_samples"
# How many samples of a user are kept. A new one takes the place of the oldest.
MOST_SAMPLES = 3


class Sample(NamedTuple):
    """A stored sample. `upload` is the upload with the import job that it comes from, or blank."""

    token: str
    name: str
    upload: str = ""

    @property
    def path(self) -> Path:
        folder: Path = settings.DSRHUB_UPLOAD_DIR
        return folder / self.token

    def delivery(self) -> Delivery:
        limit = settings.DSRHUB_UPLOAD_UNPACKED_LIMIT_BYTES
        return Delivery(self.path, self.name, limit, folder=settings.DSRHUB_UPLOAD_DIR)

    def fault(self) -> str | None:
        """Why no template can be made of the file; None where one can."""
        try:
            guess(self.delivery())
        except DamagedDelivery as error:
            means = explanation(error.problem.code).translated()
            value = error.problem.value and value_text(error.problem.code, error.problem.value)
            return " ".join(filter(None, (means.sentence, value)))
        return None


def sample_add(request: HttpRequest, path: Path | str, name: str, *, upload: str = "") -> Sample:
    """Keep the file at a path as a sample of the user, under the name that it was delivered under."""
    stored = upload_store(Path(path))
    os.utime(stored)  # A file of a job may be days old.
    samples = [*_samples(request), Sample(stored.name, shown(name, 255), upload)]
    for old in samples[:-MOST_SAMPLES]:
        old.path.unlink(missing_ok=True)
    request.session[SESSION_KEY] = [list(one) for one in samples[-MOST_SAMPLES:]]
    return samples[-1]


def sample_get(request: HttpRequest, token: str) -> Sample | None:
    """The sample of this user with a token; None if there is none any more."""
    return next((one for one in _samples(request) if one.token == token and one.path.is_file()), None)


def _samples(request: HttpRequest) -> list[Sample]:
    return [Sample(*one) for one in request.session.get(SESSION_KEY, [])]
