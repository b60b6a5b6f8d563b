"""Errors and other texts are said in the language of the reader; their str, logs and stored texts are English."""

import ast
import copy
import pickle
import re
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.utils import translation
from django.utils.translation import trans_real
from rest_framework.exceptions import ValidationError

from catalogue.api.questions.coverage import MonthField
from catalogue.api.totals import TotalsParameters
from catalogue.dsrs.selectors import dsr_get
from catalogue.exceptions import DSRNotFound, InvalidReportName, ReportRefused
from catalogue.imports.loading.values import value_text
from catalogue.imports.queue.jobs import import_job_add, import_job_confirm
from catalogue.imports.queue.worker import queue_drain
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, ImportJob, RejectedDelivery
from catalogue.rates.sources import source_text
from dsrhub.exceptions import DsrhubError
from dsrhub.files.kinds import foreign_kind
from dsrhub.texts.marked import (
    Grouped,
    gettext_lazy,
    joined,
    ngettext_lazy,
    text_json,
    text_read,
    text_recognised,
    translated,
)
from dsrhub.texts.wording import either, listed
from graphql_schema.errors import dsrhub_error_json
from subscriptions.exceptions import InvalidUsage, RecordProblem
from tests.catalogue import recipes
from tests.catalogue.helpers import NO_JANUARY, line, write_report
from tests.languages import marked_texts

PRODUCT = Path(settings.BASE_DIR)
PACKAGES = ("catalogue", "dsrhub", "graphql_schema", "subscriptions")
# Functions that mark a template, with the number of their templates.
MARKS = {"_": 1, "gettext": 1, "gettext_lazy": 1, "ngettext": 2, "ngettext_lazy": 2}


@pytest.fixture
def spanish(monkeypatch):
    """A block in which Spanish is active, with the given sentences. A plural has its two forms at `(singular, 0)` and
    `(singular, 1)`."""

    @contextmanager
    def active(sentences):
        language = trans_real.DjangoTranslation("es")
        language._catalog._catalogs.insert(0, sentences)
        language._catalog._plurals.insert(0, lambda number: int(number != 1))
        monkeypatch.setitem(trans_real._translations, "es", language)
        with translation.override("es"):
            yield

    return active


# --- The marks -------------------------------------------------------------------------------------------------


