"""The artists by revenue: a table, a chart, the share of the first ones, and a file of all."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from django import forms
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalogue.admin.questions.page import QuestionPage, RankedForm, query_without_page
from catalogue.lines.scope import Scope
from catalogue.ranking.artists.selectors import ArtistRanking, RankedArtist, artist_ranking
from catalogue.ranking.artists.sums import Credit
from dsrhub.import_export.tables import PAGE_ROWS, Table
from dsrhub.pages.charts import Chart, Series
from dsrhub.values.cells import counted, plain, rounded

ARTISTS_ON_A_PAGE, MOST_BARS = 100, 20
CREDITS = {
    Credit.FULL: gettext_lazy("Full: each artist has the whole line"),
    Credit.SPLIT: gettext_lazy("Split: each artist has an equal part of the line"),
}
AMOUNTS = ("usages", "revenue_eur", "revenue_percent", "cumulative_percent")


class ArtistsForm(RankedForm):
    credit = forms.ChoiceField(label=gettext_lazy("Credit"), choices=CREDITS.items, required=False)

    field_order = ("credit",)

    def clean_credit(self) -> Credit:
        return Credit(self.cleaned_data["credit"] or Credit.FULL)


class Answered(NamedTuple):
    scope: Scope
    ranking: ArtistRanking
    rows: list[RankedArtist]


def artist_rows(rows: Sequence[RankedArtist]) -> list[dict[str, Any]]:
    return [
        {
            "rank": row.rank,
            "artist": row.artist,
            "address": _recordings(row),
            "cells": [
                plain(row.recording_count),
                counted(row.usages),
                rounded(row.revenue_eur),
                rounded(row.revenue_percent),
                rounded(row.cumulative_percent),
            ],
        }
        for row in rows
    ]


def chart(rows: Sequence[RankedArtist]) -> Chart:
    """The revenue of the first artists."""
    shown = rows[:MOST_BARS]
    return Chart(
        chart_id="revenue-by-artist",
        title=_("Revenue in EUR"),
        labels=[row.artist for row in shown],
        series=[Series(name=_("Revenue in EUR"), values=[row.revenue_eur for row in shown])],
        addresses=[_recordings(row) for row in shown],
        is_across=True,
        unit="EUR",
    )


def _recordings(row: RankedArtist) -> str:
    """The list of recordings that a search for the artist finds."""
    return reverse("admin:catalogue_resource_changelist", query={"q": row.artist})


def exported(credit: Credit, scope: Scope) -> Table:
    """All artists, read page by page while they are sent."""

    def rows() -> Iterator[tuple[Any, ...]]:
        rank = 0
        with artist_ranking(credit=credit, scope=scope) as ranking:
            while rank < ranking.row_count:
                page = ranking.rows(after_rank=rank, limit=PAGE_ROWS)
                if not page:
                    # A crash of the database empties rankings. A file that breaks off is not taken for a complete one.
                    raise LookupError(f"The rows of the ranking of artists {ranking.number} are gone.")
                yield from page
                rank = page[-1].rank

    return Table(RankedArtist._fields, rows(), amounts=AMOUNTS)


class ArtistsPage(QuestionPage):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.artists_view)
        return [path("artists/", view, name="catalogue_dsr_artists"), *super().get_urls()]

    def artists_view(self, request: HttpRequest) -> HttpResponseBase:
        """Show a page of the artists, and how much of the revenue the first ones have; or send all as a file."""
        self._require_view(request)
        form = ArtistsForm(request.GET)

        def ask(scope: Scope) -> Answered:
            after = form.cleaned_data["after"] or 0
            with artist_ranking(credit=form.cleaned_data["credit"], scope=scope) as ranking:
                return Answered(scope, ranking, ranking.rows(after_rank=after, limit=ARTISTS_ON_A_PAGE))

        answer, status = self._answered(form, ask)
        context: dict[str, Any] = {"title": _("Artists"), "form": form, "may_export": self._may_export(request)}
        if answer is None:
            return self._question(request, "artists", context, status=status)
        credit = form.cleaned_data["credit"]
        if (file := self._sent(request, form, "artists", lambda: exported(credit, answer.scope))) is not None:
            return file
        return self._question(request, "artists", context | _shown(answer, request))


def _shown(answer: Answered, request: HttpRequest) -> dict[str, Any]:
    _scope, ranking, rows = answer
    totals = ranking.totals
    last = rows[-1].rank if rows else 0
    return {
        "rows": artist_rows(rows),
        "artist_count": plain(totals.artist_count),
        "revenue": rounded(totals.revenue),
        "without": [plain(totals.without_lines), plain(totals.without_usages), rounded(totals.without_revenue)],
        "top_percent": rounded(ranking.top_percent),
        "hhi": rounded(ranking.hhi, 0),
        "charts": [chart(rows)],
        "query": query_without_page(request),
        "next": last if rows and last < ranking.row_count else None,
    }
