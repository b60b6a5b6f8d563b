"""Questions about templates."""

from django.db.models import F

from catalogue.exceptions import TemplateNotFound
from catalogue.models import Template, TemplateVersion
from dsrhub.texts.marked import gettext_lazy as _

# How a document says that it is a template, and of which edition of its form.
DOCUMENT_KEY, EDITION = "dsrhub_template", 1


def template_get(template_number: int) -> Template:
    """Raises TemplateNotFound."""
    template = Template.objects.filter(pk=template_number).first()
    if template is None:
        raise TemplateNotFound(_("There is no template %(id)s.") % {"id": template_number}, id=template_number)
    return template


def template_named(name: str) -> Template:
    """The template of this name. Raises TemplateNotFound."""
    template = Template.objects.filter(name=name).first()
    if template is None:
        raise TemplateNotFound(_("There is no template %(name)s.") % {"name": repr(name)}, name=name)
    return template


def template_version(template: Template, number: int | None = None) -> TemplateVersion:
    """A version of a template: by default, the latest one. Raises TemplateNotFound."""
    version = template.versions.filter(number=template.version_number if number is None else number).first()
    if version is None:
        text = _("Template %(name)s has no version %(number)s.") % {"name": repr(template.name), "number": number}
        raise TemplateNotFound(text, name=template.name, number=number)
    return version


def latest_version(name: str) -> TemplateVersion:
    """The latest version of the template of this name. Raises TemplateNotFound."""
    return template_version(template_named(name))


def active_versions() -> list[TemplateVersion]:
    """The latest version of each active template, with its template, by name."""
    latest = TemplateVersion.objects.filter(template__is_active=True, number=F("template__version_number"))
    return list(latest.select_related("template").order_by("template__name"))
