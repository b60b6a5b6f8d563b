"""The exports of the list of DSRs. Each reads its rows page by page while it sends them."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from django.db.models import Case, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from import_export.forms import ExportForm

from catalogue.dsrs import selectors
from catalogue.lines.scope import Scope
from catalogue.models import DSR, ReportProblem, RevenueKind, UsageLine, UseTypeTotal
from catalogue.querysets import DSRQuerySet
from catalogue.ranking.selectors import resource_ranking
from catalogue.reports.formats.tsv.reader import COLUMNS
from catalogue.reports.problems import Excerpt
from dsrhub.import_export.button import StreamedExportForm
from dsrhub.import_export.formats import EXPORT_FORMATS, TSV, DoesNotFit
from dsrhub.import_export.tables import PAGE_ROWS, Filter, StreamedResource, Table, rows_by_id
from dsrhub.values.forms import WholeNumberField

# The columns of a problem, both in the export of DSRs and in that of a file that is being imported.
PROBLEM_COLUMNS = ("path", "level", "code", "line", "column", "value")
# The columns of its delivered line, as REST names them.
EXCERPT_COLUMNS = Excerpt._fields
# As `DSR.shown_revenue_kind`.
SHOWN_KIND = Case(When(status=DSR.Status.INGESTED, then=Coalesce("revenue_kind", Value(RevenueKind.REPORTED.value))))


class DSRExportForm(StreamedExportForm):
    percentile = WholeNumberField(
        label=_("Top N %"),
        min_value=1,
        max_value=100,
        initial=10,
        required=False,
        help_text=_("For the top recordings: the highest-earning ones that together make N % of the revenue in EUR."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        chosen = EXPORTS_OF_DSRS[int(cleaned.get("resource") or 0)]
        if chosen is TopRecordings and not self.errors and cleaned.get("percentile") is None:
            self.add_error("percentile", _("Choose a number from 1 to 100."))
        if chosen is LinesToImport and not self.errors and EXPORT_FORMATS[int(cleaned["format"])] is not TSV:
            self.add_error("format", _("A file for import is a TSV."))
        return cleaned


class Reports(StreamedResource):
    """One row for each DSR."""

    columns = (
        *("id", "path", "status", "dsp", "offer", "society", "territory", "currency", "period_start", "period_end"),
        *("line_count", "total_usages", "total_revenue", "lowest_revenue", *DSR.BLANK_COUNTS),
        *("error_count", "warning_count", "exchange_rate", "rate_method", "rate_source"),
        *("gzip_name", "sha256", "imported_at", "imported_by", "revenue_kind"),
        # Only DSRs of messages have these.
        *("message", "message_id", "summary_id", "commercial_model", "use_type", "subscriber_type", "subscribers"),
        *("declared_usages", "declared_revenue", "unallocated_revenue"),
        *("returns", "usages_without_royalty", "revenue_without_royalty"),
    )
    amounts = (
        *("total_revenue", "lowest_revenue", "exchange_rate"),
        *("declared_usages", "declared_revenue", "unallocated_revenue", "subscribers", "revenue_without_royalty"),
    )
    # Where the name of a column is not that of a field.
    sources: ClassVar = {
        "imported_by": "imported_by__username",
        "revenue_kind": "shown_kind",
        "message_id": "message__message_id",
    }
    title, file_name = _("DSRs"), "dsrs"

    def rows(self, queryset: QuerySet, export_form: ExportForm) -> Iterator[tuple[Any, ...]]:
        dsrs = _chosen(queryset).annotate(shown_kind=SHOWN_KIND)
        return rows_by_id(dsrs, *(self.sources.get(column, column) for column in self.columns))

    def row_count(self, queryset: QuerySet, most: int) -> int:
        return queryset.count()


class Lines(StreamedResource):
    """One row for each delivered line of the ingested DSRs, in the order of DSRs and lines."""

    # Only lines of messages have the last ones.
    cells = (
        *(*COLUMNS, "use_type", "is_royalty_bearing", "returns", "transaction_id", "is_release"),
        *("iswc", "composers", "label", "icpn", "isrcs", "artists_delivered"),
    )
    columns = ("dsr", "line", *cells, "revenue_kind")
    amounts = ("revenue",)
    title, file_name = _("Lines of the DSRs"), "lines"

    def rows(self, queryset: QuerySet, export_form: ExportForm) -> Iterator[tuple[Any, ...]]:
        for dsr in _chosen(queryset).filter(status=DSR.Status.INGESTED).order_by("id"):
            for line in _lines(dsr):
                yield (dsr.pk, line.line_number, *_cells(line, self.cells), dsr.shown_revenue_kind)

    def row_count(self, queryset: QuerySet, most: int) -> int:
        return _chosen(queryset).aggregate(lines=Sum("line_count"))["lines"] or 0


class LinesToImport(StreamedResource):
    """The lines of one DSR, as the TSV report that would have made it, under the name that it was delivered with."""

    columns = COLUMNS
    title = _("Lines of one DSR, as a file for import")

    def export(self, queryset: QuerySet, export_form: ExportForm, **options: Any) -> Table:
        return Table(self.columns, (_cells(line, self.columns) for line in _lines(self._dsr(queryset))))

    def download_name(self, queryset: QuerySet, ending: str, filters: Sequence[Filter] = ()) -> str:
        return self._dsr(queryset).path.removesuffix(".gz")

    def _dsr(self, queryset: QuerySet) -> DSR:
        dsrs = _chosen(queryset).ingested()[:2]
        if len(dsrs) != 1:
            raise DoesNotFit(_("A file for import has the lines of one ingested DSR. Select one DSR."))
        return dsrs[0]


class UseTypes(StreamedResource):
    """One row for each use type of a DSR of a message."""

    columns = ("dsr", "path", "use_type", "line_count", "total_usages", "total_revenue", "currency", "revenue_kind")
    title, file_name = _("Use types of the DSRs"), "use-types"

    def rows(self, queryset: QuerySet, export_form: ExportForm) -> Iterator[tuple[Any, ...]]:
        totals = ("use_type", "line_count", "total_usages", "total_revenue")
        return rows_by_id(
            self._totals(queryset), "dsr_id", "dsr__path", *totals, "dsr__currency_id", "dsr__revenue_kind"
        )

    def row_count(self, queryset: QuerySet, most: int) -> int:
        return self._totals(queryset).count()

    def _totals(self, queryset: QuerySet) -> QuerySet[UseTypeTotal]:
        return UseTypeTotal.objects.filter(dsr__in=_chosen(queryset).values("pk"))


class Problems(StreamedResource):
    """One row for each stored error and warning: of the DSRs, and of their messages as a whole."""

    columns = ("dsr", *PROBLEM_COLUMNS, "file", "message", *EXCERPT_COLUMNS)
    sources: ClassVar = {
        "path": "dsr__path",
        **{column: f"excerpt__{place}" for place, column in enumerate(EXCERPT_COLUMNS)},
    }
    title, file_name = _("Problems of the DSRs"), "problems"

    def rows(self, queryset: QuerySet, export_form: ExportForm) -> Iterator[tuple[Any, ...]]:
        return rows_by_id(self._problems(queryset), *(self.sources.get(column, column) for column in self.columns))

    def row_count(self, queryset: QuerySet, most: int) -> int:
        return self._problems(queryset).count()

    def _problems(self, queryset: QuerySet) -> QuerySet[ReportProblem]:
        chosen = _chosen(queryset)
        of_messages = Q(message__in=chosen.exclude(message=None).values("message"))
        return ReportProblem.objects.filter(Q(dsr__in=chosen.values("pk")) | of_messages)


class TopRecordings(StreamedResource):
    """The recordings with the most revenue in EUR in the ingested DSRs of the list, highest first."""

    columns = ("rank", "dsp", "dsp_id", "title", "artists", "isrc", "usages", "revenue_eur", "dsrs")
    amounts = ("revenue_eur",)
    title, file_name = _("Top recordings of the DSRs"), "top-recordings"

    def rows(self, queryset: QuerySet, export_form: ExportForm) -> Iterator[tuple[Any, ...]]:
        scope = Scope(dsrs=tuple(_chosen(queryset).values_list("pk", flat=True)))
        return top_recordings(export_form.cleaned_data["percentile"], scope)

    def options(self, export_form: ExportForm) -> list[Filter]:
        return [percentile_filter(export_form.cleaned_data["percentile"])]


def percentile_filter(percentile: int) -> Filter:
    return Filter(gettext("Top N %"), str(percentile), short=f"{percentile}-percent")


def top_recordings(percentile: int, scope: Scope) -> Iterator[tuple[Any, ...]]:
    """The rows of TopRecordings, read page by page."""
    with resource_ranking(percentile=percentile, scope=scope) as ranking:
        after = 0
        while page := ranking.rows(after_rank=after, limit=PAGE_ROWS):
            for found in page:
                recording = (found.rank, found.dsp, found.dsp_id, found.title, found.artists, found.isrc)
                yield (*recording, found.usages, found.revenue, "|".join(map(str, found.dsrs)))
            after = page[-1].rank


EXPORTS_OF_DSRS = [Reports, Lines, Problems, TopRecordings, LinesToImport, UseTypes]


def _chosen(queryset: QuerySet) -> DSRQuerySet:
    """Return the DSRs of a list without its order and joins, so that each DSR occurs once."""
    return DSR.objects.filter(pk__in=queryset.order_by().values("pk"))


def _lines(dsr: DSR) -> Iterator[UsageLine]:
    """The lines of a DSR, read page by page."""
    after = 0
    # If a DSR is deleted in the meantime, the download breaks off, so that it does not look complete.
    while lines := selectors.dsr_lines(dsr=dsr, after=after, limit=PAGE_ROWS):
        yield from lines
        after = lines[-1].line_number


def _cells(line: UsageLine, columns: Sequence[str]) -> tuple[Any, ...]:
    return tuple(getattr(line, column) for column in columns)
