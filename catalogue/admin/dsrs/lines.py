"""The page of the lines of a DSR: its form, its search, and the pages before and after."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from catalogue.admin.cells import dsr_name, revenue_kind
from catalogue.admin.parts import dsr_or_404
from catalogue.dsrs.selectors import dsr_lines
from catalogue.lines.lookups import LineSearch, lines_found
from catalogue.models import DSR, UsageLine
from catalogue.reports.formats.interface import HEADER_LINE
from catalogue.resources.isrcs import searched_isrcs
from dsrhub.database.pages import CutShort
from dsrhub.database.time_limits import OutOfTime, answered_within
from dsrhub.values.cells import grouped, money, plain
from dsrhub.values.forms import WholeNumberField

LINES_ON_A_PAGE = 200
# Nobody waits longer for a search. It reads all lines of the DSR, unless it finds a DSP ID.
SEARCH_SECONDS = 5
LINE_COLUMNS = ("line_number", "dsp_id", "title", "artists", "isrc", "usages", "revenue")
# Only lines of messages have these.
MESSAGE_LINE_COLUMNS = ("use_type", "is_royalty_bearing", "returns", "transaction_id", "is_release")


class Kind(StrEnum):
    """What a text can be, in the order in which it is tried."""

    DSP_ID = "dsp_id"
    ISRC = "isrc"
    WORDS = "words"

    def search(self, text: str) -> LineSearch:
        match self:
            case Kind.DSP_ID:
                return LineSearch(dsp_id=text)
            case Kind.ISRC:
                return LineSearch(isrcs=tuple(searched_isrcs(text)))
            case _:
                return LineSearch(words=text)


FOUND_BY = {
    Kind.DSP_ID: gettext_lazy("Found by DSP ID: %(lines)s"),
    Kind.ISRC: gettext_lazy("Found by ISRC: %(lines)s"),
    Kind.WORDS: gettext_lazy("Found by words of title and artists: %(lines)s"),
}


def _line_number(label: Any, **options: Any) -> WholeNumberField:
    wrong = {"invalid": gettext_lazy("This is not a line number.")}
    return WholeNumberField(
        label=label, min_value=0, max_value=2**63 - 1, required=False, error_messages=wrong, **options
    )


class LinesForm(forms.Form):
    """Selects a page of lines: behind a line, or in front of one; all of them, or those that a text finds."""

    q = forms.CharField(label=gettext_lazy("Title, artists, ISRC or DSP ID"), max_length=1000, required=False)
    after = _line_number(gettext_lazy("Lines after line"))
    before = _line_number("", widget=forms.HiddenInput)
    by = forms.ChoiceField(choices=[("", ""), *((kind, kind) for kind in Kind)], required=False)


class LinePage(NamedTuple):
    """The lines of a page, the kind of the text that found them, and whether there are lines before and behind them."""

    lines: list[UsageLine]
    kind: Kind | None
    has_before: bool
    has_after: bool


def line_page(dsr: DSR, *, text: str, kind: Kind | None, after: int, before: int | None) -> LinePage:
    """Return a page of all lines, or of those that a text finds. The text is of the first kind that finds any."""
    if not text:
        return _plain_page(dsr, after, before)
    for one in [kind] if kind else Kind:
        page = _found_page(dsr, text, one, after, before)
        if page.lines:
            break
    return page


def _plain_page(dsr: DSR, after: int, before: int | None) -> LinePage:
    if before is not None:
        after = max(before - 1 - LINES_ON_A_PAGE, HEADER_LINE)
    lines = dsr_lines(dsr=dsr, after=after, limit=LINES_ON_A_PAGE)
    last_line = HEADER_LINE + dsr.line_count
    return LinePage(
        lines,
        None,
        has_before=bool(lines) and lines[0].line_number > HEADER_LINE + 1,
        has_after=bool(lines) and lines[-1].line_number < last_line,
    )


def _found_page(dsr: DSR, text: str, kind: Kind, after: int, before: int | None) -> LinePage:
    found = lines_found(dsr, search=kind.search(text), after=after, before=before, limit=LINES_ON_A_PAGE + 1)
    dsr_or_404(dsr.pk)  # Without lines, a DSR that is gone meanwhile would look like one that has none.
    is_followed = len(found) > LINES_ON_A_PAGE or isinstance(found, CutShort)
    if before is None:
        return LinePage(found[:LINES_ON_A_PAGE], kind, has_before=after > HEADER_LINE, has_after=is_followed)
    # A page that is cut short lacks its last lines, which the next page has.
    return LinePage(found[-LINES_ON_A_PAGE:], kind, has_before=is_followed, has_after=True)


def _heading(dsr: DSR, page: LinePage) -> str:
    """Return which lines the page shows."""
    if not page.lines:
        return ""
    values = {
        "count": grouped(len(page.lines)),
        "first": grouped(page.lines[0].line_number),
        "last": grouped(page.lines[-1].line_number),
        "total": grouped(dsr.line_count),
    }
    if page.kind is None:
        return _("Line %(first)s to line %(last)s: %(count)s of %(total)s lines") % values
    lines = ngettext("line %(first)s", "%(count)s lines, from line %(first)s to line %(last)s", len(page.lines))
    return str(FOUND_BY[page.kind]) % {"lines": lines % values}


class LinesPage(admin.ModelAdmin):
    """The lines of a DSR. Django's list cannot show a model with a composite key."""

    def get_urls(self) -> list[URLPattern]:
        lines = self.admin_site.admin_view(self.lines_view)
        return [path("<int:dsr_number>/lines/", lines, name="catalogue_dsr_lines"), *super().get_urls()]

    def lines_view(self, request: HttpRequest, dsr_number: int) -> HttpResponse:
        """Show the lines of a DSR, or those that a search finds, page by page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        dsr = dsr_or_404(dsr_number)
        form = LinesForm(request.GET)
        page, status = _answered(dsr, form)
        names = LINE_COLUMNS + (MESSAGE_LINE_COLUMNS if dsr.message_id is not None else ())
        context = {
            **self.admin_site.each_context(request),
            "title": _("Lines of %(path)s") % {"path": dsr_name(dsr)},
            "opts": self.opts,
            "dsr": dsr,
            "line_count": grouped(dsr.line_count),
            "form": form,
            "revenue_kind": revenue_kind(dsr),
            "heading": page and _heading(dsr, page),
            "columns": [(name, label_for_field(name, UsageLine)) for name in names],
            "rows": _rows(dsr, page.lines if page else [], names),
            **_links(form, page),
        }
        return TemplateResponse(request, "admin/catalogue/dsr/lines.html", context, status=status)


def _answered(dsr: DSR, form: LinesForm) -> tuple[LinePage | None, int]:
    """Return the page and its status. Without a page, the form says why."""
    if not form.is_valid():
        return None, 400
    chosen = form.cleaned_data
    kind = Kind(chosen["by"]) if chosen["by"] else None
    try:
        with answered_within(SEARCH_SECONDS), transaction.atomic():
            return line_page(dsr, text=chosen["q"], kind=kind, after=chosen["after"] or 0, before=chosen["before"]), 200
    except OutOfTime:
        text = _(
            "The search takes more than %(seconds)s seconds, as this DSR has %(lines)s lines. Search for a DSP ID."
        )
        form.add_error(None, text % {"seconds": SEARCH_SECONDS, "lines": grouped(dsr.line_count)})
        return None, 503


def _links(form: LinesForm, page: LinePage | None) -> dict[str, Any]:
    """Return the query strings of the first, the previous and the next page, and the line behind which that begins."""
    if page is None or not page.lines:
        return {"first_page": _query(form, None), "previous": None, "next": None, "next_page": None}
    first, last = page.lines[0].line_number, page.lines[-1].line_number
    following = last if page.has_after else None
    return {
        "first_page": _query(form, page.kind),
        "previous": _query(form, page.kind, before=first) if page.has_before else None,
        "next": following,
        "next_page": following and _query(form, page.kind, after=following),
    }


def _query(form: LinesForm, kind: Kind | None, **place: int) -> str:
    query = QueryDict(mutable=True)
    if text := form.data.get("q"):
        query.update({"q": text, **({"by": kind.value} if kind else {})})
    query.update({name: str(line) for name, line in place.items()})
    return query.urlencode()


def _rows(dsr: DSR, lines: Iterable[UsageLine], names: Sequence[str]) -> list[list[tuple[str, Any]]]:
    return [[(name, _cell(dsr, line, name)) for name in names] for line in lines]


def _cell(dsr: DSR, line: UsageLine, name: str) -> Any:
    value = getattr(line, name)
    if name == "use_type":
        return value or dsr.use_type  # A line is silent where its DSR has a use type for all lines.
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if name == "revenue":
        return money(value, dsr.currency_id)
    return plain(value) if isinstance(value, (Decimal, int)) else value
