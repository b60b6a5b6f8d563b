"""Which format reads a delivery: a fixed one, or a template of the database."""

from collections.abc import Sequence

from catalogue.exceptions import FileNotRecognised, TemplateAmbiguous
from catalogue.models import TemplateVersion
from catalogue.report_templates.selectors import active_versions
from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.interface import ReportFormat
from catalogue.reports.formats.registry import formats_of
from catalogue.reports.formats.templates.format import TemplateFormat
from catalogue.reports.formats.templates.recognition import FirstRows, Nearness
from catalogue.reports.formats.templates.validation import definition_checked
from catalogue.reports.formats.tsv.format import TsvFormat, has_tsv_headings
from catalogue.reports.formats.tsv.name import is_report_name
from catalogue.reports.problems import shown
from dsrhub.files.disk import FoundFile, NotARegularFile
from dsrhub.texts.marked import Text
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.wording import listed


def delivery_format(delivery: Delivery, template: TemplateVersion | None = None) -> ReportFormat:
    """The format of a delivery: that of the template, if one was chosen.

    Raises TemplateAmbiguous for a file that several templates recognise, and FileNotRecognised for one that is no TSV
    report, by its name or its headings, and that no template recognises.
    """
    if template is not None:
        return template_format(template)
    found = formats_of(delivery, active_formats)
    if len(found) > 1:
        names = [one.template_name for one in found if isinstance(one, TemplateFormat)]
        text = _("%(name)s: several templates recognise this file: %(templates)s. Choose one of them.")
        raise TemplateAmbiguous(text % {"name": delivery.name, "templates": listed(names)}, templates=names)
    (only,) = found
    if isinstance(only, TsvFormat) and not _may_be_report(delivery):
        raise _not_recognised(delivery)
    return only


def _may_be_report(delivery: Delivery) -> bool:
    """Whether a file may be a TSV report: with a wrong name or with wrong headings, but not with both."""
    return is_report_name(delivery.name) or has_tsv_headings(delivery.head())


def _not_recognised(delivery: Delivery) -> FileNotRecognised:
    """Says which template is the nearest one: the one with the smallest share of missing columns."""
    file, name = FirstRows(delivery), delivery.name
    found = [(near, one) for one in active_formats() if (near := one.nearness(file)) is not None]
    if not found:
        text = _("%(name)s: no template recognises this file. Make a template for its sender, or choose one.")
        return FileNotRecognised(text % {"name": name}, name=name, template=None, missing_columns=[])
    near, template = min(found, key=lambda pair: (pair[0].missing_share, not pair[0].name_fits))
    facts = {"name": name, "template": template.template_name}
    reason = _name_differs(template, facts) if not near.missing else _columns_missing(near, facts)
    return FileNotRecognised(reason, **facts, missing_columns=list(near.missing))


def _name_differs(template: TemplateFormat, facts: dict[str, str]) -> Text:
    text = _(
        "%(name)s: no template recognises this file. It has the columns of the nearest one, %(template)s, whose files "
        "are named %(pattern)s. Choose this template, or make one for the sender."
    )
    return text % {**facts, "pattern": template.definition.recognition.name_pattern}


def _columns_missing(near: Nearness, facts: dict[str, str]) -> Text:
    text = _(
        "%(name)s: no template recognises this file. The nearest one is %(template)s, of which these columns are "
        "missing: %(columns)s. Make a template for its sender, or choose one."
    )
    return text % {**facts, "columns": listed([shown(heading) for heading in near.missing])}


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
