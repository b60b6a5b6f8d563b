"""Says texts in the active language of Django. See `dsrhub.texts.marked`."""

from typing import Any

from django.utils.functional import Promise, lazy
from django.utils.translation import gettext, ngettext, override

from dsrhub.texts.marked import Text
from dsrhub.values.cells import grouped

__all__ = ["gettext", "grouped", "label_text", "ngettext", "text_lazy"]


def label_text(label: str | Promise) -> Text:
    """A label of a model, which Django translates where it is read, as a part of a text whose English stays English."""
    with override(None):
        return Text.made(str(label))


def text_lazy(text: Text) -> Any:
    """A text for the options of fields, which are translated where they are shown."""
    return lazy(text.translated, str)()
