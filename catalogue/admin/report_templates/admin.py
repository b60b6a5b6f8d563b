"""The pages of templates: the list, the editor with a sample, the versions, and documents of JSON."""

from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Max, Model, OuterRef, Q, QuerySet, Subquery
from django.db.models.fields.json import KT
from django.db.models.functions import Greatest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalogue.admin.imports.at_once import check_again
from catalogue.admin.report_templates.changes import version_changes
from catalogue.admin.report_templates.editor import Editor
from catalogue.admin.report_templates.labels import path_label
from catalogue.admin.report_templates.page_forms import CloneForm, DocumentForm, SampleForm
from catalogue.admin.report_templates.samples import Sample, sample_add
from catalogue.exceptions import InvalidTemplate
from catalogue.imports.queue.jobs import job_path
from catalogue.imports.queue.selectors import jobs_of_upload
from catalogue.models import Currency, ImportJob, ReportMessage, SupersededMessage, Template, TemplateVersion, Territory
from catalogue.report_templates import services
from dsrhub.exceptions import DsrhubError, NotFoundError
from dsrhub.pages.model_admins import DeletedByServiceAdmin
from dsrhub.values.cells import grouped
from dsrhub.values.numbers import plain_id

PAGES = "admin/catalogue/template/"
SHOWN_VERSIONS = 100
SHOWN_CHANGES = 50
# The column of the number holds no larger one.
MOST_VERSION = 2**31 - 1


