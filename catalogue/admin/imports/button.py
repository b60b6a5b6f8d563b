"""The Import button of DSRs: people upload files, review what the check found, and confirm.

A worker does the steps that take too long for a request. The page shows their progress.
"""

from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    QueryDict,
    StreamingHttpResponse,
)
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from import_export.admin import ImportMixin
from import_export.fields import Field
from import_export.resources import Resource
from import_export.results import Result

from catalogue.admin.cells import days, dsr_name
from catalogue.admin.declared import DeclaredForm
from catalogue.admin.exports import EXCERPT_COLUMNS, PROBLEM_COLUMNS
from catalogue.admin.imports.at_once import request_deadline, run_at_once
from catalogue.admin.imports.cards import job_card, job_progress_json
from catalogue.admin.imports.forms import ReportImportForm
from catalogue.dsrs.declared import DeclaredTotals
from catalogue.exceptions import WaitingFilesTooLarge
from catalogue.imports.queue import jobs as import_jobs
from catalogue.imports.queue.selectors import (
    WORKER,
    import_job_problems,
    jobs_in_work,
    jobs_of_same_key,
    jobs_of_upload,
)
from catalogue.models import DSR, ImportJob, Template
from catalogue.report_templates.selectors import template_get
from catalogue.reports.formats import registry
from catalogue.reports.formats.tsv.reader import COLUMNS
from dsrhub.exceptions import DsrhubError, InvalidArgument
from dsrhub.import_export.button import streamed
from dsrhub.import_export.formats import CSV
from dsrhub.import_export.tables import Table, dated_name
from dsrhub.import_export.uploads import PathFormat, PathImportMixin
from dsrhub.texts.marked import joined
from dsrhub.values.numbers import plain_id

State = ImportJob.State


class ReportPath(PathFormat):
    """Any format of reports: the registry of formats recognises it when the file is checked."""

    def get_title(self) -> str:
        return ", ".join(report_format.name for report_format in registry.kinds())


class DeliveredReport(Resource):  # type: ignore[misc]
    """A report in the upload folder. Its dry run is the check, and the import job stores what the check finds."""

    def import_data(self, dataset: Path, dry_run: bool = False, *, user: User, **kwargs: Any) -> Result:
        if dry_run:
            upload, name = kwargs["upload"], kwargs["file_name"]
            template = kwargs["template"]
            job = import_jobs.import_job_add(upload=upload, path=dataset, name=name, user=user, template=template)
            run_at_once(job, kwargs["progress"])
        else:
            job = ImportJob.objects.get(stored_name=dataset.name)
            import_jobs.import_job_confirm(job=job, user=user, **kwargs)
        return Result()

    @classmethod
    def get_display_name(cls) -> str:
        return "DSR"

    def get_user_visible_fields(self) -> list[Field]:
        return [Field(column_name=column) for column in COLUMNS]


