"""The Import button of raw records: upload a usage file, check it, review it, confirm it, add it."""

import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.db import OperationalError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export.admin import ImportMixin
from import_export.fields import Field
from import_export.forms import ConfirmImportForm, ImportForm
from import_export.resources import Resource
from import_export.results import Result

from dsrhub.database.statements import is_lock_timeout, wait_for_locks
from dsrhub.exceptions import DsrhubError
from dsrhub.files.disk import NotARegularFile, ends_in, file_sha256
from dsrhub.import_export.uploads import PathFormat, PathImportMixin, UploadStorage
from dsrhub.texts import marked as texts
from dsrhub.values.cells import grouped
from subscriptions.exceptions import RecordProblem, UsageConflict
from subscriptions.models import RECORD_MODELS, UsageType
from subscriptions.records import services
from subscriptions.records.files import EXTERNAL_ID, Progress, usage_file_columns, usage_file_first_lines
from subscriptions.records.services import UsageAdded, UsageChecked

# The limit for reading the file, which takes most of the time: a page must answer within 5 seconds.
AT_ONCE_SECONDS = 3
PREVIEW_RECORDS = 20
ENDINGS = (".csv", ".tsv", ".csv.gz", ".tsv.gz")


IS_GONE = texts.gettext_lazy("%(name)s has already been confirmed, or is no longer stored.")


class NotAtOnce(DsrhubError):
    """Importing a file takes longer than a page may take."""

    code = "not_at_once"


class NothingToAdd(DsrhubError):
    """All records of a file are already stored."""

    code = "nothing_to_add"


class FileChanged(DsrhubError):
    """An uploaded file has changed since its check, or is gone."""

    code = "file_changed"


# --- Forms -----------------------------------------------------------------------------------------------------


class UsageFormat(PathFormat):
    def get_title(self) -> str:
        return _("CSV or TSV (.csv, .tsv, .csv.gz, .tsv.gz)")


