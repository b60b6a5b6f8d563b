"""Which format reads a delivery: a fixed one, or a template of the database."""

from collections.abc import Sequence

from catalogue.exceptions import InvalidReportName, TemplateAmbiguous
from catalogue.models import TemplateVersion
from catalogue.report_templates.selectors import active_versions
from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.interface import ReportFormat
from catalogue.reports.formats.registry import formats_of
from catalogue.reports.formats.templates.format import TemplateFormat
from catalogue.reports.formats.templates.validation import definition_checked
from catalogue.reports.formats.tsv.format import TsvFormat
from dsrhub.files.disk import FoundFile, NotARegularFile, ends_in
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.wording import listed


def delivery_format(delivery: Delivery, template: TemplateVersion | None = None) -> ReportFormat:
    """The format of a delivery: that of the template, if one was chosen.

    Raises TemplateAmbiguous for a file that several templates recognise, and InvalidReportName for one that is no TSV
    report and that no template recognises.
    """
    if template is not None:
        return template_format(template)
    found = formats_of(delivery, active_formats)
    if len(found) > 1:
        names = [one.template_name for one in found if isinstance(one, TemplateFormat)]
        text = _("%(name)s: several templates recognise this file: %(templates)s. Choose one of them.")
        raise TemplateAmbiguous(text % {"name": delivery.name, "templates": listed(names)}, templates=names)
    (only,) = found
    if isinstance(only, TsvFormat) and not ends_in(delivery.unpacked_name, only.endings):
        text = _("%(name)s: no template recognises this file. Make a template for its sender, or choose one.")
        raise InvalidReportName(text % {"name": delivery.name}, name=delivery.name)
    return only


def is_recognised(file: FoundFile) -> bool:
    """Whether a template recognises a file, or several do; true for what cannot be opened: its import tells why."""
    try:
        delivery = Delivery(file.path, file.path.name, folder=file.folder)
        return not isinstance(formats_of(delivery, active_formats)[0], TsvFormat)
    except (OSError, NotARegularFile):
        return True


def active_formats() -> Sequence[TemplateFormat]:
    """A format for each active template."""
    return [template_format(version) for version in active_versions()]


def template_format(version: TemplateVersion) -> TemplateFormat:
    """The format of a version of a template. Raises InvalidTemplate."""
    return TemplateFormat(
        definition_checked(version.definition),
        template_name=version.template.name,
        version_number=version.number,
        version_id=version.pk,
    )
