"""Templates in the admin: the editor, samples and their checks, versions, clones and documents of JSON."""

import html
import json
import re
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.html import strip_tags

from catalogue.admin.report_templates.forms import form_of
from catalogue.models import DSR, Template, TemplateVersion
from catalogue.report_templates.services import template_activate, template_save
from catalogue.reports.formats.templates.definition import definition_json
from catalogue.reports.formats.templates.validation import definition_checked
from tests.catalogue import recipes
from tests.catalogue.helpers import query_count, shown, staff_with
from tests.catalogue.report_templates.helpers import csv_text, sale
from tests.catalogue.reports.formats.templates.definitions import TONBANK, changed
from tests.confirming import confirm_action, confirm_deletion

pytestmark = pytest.mark.django_db

TEMPLATES = "/admin/catalogue/template/"
NAME = "tonbank.csv"


@pytest.fixture(autouse=True)
def _uploads(tmp_path, settings):
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"


@pytest.fixture(autouse=True)
def _no_shipped_templates(db):
    Template.objects.all().delete()


@pytest.fixture
def saved():
    return template_save(name="Tonbank", definition=TONBANK)


def sent(definition=TONBANK, name="Tonbank", **fields):
    """What a browser sends of the form of a definition."""
    form = form_of(definition_json(definition_checked(definition)), name=name)
    return {key: form.data.getlist(key) for key in form.data} | fields


def page_of(template, view="change"):
    return f"{TEMPLATES}{template.template_id}/{view}/"


def page_messages(response):
    return [str(one) for one in response.context["messages"]]


def text_of(response):
    return re.sub(r"\s+", " ", html.unescape(strip_tags(response.content.decode())))


def sample(client, *rows, name=NAME, template="", content=None):
    """Upload a sample, and return the address of the editor with it."""
    content = csv_text(rows).encode() if content is None else content
    form = {"sample": SimpleUploadedFile(name, content), "template": template}
    response = client.post(f"{TEMPLATES}sample/", form)
    assert response.status_code == 302, text_of(response)
    return response["Location"]


def token_of(address):
    return address.partition("sample=")[2]


# --- The editor ------------------------------------------------------------------------------------------------


def test_a_template_is_added_changed_and_each_save_is_a_version(admin_client):
    response = admin_client.post(f"{TEMPLATES}add/", sent(_save=""), follow=True)
    assert page_messages(response) == ["Template Tonbank is saved as version 1."]
    first = TemplateVersion.objects.get()
    assert first.definition == definition_json(definition_checked(TONBANK))
    assert first.saved_by.username == "admin"
    other = changed("fields.revenue.columns", ["Gross"])
    admin_client.post(page_of(first), sent(other, seen_version="1", _save=""))
    assert Template.objects.get().version_number == 2
    assert TemplateVersion.objects.get(number=2).definition["fields"]["revenue"]["columns"] == ["Gross"]


FULL = {
    "sender": "Tonbank",
    "recognition": {"headings": ["Net", "Store"], "name_pattern": "*_{period}.csv", "refused_names": ["S2_*"]},
    "file": {"encoding": "cp1252", "delimiter": "\t", "quote": "", "heading_row": 37},
    "rows": {
        "ends_at": ["Total"],
        "skip": [{"column": "Title", "values": ["Sum", ""]}, {"column": "Store", "values": ["All"]}],
    },
    "numbers": {"decimal": ",", "thousands": " ", "negatives": ["parentheses"]},
    "dates": {"forms": ["YYYYMM"], "whole_months": True},
    "fields": {
        "dsp": {"columns": ["Store"], "values": {"a => b": "Spotify"}},
        "offer": {"constant": "All"},
        "society": {"constant": "GEMA"},
        "territory": {"columns": ["Country"], "values": {"Neverland": "ZZ"}, "languages": ["en", "de"]},
        "currency": {"constant": "EUR"},
        "dsp_id": {"columns": ["Id", "ISRC"], "constant": "unknown"},
        "artists": {"columns": ["Artists"]},
        "usages": {"columns": ["Units"]},
        "revenue": {"columns": ["Net"]},
    },
    "artists_separator": "; ",
}


def test_a_form_keeps_all_that_a_template_can_say():
    data = definition_json(definition_checked(FULL))
    form = form_of(data, name="Tonbank")
    assert form.is_valid(), form.errors
    assert definition_json(definition_checked(form.definition())) == data


