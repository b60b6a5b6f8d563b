"""What the pages of questions share: the form that selects DSRs, names of groups, and how a page is shown or sent."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalogue.dsrs.selectors import DSRSearch
from catalogue.dsrs.statistics.groups import Grouping
from catalogue.exceptions import RankingNotReady
from catalogue.lines.scope import Scope
from catalogue.models import DSR
from dsrhub.database.time_limits import OutOfTime, answered_within
from dsrhub.exceptions import InvalidArgument
from dsrhub.import_export.button import file_asked_for, form_filters
from dsrhub.import_export.tables import Table
from dsrhub.values.forms import WholeNumberField

GROUPINGS = {
    Grouping.TERRITORY: gettext_lazy("Territory"),
    Grouping.MONTH: gettext_lazy("Month"),
    Grouping.QUARTER: gettext_lazy("Quarter"),
    Grouping.YEAR: gettext_lazy("Year"),
    Grouping.PERIOD: gettext_lazy("Period"),
    Grouping.DSP: gettext_lazy("DSP"),
    Grouping.OFFER: gettext_lazy("Offer"),
    Grouping.SOCIETY: gettext_lazy("Society"),
    Grouping.CURRENCY: gettext_lazy("Currency"),
    Grouping.COMMERCIAL_MODEL: gettext_lazy("Commercial model"),
    Grouping.USE_TYPE: gettext_lazy("Use type"),
}
# Nobody waits longer for a ranking that is not cached.
RANKING_SECONDS = 10
Answer = TypeVar("Answer")
# The files of the pages, and the names of their sheets.
TITLES = {
    "artists": gettext_lazy("Artists"),
    "breakdown": gettext_lazy("Breakdown"),
    "comparison": gettext_lazy("Comparison"),
    "coverage": gettext_lazy("Coverage"),
    "identification": gettext_lazy("Identification"),
    "recording-comparison": gettext_lazy("Comparison of recordings"),
}


class SearchForm(forms.Form):
    """Selects DSRs by what they have."""

    # The fields of choices, with their columns.
    FILTERS = {
        "dsp": (gettext_lazy("DSP"), "dsp"),
        "offer": (gettext_lazy("Offer"), "offer"),
        "society": (gettext_lazy("Society"), "society"),
        "territory": (gettext_lazy("Territory"), "territory_id"),
        "currency": (gettext_lazy("Currency"), "currency_id"),
        "commercial_model": (gettext_lazy("Commercial model"), "commercial_model"),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, (label, column) in self.FILTERS.items():
            values = DSR.objects.exclude(**{column: None}).order_by(column).values_list(column, flat=True).distinct()
            choices = [("", _("All")), *((value, value) for value in values)]
            # A filter without a choice to make is left out.
            if len(choices) > 2 or self.data.get(name):  # noqa: PLR2004
                self.fields[name] = forms.ChoiceField(label=label, choices=choices, required=False)

    def search(self) -> DSRSearch:
        chosen = {name: self.cleaned_data[name] for name in self._search_fields() if self.cleaned_data.get(name)}
        return DSRSearch(**chosen)

    def _search_fields(self) -> Iterable[str]:
        return self.FILTERS


class PeriodForm(forms.Form):
    """Selects the DSRs whose whole period lies between two days, both included."""

    period_start = forms.DateField(
        label=gettext_lazy("From"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    period_end = forms.DateField(
        label=gettext_lazy("To (inclusive)"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def clean(self) -> dict[str, Any]:
        chosen = self.cleaned_data
        start, end = chosen.get("period_start"), chosen.get("period_end")
        if start and end and start > end:
            self.add_error("period_end", _("The range ends before it starts."))
        return chosen


class LineSearchForm(PeriodForm, SearchForm):
    """Selects DSRs also by the use type of their lines, and by their days."""

    use_type = forms.CharField(label=gettext_lazy("Use type"), max_length=100, required=False)

    def _search_fields(self) -> Iterable[str]:
        return [*self.FILTERS, "use_type", "period_start", "period_end"]


class RankedForm(LineSearchForm):
    """The same for a list by rank. A page of it starts after a rank."""

    after = WholeNumberField(min_value=0, max_value=2**62, required=False, widget=forms.HiddenInput)


def query_without_page(request: HttpRequest) -> str:
    """The query string of a page without the rank after which it starts."""
    query = request.GET.copy()
    query.pop("after", None)
    return query.urlencode()


class QuestionPage(admin.ModelAdmin):
    """A page that asks a question."""

    def _may_export(self, request: HttpRequest) -> bool:
        return bool(self.has_export_permission(request))  # type: ignore[attr-defined]

    def _require_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _sent(
        self, request: HttpRequest, form: SearchForm, name: str, table: Callable[[], Table]
    ) -> HttpResponseBase | None:
        """The answer of the form as a file, where the request asks for one. It needs the permission to export."""
        return file_asked_for(
            request,
            name,
            TITLES[name],
            table,
            filters=lambda: form_filters(form),
            may_export=self._may_export(request),
        )

    def _answered(self, form: SearchForm, ask: Callable[[Scope], Answer]) -> tuple[Answer | None, int]:
        """The answer from a ranking, and the status of the page. Without an answer, the form says why."""
        if not form.is_valid():
            return None, 400
        try:
            with answered_within(RANKING_SECONDS):
                return ask(form.search().scope()), 200
        except InvalidArgument as error:
            form.add_error(error.extra["argument"], error.message)
            return None, 400
        except (OutOfTime, RankingNotReady):
            form.add_error(None, _("Ranking in progress. Try again in a minute."))
            return None, 503

    def _question(
        self, request: HttpRequest, name: str, context: dict[str, Any], *, status: int = 200
    ) -> TemplateResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, f"admin/catalogue/questions/{name}.html", context, status=status)
