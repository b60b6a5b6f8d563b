"""Changes of templates. Each leaves an entry in the audit log, in its own transaction.

The doors ask for the permissions: `catalogue.add_template` to save a new template, to clone and to import;
`catalogue.change_template` to save a new version, to import over a template, and to activate;
`catalogue.delete_template` to delete; `catalogue.export_template` to export; `catalogue.view_template` for all else.
"""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from catalogue.exceptions import InvalidTemplate, TemplateExists, TemplateInUse
from catalogue.models import ImportJob, ReportMessage, SupersededMessage, Template, TemplateVersion
from catalogue.report_templates.selectors import DOCUMENT_KEY, EDITION, template_get, template_version
from catalogue.reports.formats.templates.definition import definition_json
from catalogue.reports.formats.templates.reading import Fault, FaultCode
from catalogue.reports.formats.templates.validation import LONGEST_NAME, definition_checked, invalid_template
from dsrhub.database.statements import execute
from dsrhub.exceptions import ConfirmationOutdated
from dsrhub.logs.audit import audit
from dsrhub.models import Action
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.spelling import plain_name


def template_save(
    *,
    name: str,
    definition: object,
    template_number: int | None = None,
    seen_version: int | None = None,
    user: User | None = None,
) -> TemplateVersion:
    """Save a definition, as values of JSON, as a new template or as the next version of a template.

    The same definition again makes no new version. `seen_version` is the number of the version that a user edited.

    Raises InvalidTemplate with its faults, that of the name at `name`; TemplateNotFound; TemplateExists for another
    template of the name; ConfirmationOutdated where a newer version than `seen_version` is there.
    """
    name = _usable_name(name)
    plain = definition_json(definition_checked(definition))
    with transaction.atomic():
        templates_lock()
        _require_free(name, but=template_number)
        if template_number is None:
            return _add(Template(name=name), plain, user)
        template = template_get(template_number)
        if seen_version is not None and seen_version != template.version_number:
            raise ConfirmationOutdated(
                _("Template %(name)s has changed since you opened it. Open it again.") % {"name": repr(template.name)}
            )
        return _save_version(template, name, plain, user)


def _add(template: Template, plain: dict[str, Any], user: User | None, **details: str) -> TemplateVersion:
    template.version_number = 1
    template.save()
    audit(Action.TEMPLATE_ADDED, template, user=user, details={"version": 1, **details})
    return TemplateVersion.objects.create(template=template, number=1, definition=plain, saved_by=user)


def _save_version(template: Template, name: str, plain: dict[str, Any], user: User | None) -> TemplateVersion:
    latest = template_version(template)
    if latest.definition == plain and template.name == name:
        return latest
    details: dict[str, Any] = {"old_version": template.version_number}
    if template.name != name:
        details |= {"old_name": template.name, "new_name": name}
        template.name = name
    if latest.definition != plain:
        template.version_number += 1
        latest = TemplateVersion.objects.create(
            template=template, number=template.version_number, definition=plain, saved_by=user
        )
    template.save()
    details |= {"new_version": template.version_number}
    audit(Action.TEMPLATE_CHANGED, template, user=user, details=details)
    return latest


def template_activate(*, template_number: int, is_active: bool, user: User | None = None) -> Template:
    """Let a template recognise files, or no longer. Raises TemplateNotFound."""
    with transaction.atomic():
        templates_lock()
        template = template_get(template_number)
        if template.is_active != is_active:
            template.is_active = is_active
            template.save()
            audit(Action.TEMPLATE_CHANGED, template, user=user, details={"is_active": is_active})
    return template


def template_clone(*, template_number: int, name: str, user: User | None = None) -> TemplateVersion:
    """Make a new template with the latest definition of another one. Inactive: both would recognise the same files.

    Raises TemplateNotFound, and InvalidTemplate and TemplateExists for the name.
    """
    name = _usable_name(name)
    with transaction.atomic():
        templates_lock()
        _require_free(name, but=None)
        original = template_get(template_number)
        copy = Template(name=name, is_active=False)
        return _add(copy, template_version(original).definition, user, clone_of=original.name)