@pytest.mark.parametrize(
    ("fields", "name", "said"),
    [
        ({"name": ""}, "name", "This is required."),
        ({"sender": ""}, "sender", "This is required."),
        ({"fields-dsp-columns": ""}, "fields-dsp-columns", "This is required."),
        ({"fields-usages-columns": "Net"}, "fields-revenue-columns", "Column 'Net' is that of usages already."),
        ({"recognition-headings": "Net\nnet"}, "recognition-headings", "Column 'net' is named twice."),
        ({"fields-territory-values": "Spain => SP"}, "fields-territory-values", "Spain: 'SP' is no territory"),
        ({"fields-territory-values": "Spain ES"}, "fields-territory-values", "“Spain ES” is no pair"),
        ({"dates-forms": "YYYY-MM\nDD/MM"}, "dates-forms", "2: This is no form of dates"),
        ({"rows-skip": "=> Total"}, "rows-skip", "is no pair"),
        ({"file-delimiter": "x"}, "file-delimiter", "Select a valid choice"),
        ({"file-heading_row": "-3"}, "file-heading_row", "Select a valid choice"),
        ({"fields-offer-constant": "x" * 256}, "fields-offer-constant", "more than 255 characters"),
        ({"numbers-thousands": "."}, "numbers-thousands", "must not be the decimal sign"),
    ],
)
def test_an_error_stands_at_its_field(admin_client, fields, name, said):
    response = admin_client.post(f"{TEMPLATES}add/", sent(_save="") | fields)
    assert said in " ".join(response.context["form"].errors[name])
    assert said in text_of(response)
    assert not Template.objects.exists()


def test_a_name_that_is_taken_and_a_page_that_is_outdated_are_refused(admin_client, saved):
    response = admin_client.post(f"{TEMPLATES}add/", sent(_save=""))
    assert response.context["form"].errors["name"] == ["There is a template 'Tonbank' already."]
    template_save(name="Tonbank", definition=changed("sender", "Other"), template_number=saved.template_id)
    response = admin_client.post(page_of(saved), sent(seen_version="1", _save=""))
    assert response.context["form"].non_field_errors() == [
        "Template 'Tonbank' has changed since you opened it. Open it again."
    ]
    assert Template.objects.get().version_number == 2


def test_a_template_is_deactivated_without_a_new_version(admin_client, saved):
    form = sent(seen_version="1", _save="")
    del form["is_active"]
    admin_client.post(page_of(saved), form)
    template = Template.objects.get()
    assert (template.is_active, template.version_number) == (False, 1)


def test_users_who_may_only_view_see_the_template_and_save_nothing(client, saved):
    client.force_login(staff_with("view_template"))
    page = client.get(page_of(saved)).content.decode()
    assert 'name="_save"' not in page
    assert "disabled" in page
    assert client.post(page_of(saved), sent(changed("sender", "Other"), _save="")).status_code == 403
    assert Template.objects.get().version_number == 1


# --- Samples ---------------------------------------------------------------------------------------------------


def test_a_sample_is_guessed_and_shown_with_drop_downs(admin_client):
    address = sample(admin_client, sale(title="One"), sale(title="Two"))
    page = admin_client.get(address)
    fields = {one["heading"]: one["field"] for one in page.context["columns"]}
    assert fields == {
        "Store": "dsp",
        "Country": "territory",
        "Month": "period",
        "Currency": "currency",
        "ISRC": "isrc",
        "UPC": "icpn",
        "Title": "title",
        "Quantity": "usages",
        "Net": "revenue",
    }
    assert [row[6] for row in page.context["rows"]] == ["One", "Two"]
    # What only people know is asked for.
    assert [one["name"] for one in page.context["faults"]] == ["sender", "fields-offer-columns"]
    content = page.content.decode()
    assert all(f'id="id_{one["name"]}"' in content for one in page.context["faults"])


