"""The search of the admin's header. Each application registers what it can find."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.utils.translation import gettext as _

from dsrhub.pages.navigation import pages_found


class Found(NamedTuple):
    """A link to what was found, with a note that tells it apart."""

    label: str
    address: str
    note: str = ""


class Findings(NamedTuple):
    """The first links of one kind, the address of the list of all, and why links may be missing."""

    title: Any
    links: Sequence[Found]
    address: str = ""
    warning: Any = ""


# A finder returns None if the user may not see what it finds.
Finder = Callable[[HttpRequest, str], Findings | None]
_finders: list[Finder] = []


def finder(find: Finder) -> Finder:
    """Register what an application can find. The page has the findings in the order of registration."""
    _finders.append(find)
    return find


def search(request: HttpRequest, text: str) -> list[Findings]:
    """Return all findings of a text that is not blank, those of pages last."""
    found = [findings for find in _finders if (findings := find(request, text)) is not None]
    return [*found, _pages(request, text)]


def _pages(request: HttpRequest, text: str) -> Findings:
    links = [Found(str(page["label"]), page["address"]) for page in pages_found(request, text)]
    return Findings(_("Pages"), links)
