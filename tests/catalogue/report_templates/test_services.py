"""Templates are saved as versions that never change, and shared as documents of JSON."""

import pytest

from catalogue.exceptions import InvalidTemplate, TemplateExists, TemplateInUse, TemplateNotFound
from catalogue.models import Template
from catalogue.report_templates.selectors import active_versions, template_get, template_version
from catalogue.report_templates.services import (
    template_activate,
    template_clone,
    template_delete,
    template_export,
    template_import,
    template_save,
)
from dsrhub.exceptions import ConfirmationOutdated
from dsrhub.models import AuditEntry
from tests.catalogue import recipes
from tests.catalogue.reports.formats.templates.definitions import TONBANK, changed

pytestmark = pytest.mark.django_db

OTHER = changed("fields.revenue.columns", ["Gross"])


@pytest.fixture
def saved():
    return template_save(name="Tonbank", definition=TONBANK)


def log():
    """The action, the name and the details of each entry. Tests run as a user of the system, as commands do."""
    entries = AuditEntry.objects.order_by("id")
    return [(one.action, one.object_name, {**one.details, "system_user": None}) for one in entries]


def entry(action, name, **details):
    return f"template_{action}", name, {**details, "system_user": None}


def test_each_change_is_a_new_version(saved):
    template = saved.template_id
    second = template_save(name="Tonbank", definition=OTHER, template_number=template, seen_version=1)
    again = template_save(name="Tonbank", definition=OTHER, template_number=template)

    assert (saved.number, second.number, again) == (1, 2, second)
    assert template_version(template_get(template)) == second
    assert template_version(template_get(template), 1).definition["fields"]["revenue"]["columns"] == ["Net"]
    assert log() == [
        entry("added", "Tonbank", version=1),
        entry("changed", "Tonbank", old_version=1, new_version=2),
    ]


def test_another_name_is_no_new_version(saved):
    renamed = template_save(name=" Tonbank  2 ", definition=TONBANK, template_number=saved.template_id)
    assert (renamed, Template.objects.get(pk=saved.template_id).name) == (saved, "Tonbank 2")
    names = {"old_name": "Tonbank", "new_name": "Tonbank 2"}
    assert log()[-1] == entry("changed", "Tonbank 2", **names, old_version=1, new_version=1)


@pytest.mark.parametrize(
    ("name", "code"), [("", "required"), (" ", "required"), ("a" * 101, "too_long"), ("a\0b", "not_printable")]
)
def test_a_name_that_cannot_be_is_a_fault_of_the_name(name, code):
    with pytest.raises(InvalidTemplate) as error:
        template_save(name=name, definition=TONBANK)
    (fault,) = error.value.extra["faults"]
    assert (fault.path, fault.code) == ("name", code)


def test_a_name_is_there_once(saved):
    with pytest.raises(TemplateExists) as error:
        template_save(name="Tonbank", definition=OTHER)
    assert error.value.extra == {"id": saved.template_id}
    assert log()[1:] == []


def test_who_edits_an_old_version_is_told(saved):
    template_save(name="Tonbank", definition=OTHER, template_number=saved.template_id, seen_version=1)
    with pytest.raises(ConfirmationOutdated):
        template_save(name="Tonbank", definition=TONBANK, template_number=saved.template_id, seen_version=1)
    assert template_get(saved.template_id).version_number == 2


def test_a_clone_is_inactive_until_it_is_told_from_the_first(saved):
    clone = template_clone(template_number=saved.template_id, name="Tonbank Germany")
    assert (clone.definition, clone.number, clone.template.is_active) == (saved.definition, 1, False)
    assert log()[-1] == entry("added", "Tonbank Germany", version=1, clone_of="Tonbank")
    template_activate(template_number=clone.template_id, is_active=True)
    assert {saved.pk, clone.pk} <= {version.pk for version in active_versions()}
    template_activate(template_number=saved.template_id, is_active=False)
    assert saved.pk not in {version.pk for version in active_versions()}


def test_a_document_is_imported_as_it_was_exported(saved):
    document = template_export(template_number=saved.template_id)
    assert document == {"dsrhub_template": 1, "name": "Tonbank", "definition": saved.definition}
    assert template_import(document=document) == saved
    template_delete(template_number=saved.template_id)
    assert template_import(document=document).definition == saved.definition


def test_a_document_replaces_a_template_only_where_that_is_asked_for(saved):
    document = {"dsrhub_template": 1, "name": "Tonbank", "definition": OTHER}
    with pytest.raises(TemplateExists):
        template_import(document=document)
    assert template_import(document=document, replace=True).number == 2
    assert template_export(template_number=saved.template_id, version_number=1)["definition"] == saved.definition


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (None, "dsrhub_template"),
        ({"name": "a", "definition": TONBANK}, "dsrhub_template"),
        ({"dsrhub_template": True, "name": "a", "definition": TONBANK}, "dsrhub_template"),
        ({"dsrhub_template": 2, "name": "a", "definition": TONBANK}, "dsrhub_template"),
        ({"dsrhub_template": 1, "definition": TONBANK}, "name"),
        ({"dsrhub_template": 1, "name": "a", "definition": TONBANK, "colour": 1}, "colour"),
        ({"dsrhub_template": 1, "name": "a"}, ""),
    ],
)
def test_a_document_that_is_no_template_says_what_it_lacks(document, path):
    with pytest.raises(InvalidTemplate) as error:
        template_import(document=document)
    assert error.value.extra["faults"][0].path == path


def test_a_template_that_read_a_message_stays(saved):
    recipes.message.make(template_version=saved)
    with pytest.raises(TemplateInUse) as error:
        template_delete(template_number=saved.template_id)
    assert error.value.extra == {"messages": 1, "files": 0}
    with pytest.raises(TemplateNotFound):
        template_delete(template_number=0)
