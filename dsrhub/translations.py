"""Says texts in the active language of Django. See `dsrhub.texts`."""

from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext, override

from dsrhub.cells import grouped
from dsrhub.texts import Text

__all__ = ["gettext", "grouped", "label_text", "ngettext"]


def label_text(label: str | Promise) -> Text:
    """A label of a model, which Django translates where it is read, as a part of a text whose English stays English."""
    with override(None):
        return Text.made(str(label))
