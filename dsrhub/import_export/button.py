"""The Export button of the admin's lists."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from django import forms
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import FieldDoesNotExist, PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.utils.http import content_disposition_header, urlencode
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _
from import_export.admin import ExportMixin
from import_export.forms import ExportForm

from dsrhub.exceptions import DsrhubError
from dsrhub.import_export.formats import CSV, EXPORT_FORMATS, XLSX, ExportFormat, too_many_rows
from dsrhub.import_export.tables import Filter, StreamedResource, Table, dated_name

# What the parameters of a list mean that end in these, beside the name of their field.
LOOKUPS = {
    "gte": _("%(name)s from"),
    "gt": _("%(name)s above"),
    "lt": _("%(name)s before"),
    "year": _("year of %(name)s"),
    "month": _("month of %(name)s"),
    "day": _("day of %(name)s"),
    "isnull": _("no %(name)s"),
}
# Parameters of a list that choose no rows: the order, the page, and how it is shown.
NO_FILTERS = ("o", "p", "all", "e", "_facets", "_popup", "_to_field")
# The formats of the files that the answer of a page comes as, by the value of the parameter `format`.
PAGE_FILES: Mapping[str, type[ExportFormat]] = {"csv": CSV, "xlsx": XLSX}


def streamed(table: Table, file_format: ExportFormat, name: str, *, bom: bool) -> StreamingHttpResponse:
    """A response that downloads a table as a file of this name."""
    content = file_format.export_data(table, bom=bom)
    response = StreamingHttpResponse(content, content_type=file_format.get_content_type())
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    return response


def list_filters(request: HttpRequest, model: type[Model]) -> Iterator[Filter]:
    """The filters and the search in the address of a list, by the names of their fields."""
    for parameter, value in request.GET.items():
        if value and parameter not in NO_FILTERS:
            yield Filter(_filter_name(parameter, model), str(value))


def _filter_name(parameter: str, model: type[Model]) -> str:
    first, *lookups = parameter.split("__")
    if first == "q":
        return gettext("search")
    try:
        name = str(getattr(model._meta.get_field(first), "verbose_name", first))
    except FieldDoesNotExist:
        name = first.replace("_", " ")
    meaning = LOOKUPS.get(lookups[-1]) if lookups else None
    return name if meaning is None else str(meaning) % {"name": name}


def form_filters(form: forms.Form) -> list[Filter]:
    """The values that a person chose in a valid form, by the labels of their fields."""
    return [
        Filter(str(field.label), str(form.data[field.html_name]))
        for field in form.visible_fields()
        if form.data.get(field.html_name)
    ]


def file_asked_for(
    request: HttpRequest,
    name: str,
    title: Any,
    table: Callable[[], Table],
    *,
    filters: Callable[[], list[Filter]],
    may_export: bool,
) -> StreamingHttpResponse | None:
    """The answer of a page as a file, where the request asks for one. Raises PermissionDenied."""
    if (kind := PAGE_FILES.get(request.GET.get("format", ""))) is None:
        return None
    if not may_export:
        raise PermissionDenied
    file_format = kind()
    # A file is the same in all languages, with the names of its sheets and of its filters.
    with override("en"):
        named = replace(table(), title=str(title), filters=filters())
    return streamed(named, file_format, dated_name(name, file_format.get_extension(), named.filters), bom=True)


class StreamedExportForm(ExportForm):  # type: ignore[misc]
    bom = forms.BooleanField(
        label=_("Byte order mark"),
        initial=True,
        required=False,
        help_text=_("For CSV: without it, Excel misreads letters such as é. Other programs may not expect it."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["resource"].label = _("Content")
        self.fields["format"].initial = "0"


class StreamingExportMixin(ExportMixin):  # type: ignore[misc]
    """import-export's Export button. Rows are sent while they are read.

    `resource_classes` must be StreamedResources.
    """

    export_form_class = StreamedExportForm
    export_template_name = "admin/dsrhub/export.html"

    def get_export_formats(self) -> list[type[ExportFormat]]:
        return EXPORT_FORMATS

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        if self.has_export_permission(request):
            title = _("Export selected %(verbose_name_plural)s")
            actions["export_selected"] = (type(self).export_selected, "export_selected", title)
        return actions

    def export_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponseRedirect:
        """Redirect to the page of the Export button, with the selection as its filter."""
        if request.POST.get("select_across") == "1":
            return HttpResponseRedirect("export/?" + request.GET.urlencode())
        ids = ",".join(str(pk) for pk in queryset.order_by().values_list("pk", flat=True))
        return HttpResponseRedirect("export/?" + urlencode({"id__in": ids}))

    def export_filters(self, request: HttpRequest) -> list[Filter]:
        """What limits the exported rows, for the file's name and for people who open it."""
        return list(list_filters(request, self.model))

    def export_action(self, request: HttpRequest) -> HttpResponseBase:
        try:
            response: HttpResponseBase = super().export_action(request)
        except IncorrectLookupParameters:
            # The list itself answers an invalid filter in the same way.
            return HttpResponseRedirect("../?e=1")
        return response

    def _do_file_export(
        self, file_format: ExportFormat, request: HttpRequest, queryset: QuerySet, export_form: ExportForm
    ) -> StreamingHttpResponse:
        resource: StreamedResource = self.choose_export_resource_class(export_form, request)()
        most = file_format.most_rows
        if most is not None and resource.row_count(queryset, most) > most:
            raise too_many_rows(most)
        try:
            with override("en"):
                filters = [*self.export_filters(request), *resource.options(export_form)]
                table = resource.export(queryset=queryset, export_form=export_form, filters=filters)
                name = resource.download_name(queryset, file_format.get_extension(), table.filters)
        except DsrhubError as error:
            raise ValueError(error.message) from error  # import-export shows it to the user
        return streamed(table, file_format, name, bom=export_form.cleaned_data["bom"])