def test_a_check_of_the_form_shows_totals_and_saves_nothing(admin_client):
    address = sample(admin_client, sale(quantity="2", net="0.25"), sale(country="FR", net="1"), sale(net="0.1"))
    form = sent(sample=token_of(address))
    page = admin_client.post(f"{TEMPLATES}check/", form)
    check = page.context["check"]
    assert (check["line_count"], check["context_count"], check["is_fine"]) == ("3", "2", True)
    assert [(one["territory"], one["usages"], one["revenue"]) for one in check["contexts"]] == [
        ("FR", "1", "1.00 EUR"),
        ("ES", "3", "0.35 EUR"),
    ]
    assert "The whole file can be imported" in text_of(page)
    assert "<html" not in page.content.decode()
    assert (Template.objects.count(), DSR.objects.count()) == (0, 0)


def test_drop_downs_and_mapped_values_change_what_is_saved(admin_client):
    address = sample(admin_client, sale(country="Neverland"))
    form = sent(sample=token_of(address), _check="")
    form |= {"heading-8": "Net", "was-8": "revenue", "column-8": ""}
    form |= {"heading-7": "Quantity", "was-7": "usages", "column-7": "revenue"}
    form |= {"heading-6": "Title", "was-6": "title", "column-6": "dsp_id"}
    form |= {"map-field-0": "territory", "map-value-0": "Neverland", "map-to-0": "ZZ"}
    page = admin_client.post(f"{TEMPLATES}add/", form)
    data = page.context["form"].data
    names = ("fields-revenue-columns", "fields-usages-columns", "fields-dsp_id-columns", "fields-territory-values")
    values = [data.get(name, "") for name in names]
    assert values == ["Quantity", "", "Title\nISRC\nUPC", "Neverland => ZZ"]
    assert not Template.objects.exists()


def test_values_that_no_map_knows_can_be_mapped(admin_client):
    address = sample(admin_client, sale(country="Neverland", net="3"), sale(country="Utopia", net="5"))
    form = sent(sample=token_of(address))
    check = admin_client.post(f"{TEMPLATES}check/", form).context["check"]
    found = [(one["label"], one["value"], one["revenue"], one["line"]) for one in check["unmapped"]]
    assert found == [("territory", "Utopia", ["5.00 EUR"], "3"), ("territory", "Neverland", ["3.00 EUR"], "2")]
    assert not check["is_fine"]
    for number, value in enumerate(("Utopia", "Neverland")):
        form |= {f"map-field-{number}": "territory", f"map-value-{number}": value, f"map-to-{number}": "ZZ"}
    check = admin_client.post(f"{TEMPLATES}check/", form).context["check"]
    assert (check["unmapped"], check["is_fine"]) == ([], True)


def test_stores_without_a_dsr_are_listed(admin_client):
    recipes.dsr.make(dsp="Spotify")
    address = sample(admin_client, sale(), sale(store="Spotify AB", net="2"))
    form = sent(sample=token_of(address))
    check = admin_client.post(f"{TEMPLATES}check/", form).context["check"]
    assert [(one["value"], one["revenue"]) for one in check["new_stores"]] == [("Spotify AB", ["2.00 EUR"])]
    form |= {"map-field-0": "dsp", "map-value-0": "Spotify AB", "map-to-0": "Spotify"}
    check = admin_client.post(f"{TEMPLATES}check/", form).context["check"]
    assert (check["new_stores"], check["context_count"]) == ([], "1")


def test_a_file_that_takes_too_long_is_checked_in_part(admin_client, monkeypatch):
    monkeypatch.setattr("catalogue.admin.report_templates.checks.SECONDS", 0)
    monkeypatch.setattr("catalogue.admin.report_templates.checks.FIRST_ROWS", 2)
    address = sample(admin_client, *[sale()] * 5)
    form = sent(sample=token_of(address))
    page = admin_client.post(f"{TEMPLATES}check/", form)
    assert "Only the first 2 rows are checked" in text_of(page)
    page = admin_client.post(f"{TEMPLATES}check/", form | {"whole": "1"})
    assert page.context["check"]["line_count"] == "5"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"%PDF-1.7 ", "a PDF document"),
        (bytes(range(256)), "neither text nor a workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "XLS"),
    ],
)
def test_a_file_of_another_kind_is_refused(admin_client, content, said):
    response = admin_client.post(f"{TEMPLATES}sample/", {"sample": SimpleUploadedFile("a.csv", content)})
    assert response.status_code == 200
    assert said in " ".join(response.context["form"].errors["sample"])


