"""The editor of a template: what a request says of it, and what the page shows."""

from typing import Any, cast

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest

from catalogue.admin.report_templates.checks import sample_shown
from catalogue.admin.report_templates.columns import apply_choices
from catalogue.admin.report_templates.forms import TemplateForm, form_of
from catalogue.admin.report_templates.labels import DOUBT_PATHS, DOUBT_TEXTS, path_label
from catalogue.admin.report_templates.parts import field_name
from catalogue.admin.report_templates.samples import Sample, sample_get
from catalogue.exceptions import InvalidTemplate, TemplateExists
from catalogue.imports.recognition import active_formats
from catalogue.models import Template, TemplateVersion
from catalogue.report_templates import services
from catalogue.report_templates.selectors import template_version
from catalogue.reports.formats.templates.definition import Definition, definition_json
from catalogue.reports.formats.templates.guessing import Doubt, guess
from catalogue.reports.formats.templates.recognition import FirstRows
from dsrhub.exceptions import DsrhubError
from dsrhub.values.numbers import plain_whole_number

MOST_ROWS = 1_000_000


class Editor:
    """The form of a template, new or saved, with or without a sample.

    Its first values are those of the template, or what is guessed of the sample; then what the user sends.
    """

    def __init__(self, request: HttpRequest, template: Template | None) -> None:
        self._request, self._template = request, template
        token = request.POST.get("sample") or request.GET.get("sample") or ""
        self.sample: Sample | None = sample_get(request, token)
        self._doubts: tuple[Doubt, ...] = ()
        # Values of JSON; None where what was sent makes none.
        self._data: dict[str, Any] | None = None
        self._seen_version = template.version_number if template else None
        self._is_sample_gone = bool(token) and self.sample is None
        self.form = self._sent_form() if request.method == "POST" else self._first_form()

    def _first_form(self) -> TemplateForm:
        if self._template is not None:
            self._data = template_version(self._template).definition
            return form_of(self._data, name=self._template.name, is_active=self._template.is_active)
        definition = Definition()
        if self.sample is not None:
            guessed = guess(self.sample.delivery())
            definition, self._doubts = guessed.definition, guessed.doubts
        self._data = definition_json(definition)
        return form_of(self._data)

    def _sent_form(self) -> TemplateForm:
        post = self._request.POST
        row = plain_whole_number(post.get("file-heading_row", ""))
        form = TemplateForm(post, heading_row=row if row and 0 < row <= MOST_ROWS else None)
        self._seen_version = plain_whole_number(post.get("seen_version", ""))
        if not form.is_valid():
            return form
        self._data = form.definition()
        apply_choices(self._data, post)
        # A new one, whose fields say what the drop-downs chose.
        return form_of(self._data, name=form.cleaned_data["name"], is_active=form.cleaned_data["is_active"])

    def is_valid(self) -> bool:
        return self._data is not None and self.form.is_valid()

    def save(self) -> TemplateVersion:
        """Raises DsrhubError, as the service does."""
        cleaned, user = self.form.cleaned_data, cast(User, self._request.user)
        with transaction.atomic():
            version = services.template_save(
                name=cleaned["name"],
                definition=self._data,
                template_number=self._template.pk if self._template else None,
                seen_version=self._seen_version if self._template else None,
                user=user,
            )
            if version.template.is_active != cleaned["is_active"]:
                services.template_activate(
                    template_number=version.template_id, is_active=cleaned["is_active"], user=user
                )
        return version

    def show_faults(self, error: InvalidTemplate) -> None:
        self.form.add_faults(error.extra["faults"])

    def show_error(self, error: DsrhubError) -> None:
        self.form.add_error("name" if isinstance(error, TemplateExists) else None, error.message)

    def recognising(self) -> list[str]:
        """The names of the active templates that recognise the sample."""
        if self.sample is None:
            return []
        file = FirstRows(self.sample.delivery())
        return [one.template_name for one in active_formats() if one.recognises_file(file)]

    def shown(self) -> dict[str, Any]:
        """The form, and what it makes of the sample."""
        shown: dict[str, Any] = {
            "form": self.form,
            "sections": self.form.sections(),
            "error_count": sum(map(len, self.form.errors.values())) if self._request.method == "POST" else 0,
            "sample": self.sample,
            "is_sample_gone": self._is_sample_gone,
            "seen_version": self._seen_version,
            "doubts": [
                {"label": path_label(DOUBT_PATHS[one]), "text": DOUBT_TEXTS[one], "name": field_name(DOUBT_PATHS[one])}
                for one in self._doubts
            ],
        }
        if self.sample is None:
            return shown
        if self._data is None:
            faults = [
                {"label": self.form[name].label, "message": " ".join(map(str, errors)), "name": name}
                for name, errors in self.form.errors.items()
                if name in self.form.fields
            ]
            return shown | {"faults": faults}
        return shown | sample_shown(self.sample, self._data, more_time="whole" in self._request.POST)