def template_delete(*, template_number: int, user: User | None = None) -> None:
    """Delete a template with all of its versions.

    Raises TemplateNotFound, and TemplateInUse where a message, or a superseded one, was read with it, or an uploaded
    file waits to be: deactivate it.
    """
    with transaction.atomic():
        templates_lock()
        template = template_get(template_number)
        used = {"template_version__template": template}
        messages = sum(model.objects.filter(**used).count() for model in (ReportMessage, SupersededMessage))
        files = ImportJob.objects.filter(**used, state__in=ImportJob.OPEN).count()
        if messages or files:
            text = _("Template %(name)s has read files that are imported or wait to be. Deactivate it instead.")
            raise TemplateInUse(text % {"name": repr(template.name)}, messages=messages, files=files)
        details = {"version": template.version_number}
        audit(Action.TEMPLATE_DELETED, template, user=user, details=details)
        template.delete()


# --- Documents -------------------------------------------------------------------------------------------------


def template_export(*, template_number: int, version_number: int | None = None) -> dict[str, Any]:
    """A version of a template as a document of JSON, to be shared: by default, the latest one.

    Raises TemplateNotFound.
    """
    template = template_get(template_number)
    version = template_version(template, version_number)
    return {DOCUMENT_KEY: EDITION, "name": template.name, "definition": version.definition}


def template_import(*, document: object, replace: bool = False, user: User | None = None) -> TemplateVersion:
    """Save a document of JSON as a new template; with `replace`, also as the next version of that of its name.

    Raises InvalidTemplate; TemplateExists for a template of the name with another definition, without `replace`.
    """
    name, definition = document_parts(document)
    with transaction.atomic():
        templates_lock()
        template = Template.objects.filter(name=_usable_name(name)).first()
        if template is None:
            return template_save(name=name, definition=definition, user=user)
        plain = definition_json(definition_checked(definition))
        if not replace and plain != template_version(template).definition:
            raise _exists(template)
        return template_save(name=name, definition=plain, template_number=template.pk, user=user)


def document_parts(document: object) -> tuple[str, Any]:
    """The name and the definition of a document. Raises InvalidTemplate."""
    parts = document if isinstance(document, dict) else {}
    if parts.get(DOCUMENT_KEY) != EDITION or isinstance(parts.get(DOCUMENT_KEY), bool):
        text = _("This is no template: it lacks %(key)s with the value %(edition)s.")
        raise _invalid(DOCUMENT_KEY, FaultCode.REQUIRED, text % {"key": DOCUMENT_KEY, "edition": EDITION})
    for key in parts.keys() - {DOCUMENT_KEY, "name", "definition"}:
        raise _invalid(str(key), FaultCode.UNKNOWN_KEY, _("There is no such key."))
    name = parts.get("name")
    if not isinstance(name, str):
        raise _invalid("name", FaultCode.WRONG_TYPE, _("This must be a text."))
    return name, parts.get("definition")


# --- Names -----------------------------------------------------------------------------------------------------


def _usable_name(name: str) -> str:
    """The name in its plain form. Raises InvalidTemplate."""
    plain = plain_name(name)
    if not plain:
        raise _invalid("name", FaultCode.REQUIRED, _("This is required."))
    if len(plain) > LONGEST_NAME:
        text = _("This has more than %(most)s characters.") % {"most": LONGEST_NAME}
        raise _invalid("name", FaultCode.TOO_LONG, text)
    if not plain.isprintable():
        raise _invalid("name", FaultCode.NOT_PRINTABLE, _("This has a character that does not print."))
    return plain


def _require_free(name: str, *, but: int | None) -> None:
    other = Template.objects.filter(name=name).first()
    if other is not None and other.pk != but:
        raise _exists(other)


def _exists(template: Template) -> TemplateExists:
    text = _("There is a template %(name)s already.") % {"name": repr(template.name)}
    return TemplateExists(text, id=template.pk)


def _invalid(path: str, code: FaultCode, text: Any) -> InvalidTemplate:
    return invalid_template([Fault(path, code, text)])


def templates_lock() -> None:
    """Let others who change templates wait until this transaction ends. Imports still read them."""
    execute("LOCK TABLE catalogue_template IN SHARE ROW EXCLUSIVE MODE")