@admin.register(Template)
class TemplateAdmin(DeletedByServiceAdmin):
    change_list_template = f"{PAGES}change_list.html"
    list_display = ["name", "sender", "version_number", "is_active", "last_use"]
    list_filter = ["is_active"]
    search_fields = ["name"]
    search_help_text = gettext_lazy("Name or sender")
    ordering = ["name"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Template]:
        templates: QuerySet[Template] = super().get_queryset(request)
        latest = TemplateVersion.objects.filter(template=OuterRef("pk"), number=OuterRef("version_number"))
        uses = [
            model.objects.filter(template_version__template=OuterRef("pk"))
            .order_by()
            .values("template_version__template")
            .annotate(at=Max("imported_at"))
            .values("at")
            for model in (ReportMessage, SupersededMessage)
        ]
        return templates.annotate(
            sender_name=Subquery(latest.values(name=KT("definition__sender"))),
            used_at=Greatest(*(Subquery(one) for one in uses)),
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Template], search_term: str
    ) -> tuple[QuerySet[Template], bool]:
        """Also find the templates of a sender whose name contains the text."""
        named, may_repeat = super().get_search_results(request, queryset, search_term)
        is_of_sender = Q(sender_name__contains_folded=search_term)
        return queryset.filter(Q(pk__in=named.values("pk")) | is_of_sender), may_repeat

    @admin.display(description=gettext_lazy("sender"), ordering="sender_name")
    def sender(self, template: Template) -> str:
        return str(template.sender_name)  # type: ignore[attr-defined]

    @admin.display(description=gettext_lazy("last use"), ordering="used_at")
    def last_use(self, template: Template) -> Any:
        return template.used_at  # type: ignore[attr-defined]

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("catalogue.export_template")

    def may_edit(self, request: HttpRequest) -> bool:
        """Whether the user may make templates or change them: then a sample can be checked."""
        return self.has_add_permission(request) or self.has_change_permission(request)

    def get_urls(self) -> list[URLPattern]:
        views: dict[str, tuple[str, Callable[..., HttpResponse]]] = {
            "sample/": ("sample", self.sample_view),
            "check/": ("check", self.check_view),
            "from-job/<int:number>/": ("from_job", self.job_view),
            "import/": ("import", self.import_view),
            "<int:number>/clone/": ("clone", self.clone_view),
            "<int:number>/export/": ("export", self.export_view),
        }
        own = [
            path(address, self.admin_site.admin_view(view), name=f"catalogue_template_{name}")
            for address, (name, view) in views.items()
        ]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        extra = {"may_import": self.has_add_permission(request)}
        page: HttpResponse = super().changelist_view(request, extra | (extra_context or {}))
        return page

    # --- The editor --------------------------------------------------------------------------------------------

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self._edit(request, None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        may_change = self.has_change_permission(request)
        if not self.has_view_permission(request) or (request.method == "POST" and not may_change):
            raise PermissionDenied
        return self._edit(request, self._template(object_id))

    def _edit(self, request: HttpRequest, template: Template | None) -> HttpResponse:
        editor = Editor(request, template)
        if request.method == "POST" and "_save" in request.POST and editor.is_valid():
            try:
                saved = editor.save()
            except InvalidTemplate as error:
                editor.show_faults(error)
            except DsrhubError as error:
                editor.show_error(error)
            else:
                return self._saved(request, saved, editor.sample)
        context = self._context(request, _("Add template") if template is None else str(template), template)
        context |= editor.shown() | _known_codes() | self._what_they_may(request, template)
        context |= {"recognised_by": editor.recognising() if template is None else []}
        return TemplateResponse(request, f"{PAGES}editor.html", context)

    def _what_they_may(self, request: HttpRequest, template: Template | None) -> dict[str, bool]:
        may_add = self.has_add_permission(request)
        return {
            "may_save": may_add if template is None else self.has_change_permission(request),
            "may_clone": may_add,
            "may_export": self.has_export_permission(request),
            "may_delete": self.has_delete_permission(request),
        }

    def _saved(self, request: HttpRequest, saved: TemplateVersion, sample: Sample | None) -> HttpResponse:
        values = {"name": saved.template.name, "number": saved.number}
        messages.success(request, _("Template %(name)s is saved as version %(number)s.") % values)
        if sample is not None and sample.upload and request.user.has_perm("catalogue.import_dsr"):
            return _checked_again(request, sample, saved.template)
        if self.has_view_permission(request):
            return HttpResponseRedirect(reverse("admin:catalogue_template_changelist"))
        return HttpResponseRedirect(reverse("admin:index"))

    def sample_view(self, request: HttpRequest) -> HttpResponse:
        """Keep an uploaded sample, and open the editor with it."""
        if not self.may_edit(request):
            raise PermissionDenied
        form = SampleForm(
            request.POST or None, request.FILES or None, initial={"template": request.GET.get("template")}
        )
        if request.method == "POST" and form.is_valid():
            file = form.cleaned_data["sample"]
            sample = sample_add(request, file.temporary_file_path(), file.name)
            if (fault := sample.fault()) is None:
                return _editor_redirect(form.cleaned_data["template"], sample)
            form.add_error("sample", fault)
        context = self._context(request, _("Make a template from a sample"), None) | {"form": form}
        return TemplateResponse(request, f"{PAGES}sample.html", context)

    def job_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Open the editor with the file of an import job as its sample; of the template in the address, if any."""
        if not (self.may_edit(request) and request.user.has_perm("catalogue.import_dsr")):
            raise PermissionDenied
        job = ImportJob.objects.filter(pk=number).exclude(stored_name="").first()
        if request.method != "POST" or job is None or not job_path(job).is_file():
            raise Http404("There is no file of this job.")
        sample = sample_add(request, job_path(job), job.name, upload=job.upload)
        if (fault := sample.fault()) is not None:
            messages.error(request, fault)
            return HttpResponseRedirect(reverse("admin:catalogue_dsr_upload", args=[job.upload]))
        return _editor_redirect(plain_id(request.GET.get("template", "")), sample)

    def check_view(self, request: HttpRequest) -> HttpResponse:
        """Check a sample by the form as it is, and return the part of the page that shows it. Nothing is saved."""
        if not self.may_edit(request):
            raise PermissionDenied
        if request.method != "POST":
            raise Http404("A check is sent with the form.")
        return TemplateResponse(request, f"{PAGES}check.html", Editor(request, None).shown())

    # --- Versions, clones and documents ------------------------------------------------------------------------

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Show the versions of a template, and what each one changed."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        template = self._template(object_id)
        versions = template.versions.select_related("saved_by").order_by("-number")
        counted = list(versions.annotate(message_count=Count("reportmessages"))[: SHOWN_VERSIONS + 1])
        pairs = zip(counted, [*counted[1:], None], strict=True)
        rows = [_version_row(version, before) for version, before in pairs][:SHOWN_VERSIONS]
        context = self._context(request, _("Versions of %(name)s") % {"name": template.name}, template)
        context |= {"versions": rows, "has_more": len(counted) > SHOWN_VERSIONS}
        context |= {"may_export": self.has_export_permission(request)}
        return TemplateResponse(request, f"{PAGES}versions.html", context)

    def clone_view(self, request: HttpRequest, number: int) -> HttpResponse:
        if not (self.has_add_permission(request) and self.has_view_permission(request)):
            raise PermissionDenied
        template = self._template(str(number))
        form = CloneForm(request.POST or None, initial={"name": _("%(name)s (copy)") % {"name": template.name}})
        if request.method == "POST" and form.is_valid():
            try:
                version = services.template_clone(
                    template_number=template.pk, name=form.cleaned_data["name"], user=cast(User, request.user)
                )
            except DsrhubError as error:
                form.add_error("name", _messages_of(error))
            else:
                text = _("Template %(name)s is inactive until you say how its files differ, and activate it.")
                messages.success(request, text % {"name": version.template.name})
                return HttpResponseRedirect(reverse("admin:catalogue_template_change", args=[version.template_id]))
        context = self._context(request, _("Clone %(name)s") % {"name": template.name}, template) | {"form": form}
        return TemplateResponse(request, f"{PAGES}form.html", context | {"button": _("Clone")})

    def export_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Send a version as a document of JSON; by default, the latest one."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        wanted = request.GET.get("version")
        version = None if wanted is None else min(plain_id(wanted) or 0, MOST_VERSION)
        try:
            document = services.template_export(template_number=number, version_number=version)
        except NotFoundError as error:
            raise Http404(error.message) from error
        name = slugify(document["name"]) or "template"
        return JsonResponse(
            document,
            json_dumps_params={"indent": 2, "ensure_ascii": False},
            headers={"Content-Disposition": f'attachment; filename="{name}.json"'},
        )

    def import_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = DocumentForm(request.POST or None, request.FILES or None)
        if not self.has_change_permission(request):
            del form.fields["replace"]
        if request.method == "POST" and form.is_valid():
            try:
                version = services.template_import(
                    document=form.cleaned_data["document"],
                    replace=form.cleaned_data.get("replace", False),
                    user=cast(User, request.user),
                )
            except DsrhubError as error:
                form.add_error("document", _messages_of(error))
            else:
                return self._saved(request, version, None)
        context = self._context(request, _("Import template"), None) | {"form": form, "button": _("Import")}
        return TemplateResponse(request, f"{PAGES}form.html", context)

    # --- Delete ------------------------------------------------------------------------------------------------

    def locked(self, ids: Any) -> Any:
        # Each change of templates takes this lock first.
        services.templates_lock()
        return Template.objects.filter(pk__in=ids).order_by("pk")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, dict[str, Any], set[str], list[str]]:
        templates = list(Template.objects.filter(pk__in=[one.pk for one in objs]).annotate(count=Count("versions")))
        self.note_shown(request, templates)
        counts = {
            str(self.opts.verbose_name_plural): grouped(len(templates)),
            _("versions"): grouped(sum(one.count for one in templates)),
        }
        return list(map(str, templates)), counts, set(), []

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        self.delete_queryset(request, [obj])

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        numbers = [template.pk for template in queryset]
        with transaction.atomic():
            self.require_as_shown(request, numbers)
            for number in numbers:
                services.template_delete(template_number=number, user=cast(User, request.user))

    # --- Help --------------------------------------------------------------------------------------------------

    def _template(self, object_id: str) -> Template:
        known = plain_id(object_id)
        template = None if known is None else Template.objects.filter(pk=known).first()
        if template is None:
            raise Http404("There is no such template.")
        return template

    def _context(self, request: HttpRequest, title: str, template: Template | None) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "title": title, "opts": self.opts, "template": template}


def _checked_again(request: HttpRequest, sample: Sample, template: Template) -> HttpResponseRedirect:
    """Check the refused files of the upload again that the sample comes from, and show them.

    The template reads the sample itself, even if others recognise it, too.
    """
    refused = [job for job in jobs_of_upload(sample.upload) if job.state == ImportJob.State.REFUSED]
    check_again(request, [(job, template if job.name == sample.name else None) for job in refused])
    return HttpResponseRedirect(reverse("admin:catalogue_dsr_upload", args=[sample.upload]))


def _editor_redirect(template: int | None, sample: Sample) -> HttpResponseRedirect:
    view, arguments = ("add", []) if template is None else ("change", [template])
    return HttpResponseRedirect(
        reverse(f"admin:catalogue_template_{view}", args=arguments, query={"sample": sample.token})
    )


def _known_codes() -> dict[str, Any]:
    """The territories and currencies that values can be mapped to."""
    return {
        "territories": [(one.pk, one.shown_name) for one in Territory.objects.all()],
        "currencies": [(one.pk, one.shown_name) for one in Currency.objects.all()],
    }


def _version_row(version: Any, before: TemplateVersion | None) -> dict[str, Any]:
    changes = version_changes(before, version)
    return {
        "version": version,
        "message_count": grouped(version.message_count),
        "changes": changes[:SHOWN_CHANGES],
        "more_changes": grouped(len(changes) - SHOWN_CHANGES) if len(changes) > SHOWN_CHANGES else "",
    }


def _messages_of(error: DsrhubError) -> list[str]:
    """What is wrong, by the fields of the definition where they are known."""
    if isinstance(error, InvalidTemplate):
        return [f"{path_label(fault.path)}: {fault.message}" for fault in error.extra["faults"]]
    return [error.message]
