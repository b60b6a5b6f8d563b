"""The pages of resources, called recordings here: the list with its search, the top, and the details of each."""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from http import HTTPStatus
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from import_export.forms import ExportForm

from catalogue.admin.cells import recording_link
from catalogue.admin.exports import TopRecordings, percentile_filter, top_recordings
from catalogue.admin.questions.page import PeriodForm
from catalogue.admin.resources.page import facts_of_messages, known_resource, reported_on_page, same_isrc_elsewhere
from catalogue.dsrs.selectors import DSRSearch
from catalogue.exceptions import RankingNotReady
from catalogue.lines.scope import Scope
from catalogue.models import DSR, Resource, Territory
from catalogue.ranking.selectors import LARGEST_PERCENTILE
from catalogue.resources import selectors
from catalogue.resources.found import FoundResource, ResourceKey, ResourceSearch, TopResource
from catalogue.resources.selectors import TextKind
from dsrhub.access.permissions import may_view
from dsrhub.database.pages import CutShort
from dsrhub.database.time_limits import OutOfTime, answered_within
from dsrhub.import_export.button import PAGE_FILES, StreamingExportMixin, file_asked_for, form_filters
from dsrhub.import_export.tables import PAGE_ROWS, Filter, StreamedResource, Table
from dsrhub.pages.model_admins import ReadOnlyAdmin
from dsrhub.values.cells import grouped, plain, rounded
from dsrhub.values.forms import WholeNumberField
from dsrhub.values.numbers import plain_whole_number

RESOURCES_ON_A_PAGE = 100
# Nobody waits longer for a search, or for a ranking that is not cached.
SEARCH_SECONDS, TOP_SECONDS = 10, 10

SCOPE_FIELDS = ("territory", "dsp", "period_start", "period_end")
# A page of something else shows the first recordings, and waits this long for a ranking that is not cached.
QUICK_TOP, QUICK_SECONDS = 10, 0.5
# Up to this many lines, all recordings are ranked at once. With more lines, a tenth of the revenue is ranked fast.
ALL_RANKED_LINES, QUICK_PERCENTILE = 100_000, 10

# --- Forms -----------------------------------------------------------------------------------------------------


