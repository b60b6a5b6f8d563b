"""Column files and templates at each door: both commands, REST and the admin."""

import io
import json
import re
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from catalogue.imports.queue.worker import queue_drain
from catalogue.models import DSR, ImportJob, ReportMessage, Template
from catalogue.report_templates.services import template_activate, template_delete, template_save
from catalogue.report_templates.shipped import shipped_documents
from tests.catalogue.helpers import NO_JANUARY, line, staff_with, user_with, write_report
from tests.catalogue.report_templates.helpers import HEADINGS, csv_file, csv_text, sale
from tests.catalogue.reports.formats.templates.definitions import TONBANK, changed

pytestmark = pytest.mark.django_db(transaction=True)

IMPORT = "/admin/catalogue/dsr/import/"
PROCESS = "/admin/catalogue/dsr/process_import/"


@pytest.fixture(autouse=True)
def _uploads(settings, tmp_path):
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"


@pytest.fixture
def tonbank():
    return template_save(name="Tonbank", definition=TONBANK)


@pytest.fixture
def other(tonbank):
    """A template that recognises the same files."""
    return template_save(name="Other", definition=changed("fields.offer.constant", "Other"))


def command(name, *words):
    """The lines on stdout and on stderr. The error of the command, if any, comes last."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(name, *map(str, words), stdout=out, stderr=err)
    except CommandError as failure:
        err.write(f"{failure}\n")
    return out.getvalue().splitlines(), err.getvalue().splitlines()


def offers():
    return list(DSR.objects.ingested().order_by("id").values_list("offer", "territory"))


# --- import_dsr ------------------------------------------------------------------------------------------------


def test_the_command_imports_column_files_of_a_folder(tmp_path, tonbank):
    folder = tmp_path / "reports"
    folder.mkdir()
    write_report(folder, NO_JANUARY, line("a", revenue="1"))
    csv_file(folder, sale(), sale(country="FR"), name="a.txt")
    csv_file(folder, sale(month="2020-02"), name="b.csv")
    (folder / "notes.txt").write_text("Store\nCountry\n")
    (folder / "unknown.csv").write_text("a,b\n1,2\n")

    out, err = command("import_dsr", folder)

    assert [text.partition(":")[0] for text in out if text[0] != " "] == [NO_JANUARY, "a.txt", "b.csv"]
    assert sorted(offers()) == [("SpotifyDuo", "NO"), ("Tonbank", "ES"), ("Tonbank", "ES"), ("Tonbank", "FR")]
    assert err == [
        f"skipped: {folder / 'notes.txt'}: a text that no template recognises.",
        "refused: unknown.csv: no template recognises this file. Make a template for its sender, or choose one.",
        "1 of 4 files refused, 1 file skipped.",
    ]


def test_the_command_names_the_nearest_template_of_a_named_file(tmp_path, tonbank):
    path = tmp_path / "notes.txt"
    path.write_text("Store,Country\n")
    out, err = command("import_dsr", path)
    assert out == []
    assert err[0].startswith(
        "refused: notes.txt: no template recognises this file. The nearest one is Tonbank, of which"
    )
    assert err[1] == "1 of 1 file refused."


def test_the_command_takes_a_template(tmp_path, tonbank, other):
    path = csv_file(tmp_path, sale())
    out, err = command("import_dsr", path)
    question = "several templates recognise this file: Other, Tonbank. Choose one of them."
    assert (out, err) == ([], [f"refused: tonbank.csv: {question}", "1 of 1 file refused."])
    command("import_dsr", path, "--template", "Other")
    assert offers() == [("Other", "ES")]
    assert command("import_dsr", path, "--template", "None")[1] == ["There is no template 'None'."]


# --- templates -------------------------------------------------------------------------------------------------


def test_templates_are_listed_exported_imported_and_cloned(tmp_path, tonbank):
    path = tmp_path / "tonbank.json"
    path.write_text("\n".join(command("templates", "export", "Tonbank")[0]))
    assert command("templates", "validate", path) == ([f"{path}: valid"], [])
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"definition": changed("fields.offer.constant", "New")}))
    assert command("templates", "import", path)[1] == ["There is a template 'Tonbank' already."]
    assert command("templates", "import", path, "--replace") == (["Tonbank: version 2"], [])
    assert json.loads("".join(command("templates", "export", "Tonbank", "--version-number", 1)[0])) == document
    command("templates", "clone", "Tonbank", "Tonbank Spain")
    command("templates", "deactivate", "Tonbank")
    command("templates", "activate", "Tonbank Spain")
    assert {"Tonbank: version 2, inactive", "Tonbank Spain: version 1"} <= {*command("templates", "list")[0]}
    command("templates", "delete", "Tonbank Spain")
    assert not Template.objects.filter(name="Tonbank Spain").exists()


def test_what_is_wrong_with_a_file_is_told_and_nothing_is_saved(tmp_path, tonbank):
    good, bad, other = tmp_path / "good.json", tmp_path / "bad.json", tmp_path / "other.json"
    good.write_text(json.dumps({"dsrhub_template": 1, "name": "Good", "definition": TONBANK}))
    bad.write_text(json.dumps({"dsrhub_template": 1, "name": "Bad", "definition": changed("fields.dsp", None)}))
    other.write_text("{")
    assert command("templates", "import", good, bad)[1] == [
        f"{bad}: not a valid template",
        "  fields.dsp: required: This is required.",
    ]
    assert command("templates", "validate", other)[1][0].startswith(f"{other}: not JSON: ")
    assert command("templates", "validate", tmp_path / "none.json")[1] == [
        f"{tmp_path / 'none.json'}: No such file or directory"
    ]
    assert not Template.objects.filter(name="Good").exists()
    assert command("templates", "import")[1] == ["Name a file, or give --shipped."]


def test_shipped_templates_come_back_if_asked():
    for template in Template.objects.all():
        template_delete(template_number=template.pk)
    names = [document["name"] for document in shipped_documents()]
    assert command("templates", "import", "--shipped")[0] == [f"{name}: version 1" for name in names]
    assert command("templates", "import", "--shipped") == ([], [])


def test_a_template_is_tried_on_a_file(tmp_path, tonbank):
    path = csv_file(tmp_path, sale(net="1.25"), sale(country="Spain", net="3"), sale("Deezer", net="x"))
    out, err = command("templates", "try", "Tonbank", path)
    assert out == [
        "3 rows of sales, 0 skipped, 2 DSRs",
        "EUR: 2 DSRs, 2 lines, 1 usages, 1.25 revenue",
        "  Spotify Tonbank, ES, EUR, 2020-01-01 to 2020-01-31: 1 lines, 1 usages, 1.25 revenue",
        "  Deezer Tonbank, ES, EUR, 2020-01-01 to 2020-01-31: 1 lines, 0 usages, 0 revenue",
        "unknown territory 'Spain', first on line 3: 1 rows, 3 EUR",
        "line 3, column Country: territory_unknown: Spain",
        "line 4, column Net: not_a_number: x",
    ]
    assert err == ["tonbank.csv: 2 errors."]
    assert not DSR.objects.exists()
    definition = tmp_path / "tonbank.json"
    definition.write_text(json.dumps({"dsrhub_template": 1, "name": "New", "definition": TONBANK}))
    assert command("templates", "try", definition, csv_file(tmp_path, sale()))[1] == []
    assert command("templates", "try", "None", path)[1] == ["There is no template 'None', and no such file."]
    assert command("templates", "try", "Tonbank", tmp_path / "none")[1] == [
        f"{tmp_path / 'none'}: No such file or directory"
    ]


# --- REST ------------------------------------------------------------------------------------------------------


def upload(client, *rows, **fields):
    file = SimpleUploadedFile("tonbank.csv", csv_text(rows).encode())
    return client.post("/dsrs/", {"file": file, **fields})


def test_rest_names_the_nearest_template(client, tonbank):
    client.force_login(user_with("add_dsr"))
    file = SimpleUploadedFile("unknown.csv", csv_text([], headings=HEADINGS[:-1]).encode())
    response = client.post("/dsrs/", {"file": file})
    assert (response.status_code, response.json()["code"]) == (400, "file_not_recognised")
    assert (response.json()["template"], response.json()["missing_columns"]) == ("Tonbank", ["Net"])


def test_rest_imports_a_column_file_and_takes_a_template(client, tonbank, other):
    client.force_login(user_with("add_dsr"))
    response = upload(client, sale())
    assert (response.status_code, response.json()["code"]) == (409, "template_ambiguous")
    assert response.json()["templates"] == ["Other", "Tonbank"]

    response = upload(client, sale(), sale(country="FR"), template="Tonbank")

    answer = response.json()
    assert (response.status_code, answer["outcome"]) == (201, "loaded")
    assert [one["dsr"]["territory"]["code_2"] for one in answer["dsrs"]] == ["ES", "FR"]
    assert (answer["message"]["profile"], answer["message"]["profile_version"]) == ("Tonbank", "1")
    response = upload(client, sale(), template="None")
    assert (response.status_code, response.json()) == (
        400,
        {"template": [{"message": "There is no template 'None'.", "code": "invalid_argument"}]},
    )


def test_rest_tells_problems_by_line_and_column(client, tonbank):
    client.force_login(user_with("add_dsr"))
    response = upload(client, sale(), sale(net="1,234"))
    (problem,) = [one for one in response.json()["problems"] if one["code"] != "sender_unknown"]
    assert (response.status_code, problem["code"], problem["line"], problem["column"], problem["value"]) == (
        *(400, "number_form_differs", 3, "Net", "1,234"),
    )


# --- The admin -------------------------------------------------------------------------------------------------


@pytest.fixture
def admin(client):
    client.force_login(staff_with("import_dsr", "add_dsr", "change_dsr", "view_dsr", "view_reportmessage"))
    return client


def send(client, *rows, **fields):
    """Upload a file, and return the page of the upload."""
    file = SimpleUploadedFile("tonbank.csv", csv_text(rows).encode())
    form = {"import_file": file, "format": "0", "resource": "0", **fields}
    return client.post(IMPORT, form, follow=True)


def confirm(client, page):
    (job,) = [card["job"] for card in page.context["cards"]]
    form = {"upload": job.upload, "confirm": "yes", "job": job.pk}
    return client.post(PROCESS, form, follow=True)


def test_a_column_file_is_checked_shown_and_imported(admin, tonbank):
    page = send(admin, sale(net="1.25"), sale(country="FR", month="2020-02", net="2"))

    job = ImportJob.objects.get()
    assert (job.state, job.template, job.template_version) == ("checked", None, tonbank)
    (card,) = page.context["cards"]
    assert [one["key"] for one in card["dsrs"]] == [
        ["Spotify", "Tonbank", "FR", "EUR", "2020-02-01 – 2020-02-29"],
        ["Spotify", "Tonbank", "ES", "EUR", "2020-01-01 – 2020-01-31"],
    ]
    text = page.content.decode()
    # Nothing is declared or allocated, as in messages of DDEX.
    assert "allocated" not in text
    assert ("template", "Tonbank 1") in card["message"]
    assert page.context["cards"][0]["first_lines"][0][0] == ("Store", "Spotify")

    confirm(admin, page)

    message = ReportMessage.objects.get()
    assert (ImportJob.objects.get().state, message.template_version) == ("done", tonbank)
    text = admin.get(f"/admin/catalogue/reportmessage/{message.pk}/change/").content.decode()
    assert "Tonbank 1" in text
    assert "allocated" not in text


def test_a_file_is_loaded_with_the_version_that_was_checked(admin, tonbank):
    page = send(admin, sale())
    template_save(
        name="Tonbank", definition=changed("fields.offer.constant", "New"), template_number=tonbank.template_id
    )
    confirm(admin, page)
    assert (offers(), ReportMessage.objects.get().template_version) == ([("Tonbank", "ES")], tonbank)


def test_a_file_that_two_templates_recognise_asks_which(admin, tonbank, other):
    page = send(admin, sale())
    job = ImportJob.objects.get()
    assert job.state == "refused"
    assert "several templates recognise this file: Other, Tonbank." in page.content.decode()
    assert f'<select name="template-{job.pk}">' in page.content.decode()

    form = {"upload": job.upload, "check": job.pk, f"template-{job.pk}": other.template_id}
    page = admin.post(PROCESS, form, follow=True)
    queue_drain()
    confirm(admin, page)

    assert offers() == [("Other", "ES")]
    assert ImportJob.objects.get().template == other.template


def test_a_file_with_errors_may_be_read_by_another_template(admin, tonbank):
    page = send(admin, sale(net="x"))
    job = ImportJob.objects.get()
    assert (job.state, job.template_version) == ("refused", tonbank)
    assert f'<select name="template-{job.pk}">' in page.content.decode()


@pytest.mark.parametrize("number", ["0", "x"])
def test_a_template_that_is_gone_is_told(admin, tonbank, other, number):
    send(admin, sale())
    job = ImportJob.objects.get()
    form = {"upload": job.upload, "check": job.pk, f"template-{job.pk}": number}
    page = admin.post(PROCESS, form, follow=True)
    assert [str(message)[:21] for message in page.context["messages"]] == ["There is no template "]


def test_a_template_may_be_chosen_for_an_upload(admin, tonbank, other):
    template_activate(template_number=other.template_id, is_active=False)
    page = send(admin, sale(), template=other.template_id)
    confirm(admin, page)
    assert offers() == [("Other", "ES")]


def test_a_file_of_an_unknown_name_may_be_one_of_a_template(admin, tonbank):
    file = SimpleUploadedFile("report.tsv", b"Shop\tAmount\n")
    page = admin.post(IMPORT, {"import_file": file, "format": "0", "resource": "0"}, follow=True)
    assert "template-" in page.content.decode()


def test_the_page_names_the_nearest_template(admin, tonbank):
    file = SimpleUploadedFile("unknown.csv", csv_text([], headings=HEADINGS[:-1]).encode())
    page = admin.post(IMPORT, {"import_file": file, "format": "0", "resource": "0"}, follow=True).content.decode()
    assert "The nearest one is Tonbank, of which these columns are missing: Net." in page
    assert "template-" in page  # It asks for a template.


def test_a_file_of_another_format_asks_for_no_template(admin, tonbank):
    file = SimpleUploadedFile(NO_JANUARY, b"dsp_id\ttitle\tartists\tisrc\tusages\trevenue\na\t\t\t\t1\t1\n")
    page = admin.post(IMPORT, {"import_file": file, "format": "0", "resource": "0"}, follow=True)
    assert "template-" not in page.content.decode()


# --- The page of the documentation -----------------------------------------------------------------------------


def test_the_example_of_the_documentation_is_true(tmp_path, monkeypatch, settings):
    page = (settings.BASE_DIR / "docs" / "formats" / "templates.md").read_text()
    example = page.partition("## A template step by step")[2].partition("\n## ")[0]
    # The first of each kind.
    blocks = dict(reversed(re.findall(r"```(\w+)\n(.*?)```", example, re.DOTALL)))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nordklang_2020-01.csv").write_text(blocks["text"])
    (tmp_path / "nordklang.json").write_text(blocks["json"])

    out, err = command("templates", "try", "nordklang.json", "nordklang_2020-01.csv")
    told = blocks["console"].splitlines()
    assert (out, [f"CommandError: {line}" for line in err]) == (told[1:-1], told[-1:])

    without_map, with_map = '"languages": ["de"]}', '"languages": ["de"], "values": {"Alpenraum": "CH"}}'
    assert f'"territory": {{"columns": ["Land"], {with_map}' in example
    (tmp_path / "nordklang.json").write_text(blocks["json"].replace(without_map, with_map))
    assert command("templates", "import", "nordklang.json")[0] == ["Nordklang: version 1"]
    assert command("import_dsr", "nordklang_2020-01.csv")[1] == []
    dsrs = list(DSR.objects.ingested())
    assert sum(dsr.total_usages for dsr in dsrs) == 1302
    assert sum(dsr.total_revenue for dsr in dsrs) == Decimal("13.335678")
