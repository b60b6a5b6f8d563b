"""What a page showed of objects. Its form sends a digest of it back, to be compared before anything is changed."""

import hashlib
from collections.abc import Iterable
from typing import Any

from django.db.models import Model

from dsrhub.exceptions import ConfirmationOutdated
from dsrhub.texts.marked import gettext_lazy as _


def shown_digest(objects: Iterable[Model]) -> str:
    """A digest of all values of objects, except those of a model's UNSEEN_FIELDS, which workers change."""
    rows = sorted((_values(one) for one in objects), key=lambda row: row[0])
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def _values(one: Model) -> list[Any]:
    unseen = getattr(one, "UNSEEN_FIELDS", ())
    names = [field.attname for field in one._meta.concrete_fields if field.name not in unseen]
    return [one.pk, *(str(getattr(one, name)) for name in names)]


def require_as_shown(objects: Iterable[Model], shown: str) -> None:
    """Raise ConfirmationOutdated unless objects, which the caller has locked, have the digest that a form sent."""
    if shown_digest(objects) != shown:
        raise ConfirmationOutdated(_("Something has changed since you opened the page. Review it again."))