class ReportImportMixin(PathImportMixin, ImportMixin):  # type: ignore[misc]
    """The Import button of import-export, for whole reports of any size."""

    import_form_class = ReportImportForm
    import_template_name = "admin/catalogue/dsr/import.html"

    def get_import_formats(self) -> list[type[PathFormat]]:
        return [ReportPath]

    def get_import_resource_classes(self, request: HttpRequest) -> list[type[Resource]]:
        return [DeliveredReport]

    def get_urls(self) -> list[URLPattern]:
        upload, progress, problems = map(
            self.admin_site.admin_view, (self.upload_view, self.progress_view, self.problems_view)
        )
        return [
            path("import/<slug:upload>/", upload, name="catalogue_dsr_upload"),
            path("import/<slug:upload>/progress/", progress, name="catalogue_dsr_upload_progress"),
            path("import/<slug:upload>/<int:number>/problems/", problems, name="catalogue_dsr_upload_problems"),
            *super().get_urls(),
        ]

    def import_action(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Store the uploaded files, check small ones in this request, and redirect to the preview."""
        self._require_permission(request)
        form = self.create_import_form(request)
        if not (request.method == "POST" and form.is_valid()):
            if _is_script(request):
                # As the page of the form, with the status 200.
                return JsonResponse({"errors": [one for errors in form.errors.values() for one in errors]})
            page: TemplateResponse = super().import_action(request, **kwargs)
            page.context_data |= {  # type: ignore[operator]
                "title": _("Import reports"),
                "replaced": _replaced(request),
                **_limits(),
            }
            return page
        for reason in form.skipped:
            messages.warning(request, _("Skipped: %s") % reason)
        upload = import_jobs.upload_begin()
        progress = request_deadline()
        for file in form.cleaned_data["import_file"]:
            dataset = ReportPath().create_dataset(self.write_to_tmp_storage(file, ReportPath()).read())
            try:
                DeliveredReport().import_data(
                    dataset,
                    dry_run=True,
                    upload=upload,
                    file_name=file.name,
                    user=_user(request),
                    progress=progress,
                    template=form.cleaned_data["template"],
                )
            except WaitingFilesTooLarge as error:
                dataset.unlink()
                messages.error(request, error.message)
        address = reverse("admin:catalogue_dsr_import")
        if ImportJob.objects.filter(upload=upload).exists():
            address = reverse("admin:catalogue_dsr_upload", args=[upload])
        return JsonResponse({"address": address}) if _is_script(request) else HttpResponseRedirect(address)

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Apply what the user chose for the files of an upload: import, check again or discard.

        A GET leads back to the upload: after signing in again, or from the page of a refused form.
        """
        self._require_permission(request)
        if request.method != "POST":
            return _waiting_upload(request.GET.get("upload", ""))
        upload = request.POST.get("upload", "")
        jobs = _jobs_or_404(upload)
        if request.POST.getlist("replace") and not may_replace(request):
            raise PermissionDenied
        queued = []
        for job in jobs:
            try:
                if self._apply_choice(request, job):
                    queued.append(job)
            except DsrhubError as error:
                messages.error(request, error.message)
        # Only now, as a file replaces those of the same key that were confirmed together with it.
        progress = request_deadline()
        for job in queued:
            run_at_once(job, progress)
        return HttpResponseRedirect(reverse("admin:catalogue_dsr_upload", args=[upload]))

    def _apply_choice(self, request: HttpRequest, job: ImportJob) -> bool:
        """Apply what the user chose for a file. Return whether its next step is now to be done."""
        number, form = str(job.pk), request.POST
        if form.get("abandon") == number:
            import_jobs.import_job_discard(job=job)
        elif form.get("check") == number:
            import_jobs.import_job_check_again(job=job, template=_chosen_template(form.get(f"template-{number}", "")))
            return True
        elif "confirm" in form and number in form.getlist("job") and job.state == State.CHECKED:
            replace = number in form.getlist("replace")
            drop_missing = number in form.getlist("drop_missing")
            if (replace and not may_replace(request)) or (drop_missing and not may_drop(request)):
                raise PermissionDenied
            # The page says which state of the job it shows: another user may have had the file checked again since.
            seen = form.get(f"seen-{number}", "") if replace else None
            # Kept first, so that the page shows them again if the file is not confirmed.
            import_jobs.import_job_declare(job=job, declared=_declared(job, form))
            dataset = import_jobs.job_path(job)
            DeliveredReport().import_data(
                dataset, user=_user(request), replace=replace, drop_missing=drop_missing, seen=seen
            )
            return True
        return False

    def upload_view(self, request: HttpRequest, upload: str) -> HttpResponse:
        """Show the files of an upload with the state of each. Users may leave this page and come back."""
        self._require_permission(request)
        jobs = _jobs_or_404(upload)
        in_work, same_key = jobs_in_work(), jobs_of_same_key(jobs)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Import"),
            "opts": self.opts,
            "upload": upload,
            "cards": [job_card(job, in_work, same_key[job.pk]) for job in jobs],
            "can_confirm": any(job.state == State.CHECKED for job in jobs),
            "templates": list(Template.objects.all()),
            "may_replace": may_replace(request),
            "may_drop": may_drop(request),
            "may_make_template": request.user.has_perm("catalogue.add_template"),
            "may_change_template": request.user.has_perm("catalogue.change_template"),
            "may_enter_rates": request.user.has_perm("catalogue.add_operatorrate"),
            "lacks_worker": WORKER not in in_work and any(job.state in ImportJob.WORK for job in jobs),
        }
        return TemplateResponse(request, "admin/catalogue/dsr/upload.html", context)

    def progress_view(self, request: HttpRequest, upload: str) -> JsonResponse:
        """Return the progress of an upload, which its open page polls."""
        self._require_permission(request)
        in_work = jobs_in_work()
        jobs = {job.pk: job_progress_json(job, in_work) for job in _jobs_or_404(upload)}
        return JsonResponse({"jobs": jobs, "has_worker": WORKER in in_work})

    def problems_view(self, request: HttpRequest, upload: str, number: int) -> StreamingHttpResponse:
        """Send all stored problems of a file as CSV. The page shows only the first ones."""
        self._require_permission(request)
        found = import_job_problems(upload=upload, job_number=number)
        if found is None:
            raise Http404("No problems of this file are stored.")
        table = Table((*PROBLEM_COLUMNS, *EXCERPT_COLUMNS), found)
        return streamed(table, CSV(), dated_name(f"problems-of-import-{number}", "csv"), bom=True)

    def _require_permission(self, request: HttpRequest) -> None:
        if not self.has_import_permission(request):
            raise PermissionDenied