class ScopeForm(forms.Form):
    """Selects the scope of a page: the DSRs of a territory and a DSP."""

    territory = forms.ChoiceField(label=_("Territory"), required=False)
    dsp = forms.ChoiceField(label="DSP", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        ingested = DSR.objects.ingested()
        territories = Territory.objects.filter(pk__in=ingested.order_by().values("territory"))
        dsps = ingested.order_by("dsp").values_list("dsp", "dsp").distinct()
        self.fields["territory"].choices = [("", _("All territories")), *((one.pk, str(one)) for one in territories)]  # type: ignore[attr-defined]
        self.fields["dsp"].choices = [("", _("All DSPs")), *dsps]  # type: ignore[attr-defined]

    def scope(self) -> Scope:
        chosen = self.cleaned_data
        return Scope(territory=chosen["territory"] or None, dsp=chosen["dsp"] or None)


class SearchForm(ScopeForm):
    """Searches for one text in several ways."""

    q = forms.CharField(label=_("Title, artists, ISRC or DSP ID"), max_length=1000, required=False)
    by = forms.ChoiceField(choices=[("", ""), *((kind.value, kind.value) for kind in TextKind)], required=False)
    after = forms.CharField(required=False)

    def clean_after(self) -> tuple[str, int] | None:
        """Return the position in the list after which the page starts."""
        if not self.cleaned_data["after"]:
            return None
        try:
            place = json.loads(self.cleaned_data["after"])
        except (ValueError, RecursionError):
            place = None
        match place:
            case [str(title), int(number)] if "\0" not in title and -(2**63) <= number < 2**63:
                return title.encode(errors="replace").decode(), number
        raise forms.ValidationError(_("This is not a position in the list."))

    def question(self) -> dict[str, Any]:
        """Return the arguments of `resource_page`."""
        chosen = self.cleaned_data
        kind = TextKind(chosen["by"]) if chosen["by"] else None
        return {"text": chosen["q"], "kind": kind, "scope": self.scope(), "after": chosen["after"]}


class TopForm(PeriodForm, ScopeForm):
    """Selects the scope of a ranking, also by currency and by days, and the share of the revenue."""

    currency = forms.ChoiceField(label=_("Currency"), required=False)
    percentile = WholeNumberField(
        label=_("Top N %"),
        min_value=1,
        max_value=100,
        required=False,
        widget=forms.NumberInput(attrs={"placeholder": 10}),
    )
    after = WholeNumberField(min_value=0, max_value=2**62, required=False, widget=forms.HiddenInput)

    field_order = ("territory", "dsp", "currency")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        currencies = DSR.objects.ingested().order_by("currency").values_list("currency", flat=True).distinct()
        self.fields["currency"].choices = [("", _("All currencies")), *((code, code) for code in currencies)]  # type: ignore[attr-defined]

    def clean_percentile(self) -> int:
        return self.cleaned_data["percentile"] or 10

    def scope(self) -> Scope:
        """Return the scope of the values: a list of its DSRs is needed for a currency only."""
        chosen = {name: self.cleaned_data[name] or None for name in SCOPE_FIELDS}
        currency = self.cleaned_data["currency"]
        return DSRSearch(**chosen, currency=currency).scope() if currency else Scope(**chosen)

    def filters(self) -> list[Filter]:
        """Return what limits an export. The share has a word in the file's name."""
        percentile = percentile_filter(self.cleaned_data["percentile"])
        return [*(one for one in form_filters(self) if one.name != percentile.name), percentile]


# --- Export ----------------------------------------------------------------------------------------------------


class Recordings(StreamedResource):
    """One row for each resource in the list, with its search and its order."""

    columns = ("dsp", "dsp_id", "title", "artists", "isrc")
    title, file_name = _("Recordings"), "resources"

    def rows(self, queryset: Any, export_form: ExportForm) -> Iterator[tuple[Any, ...]]:
        search, after = queryset, None
        while page := selectors.resource_list(search=search, after=after, limit=PAGE_ROWS):
            for found in page:
                yield tuple(getattr(found, column) for column in self.columns)
            after = page[-1].place

    def row_count(self, queryset: Any, most: int) -> int:
        return selectors.resource_count(search=queryset)


# --- Pages -----------------------------------------------------------------------------------------------------


@admin.register(Resource)
class ResourceAdmin(StreamingExportMixin, ReadOnlyAdmin):
    """Addresses resources by their natural key, the only one that rankings and DSRs know."""

    resource_classes: ClassVar = [Recordings]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("page/", view(self.page_view), name="catalogue_resource_page"),
            path("top/", view(self.top_view), name="catalogue_resource_top"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show a page of the list without counting all rows, as Django's own list would."""
        self._require_permission(request)
        form = SearchForm(request.GET)
        page, status = None, 400
        if form.is_valid():
            try:
                with answered_within(SEARCH_SECONDS):
                    page = selectors.resource_page(**form.question(), limit=RESOURCES_ON_A_PAGE)
                status = 200
            except OutOfTime:
                form.add_error(None, _("This search takes too long. Narrow it."))
                status = 503
        context = {
            "title": _("Recordings"),
            "form": form,
            "page": page,
            "rows": [(resource, recording_link(resource)) for resource in page.resources] if page else [],
            "next": page
            and page.has_more
            and _query_string(form, by=page.kind, after=json.dumps(page.resources[-1].place)),
            "export": page and self.has_export_permission(request) and _query_string(form, by=page.kind),
            "may_see_amounts": may_see_amounts(request),
        }
        return self._page(request, "list", context, status)

    def get_export_queryset(self, request: HttpRequest) -> ResourceSearch:
        """Return the search of the list, with its filters."""
        form = SearchForm(request.GET)
        if not form.is_valid():
            raise IncorrectLookupParameters
        return selectors.resource_page(**form.question(), limit=1).search

    def export_filters(self, request: HttpRequest) -> list[Filter]:
        return form_filters(SearchForm(request.GET))

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        self._require_permission(request)
        resource = self.get_object(request, object_id)
        if resource is None:
            raise Http404("There is no such recording.")
        return HttpResponseRedirect(recording_address(resource))

    def page_view(self, request: HttpRequest) -> HttpResponse:
        """Show a resource. Its amounts and DSRs are shown to users who may view DSRs."""
        self._require_permission(request)
        key = ResourceKey(request.GET.get("dsp", ""), request.GET.get("dsp_id", ""))
        known = known_resource(key)
        reported = (
            reported_on_page(key, after=_page_start(request.GET.get("after"))) if may_see_amounts(request) else None
        )
        if known is None and (reported is None or not reported.rows):
            raise Http404("There is no such recording.")
        context = {
            "title": (known and known.title) or key.dsp_id,
            "key": key,
            "known": known,
            "facts": facts_of_messages(key),
            "reported": reported,
            "same": same_isrc_elsewhere(known) if known and reported else None,
            "next": reported and reported.last and _address("page", **key._asdict(), after=reported.last),
        }
        return self._page(request, "page", context)

    def top_view(self, request: HttpRequest) -> HttpResponseBase:
        """Show the resources with the most revenue, page by page, or send all as a file.

        Builds their ranking if none is cached.
        """
        self._require_permission(request)
        if not may_see_amounts(request):
            raise PermissionDenied
        form = TopForm(request.GET)
        top, status = _top_page(form)
        if status == HTTPStatus.OK and (file := self._top_file(request, form)) is not None:
            return file
        shown = top[:RESOURCES_ON_A_PAGE]
        context = {
            "title": _("Top recordings"),
            "form": form,
            "top": top_rows(shown),
            "next": (len(top) > len(shown) or isinstance(top, CutShort)) and _query_string(form, after=shown[-1].rank),
            "files": self._file_links(form) if top and self.has_export_permission(request) else [],
        }
        return self._page(request, "top", context, status)

    def _file_links(self, form: TopForm) -> list[tuple[str, str]]:
        return [(name.upper(), _query_string(form, format=name)) for name in PAGE_FILES]

    def _top_file(self, request: HttpRequest, form: TopForm) -> HttpResponseBase | None:
        """Return all recordings of the page as a file, where the request asks for one."""
        rows = top_recordings(form.cleaned_data["percentile"], form.scope())
        return file_asked_for(
            request,
            TopRecordings.file_name,
            _("Top recordings"),
            lambda: Table(TopRecordings.columns, rows, TopRecordings.amounts),
            filters=form.filters,
            may_export=self.has_export_permission(request),
        )

    def _require_permission(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _page(self, request: HttpRequest, name: str, context: dict[str, Any], status: int = 200) -> TemplateResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, f"admin/catalogue/resource/{name}.html", context, status=status)


def _top_page(form: TopForm) -> tuple[list[TopResource], int]:
    """Return a page of the top, with one recording of the next page, and its status.

    Without a page, the form says why.
    """
    if not form.is_valid():
        return [], HTTPStatus.BAD_REQUEST
    percentile, after = form.cleaned_data["percentile"], form.cleaned_data["after"] or 0
    try:
        with answered_within(TOP_SECONDS):
            scope = form.scope()
            return selectors.resource_top(
                percentile=percentile, scope=scope, after=after, limit=RESOURCES_ON_A_PAGE + 1
            ), HTTPStatus.OK
    except (OutOfTime, RankingNotReady):
        form.add_error(None, _("Ranking in progress. Try again in a minute."))
        return [], HTTPStatus.SERVICE_UNAVAILABLE


def quick_top(*, scope: Scope, line_count: int) -> list[dict[str, Any]] | None:
    """Return the rows of the first recordings; None while their ranking is in progress, which a worker then builds."""
    percentile = LARGEST_PERCENTILE if line_count <= ALL_RANKED_LINES else QUICK_PERCENTILE
    with suppress(OutOfTime, RankingNotReady), answered_within(QUICK_SECONDS):
        return top_rows(selectors.resource_top(percentile=percentile, scope=scope, after=0, limit=QUICK_TOP))
    return None


def may_see_recordings(request: HttpRequest) -> bool:
    return may_view(request, Resource)


def may_see_amounts(request: HttpRequest) -> bool:
    return may_view(request, DSR)


def recording_address(resource: Resource | FoundResource) -> str:
    return _address("page", dsp=resource.dsp, dsp_id=resource.dsp_id)


def top_rows(top: Iterable[TopResource]) -> list[dict[str, Any]]:
    return [
        {
            "rank": ranked.rank,
            "link": recording_link(ranked.resource),
            "artists": ranked.resource.artists,
            "dsp": ranked.resource.dsp,
            "isrc": ranked.resource.isrc,
            "usages": ranked.resource.sums and plain(ranked.resource.sums.usages),
            "revenue": rounded(ranked.revenue_eur),
            "share": grouped(f"{ranked.cumulative_share:.2f}"),
        }
        for ranked in top
    ]


def _address(view: str, **query: Any) -> str:
    return reverse(f"admin:catalogue_resource_{view}", query=query)


def _query_string(form: forms.Form, **changed: Any) -> str:
    """Return the query string of the form with some values changed."""
    asked = {name: form.data.get(name, "") for name in form.fields if name != "after"} | changed
    given = {name: value for name, value in asked.items() if value not in ("", None)}
    return _address("changelist", **given).partition("?")[2]


def _page_start(text: str | None) -> int | None:
    if text is None:
        return None
    number = plain_whole_number(text[:20])
    if number is None:
        raise Http404("There is no such page.")
    return number
