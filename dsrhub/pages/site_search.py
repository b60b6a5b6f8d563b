"""The search of the admin's header. Each application registers what it can find."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from dsrhub.access.permissions import may_view
from dsrhub.database.time_limits import OutOfTime, answered_within
from dsrhub.pages.navigation import pages_found

FOUND_OF_A_KIND = 10
# How long a page waits for each kind, one after the other: for a list that grows with what services deliver, and for
# one that people write.
SECONDS, SECONDS_OF_SHORT_LISTS = 3, 1

Row = TypeVar("Row", bound=Model)


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
_finders: list[tuple[int, Finder]] = []


def finder(order: int) -> Callable[[Finder], Finder]:
    """Register what an application can find. Findings of a lower order come first."""

    def registered(find: Finder) -> Finder:
        _finders.append((order, find))
        return find

    return registered


def search(request: HttpRequest, text: str) -> list[Findings]:
    """Return all findings of a text that is not blank, those of pages last."""
    finders = [find for _order, find in sorted(_finders, key=itemgetter(0))]
    found = [findings for find in finders if (findings := find(request, text)) is not None]
    return [*found, _pages(request, text)]


def found_in_list(
    request: HttpRequest,
    text: str,
    rows: QuerySet[Row],
    shown: Callable[[Row], Found],
    *,
    seconds: float = SECONDS_OF_SHORT_LISTS,
) -> Findings | None:
    """Return the first rows that the search of their list finds; None for a user who may not view the list."""
    model = rows.model
    if not may_view(request, model):
        return None
    title, view = capfirst(model._meta.verbose_name_plural), f"admin:{model._meta.label_lower.replace('.', '_')}"
    address = reverse(f"{view}_changelist", query={"q": text})
    try:
        with answered_within(seconds):
            found, _may_repeat = admin.site.get_model_admin(model).get_search_results(request, rows, text)
            links = [shown(row) for row in found[:FOUND_OF_A_KIND]]
    except OutOfTime:
        return took_too_long(title, address)
    return Findings(title, links, address)


def took_too_long(title: Any, address: str) -> Findings:
    return Findings(title, [], address, _("The search takes too long here. Search in the list."))


def page_of(row: Model) -> str:
    """The address of the page of a row."""
    return reverse(f"admin:{row._meta.label_lower.replace('.', '_')}_change", args=[row.pk])


def _pages(request: HttpRequest, text: str) -> Findings:
    links = [Found(str(page["label"]), page["address"]) for page in pages_found(request, text)]
    return Findings(_("Pages"), links)
