"""Recordings that are hard to identify, listed by the revenue behind them: a table, and a file of all."""

from collections.abc import Iterator, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalogue.admin.cells import recording_link
from catalogue.admin.questions.page import QuestionPage, RankedForm, query_without_page
from catalogue.lines.scope import Scope
from catalogue.resources.identification import IsrcProblem, Unidentified, identification
from dsrhub.database.pages import CutAt, next_place
from dsrhub.import_export.tables import PAGE_ROWS, Table
from dsrhub.texts.wording import listed
from dsrhub.values.cells import plain, rounded
from dsrhub.values.forms import WholeNumberField

RECORDINGS_ON_A_PAGE = 100
DEFAULT_PERCENTILE = 10
PROBLEMS = {
    IsrcProblem.NO_ISRC: gettext_lazy("Without an ISRC"),
    IsrcProblem.MALFORMED_ISRC: gettext_lazy("With a malformed ISRC"),
    IsrcProblem.SEVERAL_ISRCS: gettext_lazy("With several ISRCs"),
}
COLUMNS = ("rank", "dsp", "dsp_id", "title", "artists", "isrc", "isrcs", "problem", "usages", "revenue_eur")


class IdentificationForm(RankedForm):
    problem = forms.ChoiceField(label=gettext_lazy("Recordings"), choices=PROBLEMS.items, required=False)
    percentile = WholeNumberField(
        label=gettext_lazy("Of the top N %"),
        min_value=1,
        max_value=100,
        required=False,
        widget=forms.NumberInput(attrs={"placeholder": DEFAULT_PERCENTILE}),
    )

    field_order = ("problem", "percentile")

    def clean_problem(self) -> IsrcProblem:
        return IsrcProblem(self.cleaned_data["problem"] or IsrcProblem.NO_ISRC)

    def clean_percentile(self) -> int:
        return self.cleaned_data["percentile"] or DEFAULT_PERCENTILE


def recording_rows(found: Sequence[Unidentified]) -> list[dict[str, Any]]:
    return [
        {
            "rank": one.rank,
            "recording": recording_link(one.resource),
            "dsp": one.resource.dsp,
            "artists": one.resource.artists,
            "isrcs": listed(one.isrcs.split("|")).translated() if one.isrcs else one.resource.isrc,
            "usages": one.resource.sums and plain(one.resource.sums.usages),
            "revenue": one.resource.sums and rounded(one.resource.sums.revenue_eur),
        }
        for one in found
    ]


def exported(problem: IsrcProblem, percentile: int, scope: Scope) -> Table:
    """All recordings with the problem, read page by page while they are sent."""

    def rows() -> Iterator[tuple[Any, ...]]:
        after: int | None = 0
        while after is not None:
            found = identification(
                problem=problem, percentile=percentile, scope=scope, after=after, limit=PAGE_ROWS + 1
            )
            yield from map(_exported_row, found[:PAGE_ROWS])
            after = next_place(found, PAGE_ROWS, attrgetter("rank"))

    return Table(COLUMNS, rows(), amounts=("revenue_eur",))


def _exported_row(found: Unidentified) -> tuple[Any, ...]:
    resource, sums = found.resource, found.resource.sums
    described = (resource.dsp, resource.dsp_id, resource.title, resource.artists, resource.isrc)
    amounts = (sums.usages, sums.revenue_eur) if sums else (None, None)
    return (found.rank, *described, found.isrcs, found.problem.value, *amounts)


class IdentificationPage(QuestionPage):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.identification_view)
        return [path("identification/", view, name="catalogue_dsr_identification"), *super().get_urls()]

    def identification_view(self, request: HttpRequest) -> HttpResponseBase:
        """Show a page of the recordings with a problem, or send all as a file."""
        self._require_view(request)
        form = IdentificationForm(request.GET)

        def ask(scope: Scope) -> tuple[Scope, list[Unidentified]]:
            chosen = form.cleaned_data
            return scope, identification(
                problem=chosen["problem"],
                percentile=chosen["percentile"],
                scope=scope,
                after=chosen["after"] or 0,
                limit=RECORDINGS_ON_A_PAGE + 1,
            )

        answer, status = self._answered(form, ask)
        context: dict[str, Any] = {"title": _("Identification"), "form": form, "may_export": self._may_export(request)}
        if answer is None:
            return self._question(request, "identification", context, status=status)
        scope, found = answer
        table = partial(exported, form.cleaned_data["problem"], form.cleaned_data["percentile"], scope)
        if (file := self._sent(request, form, "identification", table)) is not None:
            return file
        context |= {
            "rows": recording_rows(found[:RECORDINGS_ON_A_PAGE]),
            "percentile": form.cleaned_data["percentile"],
            "searched": found.place if isinstance(found, CutAt) else None,
            "next": next_place(found, RECORDINGS_ON_A_PAGE, attrgetter("rank")),
            "query": query_without_page(request),
        }
        return self._question(request, "identification", context)