def test_a_sample_has_the_limit_of_an_upload(admin_client, settings):
    settings.DSRHUB_UPLOAD_LIMIT_BYTES = 10
    response = admin_client.post(f"{TEMPLATES}sample/", {"sample": SimpleUploadedFile(NAME, b"a" * 11)})
    assert response.context["form"].errors["sample"] == ["tonbank.csv is larger than 10\xa0bytes."]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a,b\n\xe9,\xff\n", b"\n\n\n", "Store\n\0".encode("utf-16")])
def test_awkward_samples_have_a_page(admin_client, content):
    address = sample(admin_client, content=content + b" " * (not content))
    page = admin_client.get(address)
    assert page.status_code == 200
    form = sent(sample=token_of(address))
    assert admin_client.post(f"{TEMPLATES}check/", form).status_code == 200


def test_a_sample_belongs_to_its_user_and_only_the_last_ones_are_kept(admin_client, client, settings):
    addresses = [sample(admin_client, sale()) for _ in range(4)]
    assert sorted(path.name for path in Path(settings.DSRHUB_UPLOAD_DIR).iterdir()) == sorted(
        map(token_of, addresses[1:])
    )
    assert "The sample is gone. Upload it again." in text_of(admin_client.get(addresses[0]))
    check = admin_client.post(f"{TEMPLATES}check/", sent(sample=token_of(addresses[0])))
    assert "The sample is gone. Upload it again." in text_of(check)
    client.force_login(staff_with("add_template"))
    assert client.get(addresses[1]).context["sample"] is None
    for token in ("../../etc/passwd", "x" * 5000, ""):
        assert client.get(f"{TEMPLATES}add/", {"sample": token}).context["sample"] is None


def test_a_sample_that_templates_recognise_already_says_so(admin_client, saved):
    template_save(name="Inactive", definition=TONBANK)
    template_activate(template_number=Template.objects.get(name="Inactive").pk, is_active=False)
    page = text_of(admin_client.get(sample(admin_client, sale())))
    assert "Templates that recognise this file already: Tonbank." in page


def test_a_file_with_very_many_columns_has_drop_downs_over_the_first_ones(admin_client):
    content = ",".join(f"Column {number}" for number in range(300)).encode() + b"\n"
    page = admin_client.get(sample(admin_client, content=content))
    assert (len(page.context["columns"]), page.context["hidden_columns"]) == (200, "100")
    form = sent(sample="") | {f"{part}-{number}": "" for part in ("heading", "was", "column") for number in range(200)}
    form |= {f"map-{part}-{number}": "" for part in ("field", "value", "to") for number in range(50)}
    assert admin_client.post(f"{TEMPLATES}check/", form).status_code == 200


def test_a_sample_is_tried_with_a_template_that_is_there(admin_client, saved):
    address = sample(admin_client, sale(), template=saved.template_id)
    assert address.startswith(page_of(saved))
    assert admin_client.get(address).context["check"]["is_fine"]