class UsageImportForm(ImportForm):  # type: ignore[misc]
    # An empty file gets the error of a missing header.
    import_file = forms.FileField(label=gettext_lazy("File"), allow_empty_file=True)
    backfill = forms.BooleanField(
        label=gettext_lazy("Backfill"),
        required=False,
        help_text=gettext_lazy("Also add records to days whose raw records were purged."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["import_file"].widget.attrs["accept"] = ".csv,.tsv,.gz"

    @property
    def media(self) -> forms.Media:
        return forms.Media()  # no script that guesses the format: there is only one

    def clean_import_file(self) -> TemporaryUploadedFile:
        file: TemporaryUploadedFile = self.cleaned_data["import_file"]
        limit = settings.DSRHUB_IMPORT_AT_ONCE_BYTES
        values = {"name": file.name, "limit": filesizeformat(limit)}
        if not ends_in(str(file.name), ENDINGS):
            self.add_error("import_file", _("%(name)s is not a .csv, .tsv, .csv.gz or .tsv.gz file.") % values)
        if (file.size or 0) > limit:
            self.add_error(
                "import_file",
                _("%(name)s is larger than %(limit)s. Import it on the server: manage.py import_usage %(name)s")
                % values,
            )
        return file


class UsageConfirmForm(ConfirmImportForm):  # type: ignore[misc]
    import_file_name = forms.RegexField("^[0-9a-f]{32}$", widget=forms.HiddenInput)
    sha256 = forms.RegexField("^[0-9a-f]{64}$", widget=forms.HiddenInput)
    # How many new records the check found.
    to_add = forms.RegexField("^[0-9]{1,18}$", widget=forms.HiddenInput)
    format = forms.ChoiceField(choices=[("0", "")], widget=forms.HiddenInput)
    backfill = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def query(self) -> str:
        """The query of its address. By GET, the address leads back to the waiting file."""
        return urlencode({name: self.initial.get(name, "") for name in WaitingFileForm.base_fields})


class WaitingFileForm(forms.Form):
    """A file that was checked, and was not confirmed yet."""

    import_file_name = forms.RegexField("^[0-9a-f]{32}$")
    original_file_name = forms.CharField()
    backfill = forms.BooleanField(required=False)


# --- The import ------------------------------------------------------------------------------------------------


class UsageResult(Result):  # type: ignore[misc]
    """The result of a check or of an import."""

    def __init__(self, path: Path, file_name: str, usage_type: UsageType) -> None:
        super().__init__()
        self.file_name, self.usage_type = file_name, usage_type
        self.size = 0
        # The file is gone if another request has confirmed it.
        with suppress(FileNotFoundError):
            self.size = path.lstat().st_size
        self.columns: list[str] = []
        self.records: list[list[str]] = []
        self.checked: UsageChecked | None = None
        self.added: UsageAdded | None = None
        self.refusal = ""
        self.problems: list[RecordProblem] = []
        self.error_count = 0

    def refuse(self, error: DsrhubError) -> None:
        self.refusal = error.message
        self.problems = error.extra.get("problems", [])
        if isinstance(error, UsageConflict):
            extra = error.extra
            self.problems = [RecordProblem(extra["position"], EXTERNAL_ID, extra["external_id"], error.code)]
        self.error_count = error.extra.get("error_count", len(self.problems))

    def has_errors(self) -> bool:
        return self.refusal != ""

    @property
    def named_records(self) -> list[list[tuple[str | None, str | None]]]:
        """The cells of each record with their columns. A line may have more cells than there are columns."""
        return [list(zip_longest(self.columns, record)) for record in self.records]

    @property
    def more_problems(self) -> int:
        return self.error_count - len(self.problems)

    @property
    def facts(self) -> list[tuple[str, str]]:
        if self.checked is None:
            return []
        count, to_add, price, amount, days, first, last = self.checked
        period = f" ({first} – {last})" if days else ""
        return [
            (_("records"), grouped(count)),
            (_("already stored"), grouped(count - to_add)),
            (_("price"), grouped(price)),
            (self.usage_type.unit, grouped(amount)),
            (_("days"), f"{grouped(days)}{period}"),
        ]


@dataclass
class WaitingFile:
    """What the check of a stored file leaves for its confirmation."""

    sha256: str
    checked: UsageChecked | None = None


class UsageFile(Resource):  # type: ignore[misc]
    """A usage file in the upload folder. The dry run is the check."""

    def __init__(self, usage_type: UsageType) -> None:
        super().__init__()
        self.usage_type = usage_type

    @classmethod
    def get_display_name(cls) -> str:
        return _("Columns")

    def get_user_visible_fields(self) -> list[Field]:
        return [Field(column_name=column) for column in usage_file_columns(self.usage_type)]

    def import_data(
        self, dataset: Path, dry_run: bool = False, *, file_name: str, user: User, backfill: bool, **kwargs: Any
    ) -> UsageResult:
        result = UsageResult(dataset, file_name, self.usage_type)
        try:
            if dry_run:
                self._check(dataset, backfill, result)
                kwargs["upload"].checked = result.checked
            else:
                shown = {name: kwargs[name] for name in ("sha256", "to_add")}
                result.added = self._add(dataset, file_name, user, backfill=backfill, **shown)
        except DsrhubError as error:
            result.refuse(error)
            if dry_run:
                dataset.unlink(missing_ok=True)  # it can no longer be confirmed
        return result

    def _check(self, path: Path, backfill: bool, result: UsageResult) -> None:
        result.columns, *result.records = usage_file_first_lines(path, PREVIEW_RECORDS + 1, folder=path.parent) or [[]]
        result.checked = services.usage_file_check(
            path=path,
            folder=path.parent,
            usage_type=self.usage_type,
            backfill=backfill,
            progress=_at_once(result.file_name),
        )
        if not result.checked.to_add:
            raise NothingToAdd(texts.gettext_lazy("All records are already stored."))

    def _add(self, path: Path, file_name: str, user: User, *, backfill: bool, sha256: str, to_add: str) -> UsageAdded:
        taken = path.with_suffix(".taken")
        try:
            path.rename(taken)  # if two users confirm it, the second fails here
        except FileNotFoundError as error:
            raise FileChanged(IS_GONE % {"name": file_name}) from error
        try:
            if file_sha256(taken, taken.parent) != sha256:
                raise FileChanged(texts.gettext_lazy("The stored file has changed since the check. Nothing was added."))
            # Others may be writing the same external ids: wait for their locks, but not longer than a page may take.
            with transaction.atomic():
                wait_for_locks(f"{AT_ONCE_SECONDS}s")
                added = services.usage_file_import(
                    path=taken,
                    folder=taken.parent,
                    name=file_name,
                    usage_type=self.usage_type,
                    backfill=backfill,
                    confirmed=int(to_add),
                )
                self._log(file_name, user, added)
        except OperationalError as error:
            if not is_lock_timeout(error):
                raise
            raise NotAtOnce(
                texts.gettext_lazy("Another import is adding the same usage. Nothing was added. Upload the file again.")
            ) from error
        finally:
            taken.unlink(missing_ok=True)
        return added

    def _log(self, file_name: str, user: User, added: UsageAdded) -> None:
        model = RECORD_MODELS[self.usage_type]
        LogEntry.objects.create(
            user=user,
            content_type=ContentType.objects.get_for_model(model),
            object_repr=file_name[:200],
            action_flag=ADDITION,
            change_message=f"Imported: {added.added:,} added, {added.repeated:,} already stored.",
        )


def _at_once(file_name: str) -> Progress:
    deadline = time.monotonic() + AT_ONCE_SECONDS

    def progress(_read: int) -> None:
        if time.monotonic() > deadline:
            text = texts.gettext_lazy(
                "The import takes too long for a page. Import it on the server: manage.py import_usage %(name)s"
            )
            raise NotAtOnce(text % {"name": file_name})

    return progress


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)


class UsageImportMixin(PathImportMixin, ImportMixin):  # type: ignore[misc]
    """The Import button of django-import-export, for usage files."""

    import_form_class = UsageImportForm
    confirm_form_class = UsageConfirmForm
    import_template_name = "admin/subscriptions/import.html"

    def get_import_formats(self) -> list[type[PathFormat]]:
        return [UsageFormat]

    def get_import_resource_classes(self, request: HttpRequest) -> list[type[Resource]]:
        return [UsageFile]

    def get_import_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        return {"usage_type": self.model.usage_type}

    def get_import_data_kwargs(self, *, form: Any, **kwargs: Any) -> dict[str, Any]:
        cleaned = form.cleaned_data
        names = ("backfill", "sha256", "to_add")
        return {name: cleaned[name] for name in names if name in cleaned} | {"upload": cleaned.get("import_file")}

    def write_to_tmp_storage(self, import_file: Any, input_format: PathFormat) -> UploadStorage:
        storage = super().write_to_tmp_storage(import_file, input_format)
        import_file.sha256 = file_sha256(storage.read(), storage.read().parent)
        return storage

    def get_confirm_form_initial(self, request: HttpRequest, import_form: Any) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_confirm_form_initial(request, import_form)
        if import_form is not None:
            cleaned = import_form.cleaned_data
            file = cleaned["import_file"]
            initial |= {"sha256": file.sha256, "backfill": cleaned["backfill"], "to_add": file.checked.to_add}
        return initial

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Add the records of a confirmed file. A GET leads back to a waiting file, as after signing in again."""
        if request.method == "POST":
            added: HttpResponse = super().process_import(request, **kwargs)
            return added
        if not self.has_import_permission(request):
            raise PermissionDenied
        form = WaitingFileForm(request.GET)
        try:
            if form.is_valid():
                return self._waiting_page(request, **form.cleaned_data)
        except (FileNotFoundError, NotARegularFile):
            is_gone = IS_GONE % {"name": form.cleaned_data["original_file_name"]}
            messages.error(request, is_gone.translated())
        return HttpResponseRedirect(reverse(f"admin:subscriptions_{self.opts.model_name}_import"))

    def _waiting_page(
        self, request: HttpRequest, *, import_file_name: str, original_file_name: str, backfill: bool
    ) -> HttpResponse:
        """Check a stored file again, and show what was found. Raises FileNotFoundError and NotARegularFile."""
        path = UploadStorage(name=import_file_name).read()
        upload = WaitingFile(file_sha256(path, path.parent))
        result = UsageFile(self.model.usage_type).import_data(
            path, dry_run=True, file_name=original_file_name, user=_user(request), backfill=backfill, upload=upload
        )
        context = {**self.admin_site.each_context(request), "title": _("Import"), "opts": self.opts, "result": result}
        if upload.checked is not None:
            named = {"import_file_name": import_file_name, "original_file_name": original_file_name, "format": "0"}
            found = {"sha256": upload.sha256, "backfill": backfill, "to_add": upload.checked.to_add}
            context["confirm_form"] = UsageConfirmForm(initial=named | found)
        return TemplateResponse(request, self.import_template_name, context)

    def process_result(self, result: UsageResult, request: HttpRequest) -> HttpResponse:
        if result.added is None:
            messages.error(request, result.refusal)
            page = "import"
        else:
            values = {"name": result.file_name} | {name: grouped(n) for name, n in result.added._asdict().items()}
            messages.success(
                request, _("Imported %(name)s: %(added)s records added, %(repeated)s already stored.") % values
            )
            page = "changelist"
        return HttpResponseRedirect(reverse(f"admin:subscriptions_{self.opts.model_name}_{page}"))