def may_replace(request: HttpRequest) -> bool:
    """Return whether the user may replace a DSR. REST asks for the same permission."""
    return request.user.has_perm("catalogue.change_dsr")


def may_drop(request: HttpRequest) -> bool:
    """Return whether the user may delete the DSRs that a replacement lacks. REST asks for the same permission."""
    return request.user.has_perm("catalogue.delete_dsr")


def _is_script(request: HttpRequest) -> bool:
    """Whether the script of the page sends the upload, which follows no redirects: see `upload.js`."""
    return request.headers.get("Accept") == "application/json"


def _replaced(request: HttpRequest) -> dict[str, Any] | None:
    """The DSR that the user is about to replace, as `?replace=` says. It is a hint, and decides nothing."""
    number = request.GET.get("replace")
    if number is None:
        return None
    known = plain_id(number)
    dsr = None if known is None else DSR.objects.filter(pk=known).first()
    return {"number": number, "dsr": dsr, "name": dsr and dsr_name(dsr), "days": dsr and days(dsr)}


def _limits() -> dict[str, Any]:
    """What one upload may have."""
    limit = settings.DSRHUB_UPLOAD_LIMIT_BYTES
    return {
        "most_files": settings.DATA_UPLOAD_MAX_NUMBER_FILES,
        "most_bytes": limit,
        "most_size": filesizeformat(limit),
        "most_unpacked": filesizeformat(settings.DSRHUB_UPLOAD_UNPACKED_LIMIT_BYTES),
    }


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)


def _declared(job: ImportJob, data: QueryDict) -> DeclaredTotals:
    """What the user declares of a file. Raises InvalidArgument."""
    form = DeclaredForm.of_job(job, data)
    if not form.is_valid():
        raise InvalidArgument(joined([job.name, form.findings], ": "), argument="declared")
    return form.declared()


def _chosen_template(number: str) -> Template | None:
    """The template that was chosen on the page; None where none was. Raises TemplateNotFound."""
    if not number:
        return None
    known = plain_id(number)
    return template_get(-1 if known is None else known)


def _waiting_upload(upload: str) -> HttpResponseRedirect:
    """The page of an upload, or the list of all import jobs."""
    if ImportJob.objects.filter(upload=upload).exists():
        return HttpResponseRedirect(reverse("admin:catalogue_dsr_upload", args=[upload]))
    return HttpResponseRedirect(reverse("admin:catalogue_importjob_changelist"))


def _jobs_or_404(upload: str) -> list[ImportJob]:
    jobs = jobs_of_upload(upload)
    if not jobs:
        raise Http404("There is no such upload.")
    return jobs
