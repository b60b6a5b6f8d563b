"""Templates on the page of an import: one is made of a file, changed with it, or chosen for it."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from catalogue.models import ImportJob, ReportMessage, TemplateVersion
from catalogue.report_templates.services import template_activate, template_save
from tests.catalogue.admin.report_templates.test_templates import (
    NAME,
    TEMPLATES,
    page_messages,
    page_of,
    sent,
    text_of,
    token_of,
)
from tests.catalogue.helpers import staff_with
from tests.catalogue.report_templates.helpers import csv_text, sale
from tests.catalogue.reports.formats.templates.definitions import TONBANK, changed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _uploads(tmp_path, settings):
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"


@pytest.fixture
def saved():
    return template_save(name="Tonbank", definition=TONBANK)


def upload(client, *rows):
    files = [SimpleUploadedFile(NAME, csv_text(rows).encode())]
    address = client.post("/admin/catalogue/dsr/import/", {"import_file": files, "format": "0"})["Location"]
    return address, ImportJob.objects.get()


def test_a_template_is_made_of_a_file_that_nothing_recognises_and_reads_it(admin_client):
    address, job = upload(admin_client, sale(net="1.25"))
    page = text_of(admin_client.get(address))
    assert "no template recognises this file" in page
    assert "Make a template from this file" in page
    editor = admin_client.post(f"{TEMPLATES}from-job/{job.pk}/")["Location"]
    form = sent(sample=token_of(editor), _save="")
    response = admin_client.post(editor, form, follow=True)
    assert response.redirect_chain == [(address, 302)]
    job.refresh_from_db()
    assert job.state == "checked"
    admin_client.post("/admin/catalogue/dsr/process_import/", {"upload": job.upload, "job": job.pk, "confirm": ""})
    saved, message = TemplateVersion.objects.get(template__name="Tonbank"), ReportMessage.objects.get()
    assert (message.template_version, message.dsrs.get().total_revenue) == (saved, 1.25)
    for owner in (f"/admin/catalogue/reportmessage/{message.pk}", f"/admin/catalogue/dsr/{message.dsrs.get().pk}"):
        assert "Tonbank 1" in text_of(admin_client.get(f"{owner}/change/"))


def test_a_template_that_is_made_of_a_file_reads_it_though_another_one_recognises_it(admin_client, saved):
    _address, job = upload(admin_client, sale(country="Neverland"))
    editor = admin_client.post(f"{TEMPLATES}from-job/{job.pk}/")["Location"]
    form = sent(changed("fields.territory.values", {"Neverland": "ZZ"}), "Other", sample=token_of(editor), _save="")
    admin_client.post(editor, form)
    job.refresh_from_db()
    assert (job.state, job.template_version.template.name) == ("checked", "Other")


def test_of_two_templates_that_recognise_a_file_one_is_chosen(admin_client, saved):
    other = template_save(name="Other", definition=changed("sender", "Other sender"))
    address, job = upload(admin_client, sale())
    page = admin_client.get(address)
    assert "Several templates recognise this file. Choose one:" in text_of(page)
    assert [str(one) for one in page.context["cards"][0]["recognising"]] == ["Other", "Tonbank"]
    form = {"upload": job.upload, "check": job.pk, f"template-{job.pk}": other.template_id}
    admin_client.post("/admin/catalogue/dsr/process_import/", form)
    job.refresh_from_db()
    assert (job.state, job.template_version) == ("checked", other)


def test_a_template_that_is_gone_cannot_be_chosen(admin_client, saved):
    template_activate(template_number=saved.template_id, is_active=False)
    _address, job = upload(admin_client, sale())
    form = {"upload": job.upload, "check": job.pk, f"template-{job.pk}": "0"}
    response = admin_client.post("/admin/catalogue/dsr/process_import/", form, follow=True)
    assert page_messages(response) == ["There is no template 0."]


def test_a_template_is_changed_with_a_file_that_it_cannot_read(admin_client, saved):
    address, job = upload(admin_client, sale(country="Neverland"))
    assert "Change the template with this file" in text_of(admin_client.get(address))
    editor = admin_client.post(f"{TEMPLATES}from-job/{job.pk}/?template={saved.template_id}")["Location"]
    assert editor.startswith(page_of(saved))
    form = sent(sample=token_of(editor), seen_version="1", _save="")
    form |= {"map-field-0": "territory", "map-value-0": "Neverland", "map-to-0": "ZZ"}
    admin_client.post(editor, form)
    job.refresh_from_db()
    assert (job.state, job.template_version.number) == ("checked", 2)


def test_only_who_may_make_templates_is_offered_one(client, saved):
    client.force_login(staff_with("import_dsr"))
    template_activate(template_number=saved.template_id, is_active=False)
    address, job = upload(client, sale())
    page = text_of(client.get(address))
    assert "Make a template from this file" not in page
    assert "needs: add template" in page
    assert client.post(f"{TEMPLATES}from-job/{job.pk}/").status_code == 403
