"""Names and values as messages for people have them: listed, and without what does not print. Knows no Django."""

from collections.abc import Sequence
from functools import reduce

from dsrhub.texts.marked import Grouped, Text, joined, ngettext_lazy
from dsrhub.texts.marked import gettext_lazy as _

# How many names a message has.
MOST_LISTED = 20


def printable(text: str, longest: int) -> str:
    """The text cut to a length, with everything escaped that does not print, such as line ends and NUL."""
    text = text[:longest]
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)[:longest]


def listed(names: Sequence[str]) -> Text:
    """The first names, and how many more there are, for a message to people."""
    first, more = joined(names[:MOST_LISTED]), len(names) - MOST_LISTED
    if more <= 0:
        return first
    text = ngettext_lazy("%(names)s and %(count)s more", "%(names)s and %(count)s more", more)
    return text % {"names": first, "count": Grouped(more)}


def either(names: Sequence[str]) -> Text:
    """One or more names, as alternatives."""
    text = _("%(one)s or %(other)s")
    return reduce(lambda one, other: text % {"one": one, "other": other}, names[1:], joined(names[:1]))
