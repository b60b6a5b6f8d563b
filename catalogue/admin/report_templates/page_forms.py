"""The forms of the pages beside the editor: a sample, a clone, and a document of JSON."""

import json
from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalogue.admin.report_templates.labels import PART_LABELS
from catalogue.reports.formats.templates.validation import LONGEST_NAME

# A document of JSON is a few kilobytes; with all names of territories in some languages, some hundred.
MOST_DOCUMENT_BYTES = 1024 * 1024
MOST_NUMBER = 2**63 - 1


class SampleForm(forms.Form):
    """A sample for a new template, or for one that is edited."""

    sample = forms.FileField(
        label=gettext_lazy("Sample file"),
        help_text=gettext_lazy("A text of columns (CSV, TSV), packed with gzip or not, or an Excel workbook (XLSX)."),
    )
    template = forms.IntegerField(required=False, min_value=1, max_value=MOST_NUMBER, widget=forms.HiddenInput)

    def clean_sample(self) -> Any:
        file, limit = self.cleaned_data["sample"], settings.DSRHUB_UPLOAD_LIMIT_BYTES
        if file.size > limit:
            text = _("%(name)s is larger than %(limit)s.")
            raise ValidationError(text % {"name": file.name, "limit": filesizeformat(limit)})
        return file


class CloneForm(forms.Form):
    name = forms.CharField(label=PART_LABELS["name"], max_length=LONGEST_NAME)


class DocumentForm(forms.Form):
    """A document of JSON. Its cleaned value is what it says."""

    document = forms.FileField(
        label=gettext_lazy("File"), help_text=gettext_lazy("A template that was exported as JSON.")
    )
    replace = forms.BooleanField(
        label=gettext_lazy("Save it as the next version of the template of this name, if there is one"),
        required=False,
    )

    def clean_document(self) -> Any:
        file = self.cleaned_data["document"]
        if file.size > MOST_DOCUMENT_BYTES:
            text = _("%(name)s is larger than %(limit)s.")
            raise ValidationError(text % {"name": file.name, "limit": filesizeformat(MOST_DOCUMENT_BYTES)})
        try:
            return json.loads(file.read().decode("utf-8-sig"), object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            raise ValidationError(_("This is no document of JSON: %(reason)s") % {"reason": error}) from error


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Of a key that is there twice, nobody knows which one counts: ValueError."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [key for key, _value in pairs]
        raise ValueError(next(f"{key!r} is there twice" for key in names if names.count(key) > 1))
    return found
