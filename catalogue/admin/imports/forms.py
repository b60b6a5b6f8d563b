"""The form of an upload: its files, and the template that reads them."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export.forms import ImportForm

from catalogue.models import Template
from catalogue.reports.formats.registry import file_endings, has_report_ending, name_patterns, why_never_imported
from dsrhub.texts.wording import either


class SeveralFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class SeveralFilesField(forms.FileField):
    widget = SeveralFilesInput

    def clean(self, data: Any, initial: Any = None) -> list[TemporaryUploadedFile]:
        return [super(SeveralFilesField, self).clean(file, initial) for file in data or [None]]


class ReportImportForm(ImportForm):  # type: ignore[misc]
    import_file = SeveralFilesField(
        label=gettext_lazy("Files"),
        # The check refuses an empty file with a better message: it is a report without a header.
        allow_empty_file=True,
    )

    template = forms.ModelChoiceField(
        Template.objects.all(),
        required=False,
        label=gettext_lazy("Template"),
        empty_label=gettext_lazy("the one that recognises each file"),
        help_text=gettext_lazy(
            "For column files, such as CSV and XLSX. The one that you choose reads all of these files."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["template"].widget.attrs["aria-describedby"] = "id_template_help"
        # Why files of the upload are left out.
        self.skipped: list[str] = []
        self.fields["import_file"].widget.attrs["accept"] = ",".join((*file_endings(), ".gz"))
        self.fields["import_file"].help_text = (
            _("One or several, with the names that they were delivered under: %s") % name_patterns()
        )
        self.fields["import_file"].widget.attrs["aria-describedby"] = "id_import_file_help id_import_file_limits"

    @property
    def media(self) -> forms.Media:
        return forms.Media()  # The scripts guess the format, and there is only one.

    def clean_import_file(self) -> list[TemporaryUploadedFile]:
        files: list[TemporaryUploadedFile] = []
        limit = settings.DSRHUB_UPLOAD_LIMIT_BYTES
        for file in self.cleaned_data["import_file"]:
            if reason := why_never_imported(str(file.name)):
                self.skipped.append(f"{file.name}: {reason.translated()}.")
                continue
            files.append(file)
            values = {"name": file.name, "limit": filesizeformat(limit)}
            if not has_report_ending(str(file.name)):
                values["endings"] = either(file_endings()).translated()
                self.add_error("import_file", _("%(name)s does not end in %(endings)s.") % values)
            if (file.size or 0) > limit:
                self.add_error("import_file", _("%(name)s is larger than %(limit)s.") % values)
        if not files:
            self.add_error("import_file", self.skipped)
        return files