def test_names_of_samples_and_cells_are_escaped(admin_client):
    evil = "<script>alert(1)</script>"
    address = sample(admin_client, sale(title=evil, country=evil), name=f"{evil}.csv")
    page = admin_client.post(f"{TEMPLATES}add/", sent(sample=token_of(address), _check="")).content.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(" not in page


# --- The list, versions, clones and documents ------------------------------------------------------------------


def test_the_list_shows_the_sender_the_version_and_the_last_use(admin_client, saved):
    never = template_save(name="Other", definition=changed("sender", "Other sender"))
    recipes.message.make(template_version=saved)
    page = admin_client.get(TEMPLATES)
    assert shown(page, "name") == ["Other", "Tonbank"]
    assert shown(page, "sender") == ["Other sender", "Tonbank"]
    assert [bool(one.strip("-")) for one in shown(page, "last_use")] == [False, True]
    assert never.number == 1


def test_the_list_needs_the_same_queries_for_1_and_for_many(admin_client, saved):
    before = query_count(admin_client, TEMPLATES)
    for number in range(5):
        template_save(name=f"Tonbank {number}", definition=TONBANK)
    assert query_count(admin_client, TEMPLATES) == before


def test_versions_say_what_each_one_changed(admin_client, saved):
    second = changed("fields.territory.values", {"Neverland": "ZZ"})
    second["fields"]["revenue"]["columns"] = ["Gross"]
    second["dates"]["whole_months"] = True
    template_save(name="Tonbank", definition=second, template_number=saved.template_id)
    page = admin_client.get(page_of(saved, "history"))
    newest, first = page.context["versions"]
    assert first["changes"] == []
    assert [tuple(one) for one in newest["changes"]] == [
        ("A day stands for its month", "", "✓"),
        ("revenue: column", "Net", "Gross"),
        ("territory: map of values: Neverland", "", "ZZ"),
    ]


def test_a_template_is_cloned(admin_client, saved):
    address = page_of(saved, "clone")
    assert admin_client.get(address).context["form"].initial["name"] == "Tonbank (copy)"
    taken = admin_client.post(address, {"name": "Tonbank"})
    assert taken.context["form"].errors["name"] == ["There is a template 'Tonbank' already."]
    admin_client.post(address, {"name": "Tonbank 2"})
    clone = Template.objects.get(name="Tonbank 2")
    assert (clone.is_active, clone.versions.get().definition) == (False, saved.definition)


def test_a_template_is_exported_and_imported(admin_client, saved):
    template_save(name="Tonbank", definition=changed("sender", "T"), template_number=saved.template_id)
    answer = admin_client.get(page_of(saved, "export") + "?version=1")
    assert answer["Content-Disposition"] == 'attachment; filename="tonbank.json"'
    document = json.loads(answer.content)
    assert document == {"dsrhub_template": 1, "name": "Tonbank", "definition": saved.definition}
    refused = send_document(admin_client, document)
    assert refused.context["form"].errors["document"] == ["There is a template 'Tonbank' already."]
    assert send_document(admin_client, document, replace="on").status_code == 302
    assert Template.objects.get().version_number == 3
    assert send_document(admin_client, document | {"name": "Other"}).status_code == 302
    assert Template.objects.get(name="Other").versions.get().definition == saved.definition


def send_document(client, document, **form):
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return client.post(f"{TEMPLATES}import/", {"document": SimpleUploadedFile("a.json", content)} | form)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "This is no document of JSON"),
        (b"\xff\xfe{}", "This is no document of JSON"),
        (b'{"a": 1, "a": 2}', "'a' is there twice"),
        (b"[" * 100_000, "This is no document of JSON"),
        (b"{}", "dsrhub_template: This is no template"),
        ({"dsrhub_template": 1, "name": "A", "definition": {}}, "Sender: This is required."),
        (
            {"dsrhub_template": 1, "name": "A", "definition": changed("fields.dsp", None)},
            "DSP (store): This is required.",
        ),
        (b" " * (1024 * 1024 + 1), "is larger than"),
    ],
)
def test_a_document_that_is_no_template_is_refused(admin_client, content, said):
    response = send_document(admin_client, content)
    assert said in " ".join(response.context["form"].errors["document"])
    assert not Template.objects.exists()


def test_only_who_may_change_templates_replaces_one(client, saved):
    client.force_login(staff_with("add_template", "view_template"))
    document = {"dsrhub_template": 1, "name": "Tonbank", "definition": changed("sender", "Other")}
    send_document(client, document, replace="on")
    assert Template.objects.get().version_number == 1


def test_a_template_is_deleted_unless_it_has_read_a_message(admin_client, saved):
    other = template_save(name="Other", definition=TONBANK)
    recipes.message.make(template_version=saved)
    response = confirm_deletion(admin_client, page_of(saved, "delete"), follow=True)
    assert page_messages(response)[0].startswith("Nothing was deleted.")
    form = {"action": "delete_selected", "_selected_action": [saved.template_id, other.template_id], "post": "yes"}
    confirm_action(admin_client, TEMPLATES, form)
    assert Template.objects.count() == 2
    confirm_deletion(admin_client, page_of(other, "delete"))
    assert Template.objects.get().name == "Tonbank"


@pytest.mark.parametrize("number", ["0", "9" * 30])
@pytest.mark.parametrize("view", ["change/", "history/", "export/?version=0", "clone/"])
def test_a_template_that_is_not_there(admin_client, number, view):
    assert admin_client.get(f"{TEMPLATES}{number}/{view}").status_code == 404


@pytest.mark.parametrize("version", ["2", "0", "-1", "x", "9" * 30])
def test_a_version_that_is_not_there(admin_client, saved, version):
    assert admin_client.get(page_of(saved, "export"), {"version": version}).status_code == 404