def calls():
    """All calls of names in the product, each with its place."""
    for package in PACKAGES:
        for path in sorted((PRODUCT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                for node in ast.walk(ast.parse(path.read_text())):
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                        name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                        yield f"{path.relative_to(PRODUCT)}:{node.lineno}", name, node.args


def error_names():
    import_module(settings.ROOT_URLCONF)  # and with it all doors
    found, left = set(), [DsrhubError]
    while left:
        one = left.pop()
        found.add(one.__name__)
        left += one.__subclasses__()
    return found


def is_template(node):
    """Whether a template is a literal, to which xgettext can find the translation."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def is_unmarked(node):
    """Whether the text of an error is a literal, or is put together by other means than those of a Text."""
    if isinstance(node, ast.BinOp):
        return not isinstance(node.op, ast.Mod) or is_unmarked(node.left)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr not in {"gettext_lazy", "ngettext_lazy", "joined", "made"}
    return isinstance(node, ast.Constant | ast.JoinedStr | ast.IfExp)


def test_every_error_has_a_marked_text():
    names = error_names()
    texts = [(place, name, args[0]) for place, name, args in calls() if name in names and args]
    assert len(texts) > 100
    assert [f"{place}: {name}" for place, name, text in texts if is_unmarked(text)] == []


def test_a_mark_holds_whole_literal_templates():
    marks = [(place, args[: MARKS[name]]) for place, name, args in calls() if name in MARKS]
    assert len(marks) > 500
    # These hand a template on that was marked elsewhere.
    passed_on = {"dsrhub/texts/marked.py"}
    wrong = [place for place, templates in marks if not all(map(is_template, templates))]
    assert {place.split(":")[0] for place in wrong} <= passed_on


# --- Errors ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_error_says_its_message_in_the_language_that_is_active_when_it_is_read(spanish):
    with pytest.raises(DSRNotFound) as refusal:
        dsr_get(dsr_number=7)
    error = refusal.value
    assert error.message == "There is no DSR 7."
    with spanish({"There is no DSR %(id)s.": "No existe el DSR %(id)s."}):
        assert error.message == "No existe el DSR 7."
        assert str(error) == "There is no DSR 7."
        assert dsrhub_error_json(error)["message"] == "No existe el DSR 7."
    assert error.message == "There is no DSR 7."


NOT_A_NUMBER = "The cell must have a number, and has something else."


@pytest.mark.parametrize(
    ("count", "english", "said"),
    [
        (1, f"1 error, nothing was added. First error: record 2: price: 'x': {NOT_A_NUMBER}", "1 error: registro 2"),
        (3, f"3 errors, nothing was added. First error: record 2: price: 'x': {NOT_A_NUMBER}", "3 errores: registro 2"),
    ],
)
def test_a_text_in_a_text_and_a_plural_are_said_too(spanish, count, english, said):
    error = InvalidUsage([RecordProblem(2, "price", "x", "not_a_number")], count)
    template = "%(count)s error, nothing was added. First error: %(first)s"
    sentences = {
        (template, 0): "%(count)s error: %(first)s",
        (template, 1): "%(count)s errores: %(first)s",
        "record %(position)s: %(field)s: %(value)s: %(sentence)s": "registro %(position)s",
    }
    with spanish(sentences):
        assert (error.message, str(error)) == (said, english)
    assert error.message == english


def test_numbers_have_the_separators_of_the_language(spanish):
    text = gettext_lazy("More than %(most)s groups.") % {"most": Grouped(1234567)}
    assert (text, text.translated()) == ("More than 1,234,567 groups.", "More than 1,234,567 groups.")
    with spanish({"More than %(most)s groups.": "Más de %(most)s grupos."}):
        assert text.translated() == "Más de 1\xa0234\xa0567 grupos."
        assert text == "More than 1,234,567 groups."


def test_a_list_of_names_says_how_many_more_there_are(spanish):
    more = "%(names)s and %(count)s more"
    names = listed([f"{number} %" for number in range(21)])
    with spanish({(more, 0): "%(names)s y otro", (more, 1): "%(names)s y otros %(count)s"}):
        assert names.translated().endswith("18 %, 19 % y otro")
        assert listed(["a"] * 1300).translated().endswith("a, a y otros 1\xa0280")
        assert listed(["a", "b"]).translated() == "a, b"
    assert names.endswith("18 %, 19 % and 1 more")


def test_alternatives_are_said_in_their_language(spanish):
    with spanish({"%(one)s or %(other)s": "%(one)s o %(other)s"}):
        assert either([".tsv"]).translated() == ".tsv"
        assert either([".tsv", ".gz", ".zip"]).translated() == ".tsv o .gz o .zip"
    assert either([".tsv", ".gz", ".zip"]) == ".tsv or .gz or .zip"


def test_a_text_is_copied_with_its_values(spanish):
    text = gettext_lazy("There is no DSR %(id)s.") % {"id": 7}
    with spanish({"There is no DSR %(id)s.": "No existe el DSR %(id)s."}):
        for one in (copy.deepcopy(text), pickle.loads(pickle.dumps(text))):  # noqa: S301 - our own bytes
            assert (one, one.translated()) == ("There is no DSR 7.", "No existe el DSR 7.")


def test_fields_say_what_is_wrong_in_the_language_of_the_request(spanish):
    sentences = {"Must be a month such as 2020-01.": "Debe ser un mes.", "Must be %(kind)s.": "Debe ser %(kind)s."}
    words = "a whole number of zero or more, of at most %(digits)s digits"
    with spanish({**sentences, words: "un entero de hasta %(digits)s cifras"}):
        with pytest.raises(ValidationError) as month:
            MonthField().run_validation("x")
        totals = TotalsParameters(data={"lines": "x"})
        assert not totals.is_valid()
    assert month.value.detail == ["Debe ser un mes."]
    assert totals.errors["lines"] == ["Debe ser un entero de hasta 30 cifras."]


# --- Stored texts ----------------------------------------------------------------------------------------------

SENTENCES = {
    "Loaded as %(dsrs)s.": "Importado como %(dsrs)s.",
    ("DSR %(numbers)s", 0): "el DSR %(numbers)s",
    ("DSR %(numbers)s", 1): "los DSR %(numbers)s",
    "%(names)s has %(count)s lines.": "%(names)s: %(count)s líneas.",
}


def test_a_stored_text_is_read_in_another_language(spanish):
    values = {"names": joined(["a", ngettext_lazy("DSR %(numbers)s", "DSRs %(numbers)s", 1) % {"numbers": 3}])}
    text = gettext_lazy("%(names)s has %(count)s lines.") % {**values, "count": Grouped(1234)}
    parts = text_json(text)
    with spanish(SENTENCES):
        assert text_read("a, DSR 3 has 1,234 lines.", parts, longest=100) == "a, el DSR 3: 1\xa0234 líneas."
        assert text_read("a, DSR 3 has", parts, longest=12) == "a, el DSR 3:"
        # A worker of an earlier release has changed the English since, or has written a row.
        assert text_read("Another.", parts, longest=100) == "Another."
        assert text_read("", parts, longest=100) == ""
        assert text_read("a, DSR 3 has", None, longest=12) == "a, DSR 3 has"
    assert text_read("a, DSR 3 has 1,234 lines.", parts, longest=100) == "a, DSR 3 has 1,234 lines."


def test_a_very_long_text_is_stored_in_english_alone():
    assert text_json(joined(["a" * 9_998, "b"], "")) is not None
    assert text_json(joined(["a" * 10_000, "b"], "")) is None
    assert text_json("plain") is None


@pytest.mark.django_db(transaction=True)
def test_the_message_of_a_job_is_stored_in_english_whoever_works_on_it(
    spanish, settings, tmp_path, admin_client, admin_user
):
    settings.DSRHUB_UPLOAD_DIR = tmp_path
    job = import_job_add(
        upload="u", path=write_report(tmp_path, NO_JANUARY, line("a", revenue="1")), name=NO_JANUARY, user=admin_user
    )
    with spanish(SENTENCES):
        queue_drain()
        job.refresh_from_db()
        import_job_confirm(job=job, replace=False, user=admin_user)
        queue_drain()
        job = ImportJob.objects.get()
        number = DSR.objects.get().pk
        assert (job.message, job.shown_message) == (f"Loaded as DSR {number}.", f"Importado como el DSR {number}.")
        pages = [admin_client.get(path, headers={"accept-language": "es"}).content.decode() for path in PAGES]
        assert [f"Importado como el DSR {number}." in page for page in pages] == [True, True]
    assert job.shown_message == f"Loaded as DSR {number}."
    assert [entry.get_change_message() for entry in LogEntry.objects.all()] == ["Imported: loaded."]
    # A worker of an earlier release writes the message alone.
    ImportJob.objects.update(message="Already imported as DSR 1.")
    with spanish(SENTENCES):
        assert ImportJob.objects.get().shown_message == "Already imported as DSR 1."


@pytest.mark.django_db(transaction=True)
def test_the_message_of_a_refused_job_explains_the_first_error_to_its_reader(
    settings, tmp_path, admin_client, admin_user
):
    settings.DSRHUB_UPLOAD_DIR = tmp_path
    path = write_report(tmp_path, NO_JANUARY, line("a", revenue="many"))
    import_job_add(upload="u", path=path, name=NO_JANUARY, user=admin_user)
    queue_drain()
    explained = (
        "The first: The cell must have a number, and has something else. (line 2, column 'revenue', value 'many')"
    )
    assert ImportJob.objects.get().message == f"{NO_JANUARY}: 1 error, nothing is loaded. {explained}"
    pages = [admin_client.get(path, headers={"accept-language": "es"}).content.decode() for path in PAGES]
    assert ["La celda debe contener un número y contiene otra cosa." in page for page in pages] == [True, True]
    assert "not_a_number" not in pages[0]


PAGES = ("/admin/catalogue/importjob/", "/admin/catalogue/dsr/import/u/")


@pytest.mark.django_db(transaction=True)
def test_the_reason_of_a_rejected_delivery_is_stored_in_english(spanish, tmp_path, admin_client):
    template = "The file name %(name)s doesn't match the pattern %(pattern)s"
    path = write_report(tmp_path, "holiday.tsv", line("a", revenue="1"))
    with spanish({template: "El nombre %(name)s no vale"}):
        with pytest.raises(InvalidReportName) as refusal:
            dsr_import(path=path, name="holiday.tsv")
        assert refusal.value.message == "El nombre 'holiday.tsv' no vale"
        rejection = RejectedDelivery.objects.get()
        assert rejection.reason.startswith("The file name 'holiday.tsv' doesn't match the pattern {DSP}_")
        assert rejection.shown_reason == "El nombre 'holiday.tsv' no vale"
        page = admin_client.get("/admin/catalogue/rejecteddelivery/", headers={"accept-language": "es"})
        assert "El nombre &#x27;holiday.tsv&#x27; no vale" in page.content.decode()
    assert rejection.shown_reason == rejection.reason


@pytest.mark.django_db
def test_labels_that_look_like_names_are_marked_too(admin_client):
    with marked_texts():
        pages = {path: admin_client.get(path, headers={"accept-language": "es"}).content.decode() for path in MARKED}
    assert [text for path, text in MARKED.items() if text not in pages[path]] == []


MARKED = {
    "/admin/catalogue/dsr/breakdown/": "«DSRs»</a>",  # breadcrumbs
    "/admin/catalogue/dsr/comparison/": 'value="year_before" label="«the same period of the year before»"',
    "/admin/catalogue/territory/": "«DSRs»</a>",  # a heading
    "/admin/auth/group/add/": "«Can view «usage line»»",
    "/admin/subscriptions/datausagerecord/import/": "«CSV or TSV (.csv, .tsv, .csv.gz, .tsv.gz)»",
}


# --- Texts that are stored in English alone ---------------------------------------------------------------------


def test_a_stored_text_is_recognised_by_its_template_and_so_are_its_values(spanish):
    templates = gettext_lazy("%(what)s: %(count)s (a+b)"), gettext_lazy("lines"), gettext_lazy("No %(what)s.")
    with spanish(
        {"%(what)s: %(count)s (a+b)": "(a+b) %(count)s %(what)s", "lines": "líneas", "No %(what)s.": "Sin %(what)s."}
    ):
        said = [translated(text_recognised(text, templates)) for text in STORED]
    assert said == ["(a+b) 12 líneas", "(a+b) 12 x: y\nz", "líneas", "Sin líneas.", "lines: 12 (aab)", "No lines", ""]
    assert [translated(text_recognised(text, templates)) for text in STORED] == STORED


STORED = ["lines: 12 (a+b)", "x: y\nz: 12 (a+b)", "lines", "No lines.", "lines: 12 (aab)", "No lines", ""]
SOURCES = {
    "ECB reference rates of %(days)s days, %(first)s to %(last)s": "BCE: %(days)s días, %(first)s a %(last)s",
    "ECB reference rate of %(day)s, the last day of publication before the period": "BCE: %(day)s",
    "operator's rate number %(number)s": "tipo n.º %(number)s",
}


def test_the_source_of_a_rate_is_said_in_the_language_of_the_reader_and_a_note_as_it_is(spanish):
    stored = [
        "ECB reference rates of 22 days, 2020-01-02 to 2020-01-31",
        "ECB reference rate of 2020-01-03, the last day of publication before the period",
        "operator's rate number 7",
        "Norges Bank",
        "",
    ]
    with spanish(SOURCES):
        said = [source_text(text) for text in stored]
    assert said == ["BCE: 22 días, 2020-01-02 a 2020-01-31", "BCE: 2020-01-03", "tipo n.º 7", "Norges Bank", ""]
    assert [source_text(text) for text in stored] == stored


@pytest.mark.django_db
def test_the_pages_of_a_dsr_and_of_its_rate_changes_say_the_sources(spanish, admin_client):
    change = recipes.rate_change.make(
        dsr=recipes.dsr.make(), old_source="ECB reference rates of 9 days, 2020-01-02 to 2020-01-14"
    )
    addresses = f"/admin/catalogue/dsr/{change.dsr_id}/change/", f"/admin/catalogue/ratechange/{change.pk}/change/"
    with spanish(SOURCES):
        pages = [admin_client.get(path, headers={"accept-language": "es"}).content.decode() for path in addresses]
    assert "BCE: 22 días, 2020-01-02 a 2020-01-31" in pages[0]
    assert "BCE: 9 días, 2020-01-02 a 2020-01-14" in pages[1]
    assert "ECB reference" not in "".join(pages)


# Values of problems as they are stored, and in Spanish.
VALUES = [
    ("wrong_file_kind", "This is a PDF document. Ask the sender for the text file.", "Es un PDF. Pida el texto."),
    ("wrong_file_kind", "This is a gzip file. Add .gz to its name.", "Gzip sin .gz."),
    ("too_many_errors", "there may be more: the rest is not checked", "puede haber más"),
    ("totals_differ", "revenue: 10 declared, 9.5 found", "ingresos: 10 declarado, 9.5 hallado"),
    ("totals_row_suspected", "usages 12, revenue 1.5", "usos 12, ingresos 1.5"),
    (
        "unlike_previous_report",
        "revenue per usage 1, previously 2 (DSR 3, a: b.tsv)",
        "por uso 1, antes 2 (3, a: b.tsv)",
    ),
    (
        "exchange_rate_incomplete",
        "Kids ES, x: NOK: 3 of 22 days, the ECB suspended NOK after 2020-01-07",
        "Kids ES, x: NOK: 3 de 22 días, el BCE suspendió NOK tras el 2020-01-07",
    ),
    ("exchange_rate_incomplete", "NOK: the loaded history ends on 2020-01-07", "NOK: acaba el 2020-01-07"),
    ("gzip_padding", "12 bytes", "12 octetos"),
    # What a file has is never translated, and neither is a text that was cut.
    ("isrc_invalid", "12 bytes", "12 bytes"),
    ("unlike_previous_report", "revenue 1, previously 2 (DSR 3, a.t…", "revenue 1, previously 2 (DSR 3, a.t…"),
    ("dsp_id_repeated", None, None),
]
SPANISH = {
    "This is %(kind)s. %(advice)s": "Es %(kind)s. %(advice)s",
    "a PDF document": "un PDF",
    "Ask the sender for the text file.": "Pida el texto.",
    "This is a gzip file. Add .gz to its name.": "Gzip sin .gz.",
    "there may be more: the rest is not checked": "puede haber más",
    "%(name)s: %(declared)s declared, %(found)s found": "%(name)s: %(declared)s declarado, %(found)s hallado",
    "revenue": "ingresos",
    "usages %(usages)s, revenue %(revenue)s": "usos %(usages)s, ingresos %(revenue)s",
    "revenue per usage %(now)s, previously %(before)s (DSR %(id)s, %(path)s)": (
        "por uso %(now)s, antes %(before)s (%(id)s, %(path)s)"
    ),
    "%(currency)s: %(found)s of %(expected)s days, %(reason)s": (
        "%(currency)s: %(found)s de %(expected)s días, %(reason)s"
    ),
    "the ECB suspended %(currency)s after %(before)s": "el BCE suspendió %(currency)s tras el %(before)s",
    "the loaded history ends on %(last_day)s": "acaba el %(last_day)s",
    "%(count)s bytes": "%(count)s octetos",
}


@pytest.mark.parametrize(("code", "stored", "said"), VALUES)
def test_the_value_of_a_problem_that_is_a_text_is_said_in_the_language_of_the_page(spanish, code, stored, said):
    assert value_text(code, stored) == stored
    with spanish(SPANISH):
        assert value_text(code, stored) == said


@pytest.mark.django_db
def test_pages_say_the_value_of_a_problem_and_rest_has_the_stored_one(spanish, admin_client):
    dsr = recipes.dsr.make()
    recipes.problem.make(dsr=dsr, level="warning", code="totals_row_suspected", value="usages 12, revenue 1.5")
    with spanish(SPANISH):
        page, data = (
            admin_client.get(path, headers={"accept-language": "es"}).content.decode()
            for path in ("/admin/catalogue/reportproblem/", f"/dsrs/{dsr.pk}/problems/")
        )
    assert '<td class="field-shown_value">usos 12, ingresos 1.5</td>' in page
    assert '"value":"usages 12, revenue 1.5"' in data


@pytest.mark.django_db(transaction=True)
def test_the_error_of_a_refused_file_says_what_kind_of_file_it_is(spanish, tmp_path):
    path = tmp_path / NO_JANUARY
    path.write_bytes(b"%PDF-1.7")
    with pytest.raises(ReportRefused) as refusal:
        dsr_import(path=path, name=NO_JANUARY)
    assert "value 'This is a PDF document. Ask the sender for the text file.'" in str(refusal.value)
    with spanish(SPANISH):
        assert "valor 'Es un PDF. Pida el texto.'" in refusal.value.message


def test_the_error_of_a_file_of_records_says_what_kind_of_file_it_is(spanish):
    problem = RecordProblem(0, "file", foreign_kind(b"%PDF-1.7"), "wrong_file_kind")
    value = "'This is a PDF document. Ask the sender for the text file.'"
    stored = f"record 0: file: {value}: The file is of another kind than its name says."
    with spanish(SPANISH):
        assert problem.text.translated().startswith("registro 0: file: 'Es un PDF. Pida el texto.': El archivo es")
        assert problem.shown_value == "Es un PDF. Pida el texto."
    assert str(problem) == stored


@pytest.mark.django_db
def test_what_is_blank_is_a_dash(admin_client):
    dsr = recipes.dsr.make(currency_id="EUR", exchange_rate=1, rate_method="euro", rate_source="")
    problem = recipes.problem.make(dsr=dsr, value=None)
    addresses = f"/admin/catalogue/dsr/{dsr.pk}/change/", f"/admin/catalogue/reportproblem/{problem.pk}/change/"
    pages = [admin_client.get(path).content.decode() for path in addresses]
    for name, page in zip(("shown_rate_source", "shown_value"), pages, strict=True):
        assert re.findall(rf'field-{name}">.*?"readonly">(.*?)</div>', page, re.DOTALL) == ["-"]
