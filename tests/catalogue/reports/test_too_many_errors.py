"""Reading stops after very many errors, so a file of wrong lines costs little. Every interface reports this."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from catalogue.models import DSR, UsageLine
from catalogue.reports import problems
from catalogue.reports.formats.tsv.reader import ReportReader
from catalogue.reports.problems import ProblemLog
from tests.catalogue.helpers import ES_JANUARY, HEADER, line, user_with

# Line 3 is valid, and line 5 has two errors.
LINES = [line("b", revenue="x"), line("c"), line("d", revenue="x"), line("e", usages="x", revenue="x")]
CONTENT = "".join(one + "\n" for one in (HEADER, *LINES, line("f", revenue="x"))).encode()
THERE_MAY_BE_MORE = "there may be more: the rest is not checked"
PROBLEMS = [
    ("too_many_errors", 5, None, THERE_MAY_BE_MORE),
    ("not_a_number", 2, "revenue", "x"),
    ("not_a_number", 4, "revenue", "x"),
]


@pytest.fixture(autouse=True)
def _limits(monkeypatch, settings, tmp_path):
    monkeypatch.setattr(problems, "MOST_ERRORS", 3)
    settings.DSRHUB_PROBLEM_LIMIT = 2
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"


def fields_of(problems):
    """The code, line, column and value of each problem. Column and value are None if the problem has none."""
    return [tuple(problem.get(name) for name in ("code", "line", "column", "value")) for problem in problems]


def test_the_first_problem_says_that_the_rest_is_not_checked():
    log = ProblemLog(2)
    [*ReportReader(iter([CONTENT]), log)]

    assert fields_of(vars(problem) for problem in log.kept) == PROBLEMS
    assert log.kept[0].excerpt == ("", "e\t\t\t\tx\tx", "")
    assert log.error_count == 4


def test_the_rest_is_not_read():
    pieces = iter([HEADER.encode() + b"\nx\nx\n", b"x\nx\n", b"x\n"])

    assert [*ReportReader(pieces, ProblemLog(2))] == [b"", b""]
    assert [*pieces] == [b"x\n"]


def test_a_file_with_fewer_errors_is_read_to_its_end(monkeypatch):
    monkeypatch.setattr(problems, "MOST_ERRORS", 6)
    log = ProblemLog(10)
    [*ReportReader(iter([CONTENT]), log)]

    assert [problem.line for problem in log.kept] == [2, 4, 5, 5, 6]


@pytest.mark.django_db
def test_rest_reports_it_and_keeps_it_with_the_failed_dsr(client):
    client.force_login(user_with("add_dsr", "change_dsr"))
    response = client.post("/dsrs/", {"file": SimpleUploadedFile(ES_JANUARY, CONTENT)})

    assert response.status_code == 400
    answer = response.json()
    assert answer["detail"] == (
        f"{ES_JANUARY}: 4 errors, nothing is loaded. The first: Reading stopped here: the file has too many errors. "
        f"(line 5, value '{THERE_MAY_BE_MORE}')"
    )
    assert fields_of(answer["problems"]) == PROBLEMS
    assert fields_of(client.get(f"/dsrs/{answer['dsr']}/problems").json()) == PROBLEMS
    assert (DSR.objects.get().status, DSR.objects.get().error_count) == ("failed", 4)
    assert not UsageLine.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_command_reports_it(tmp_path, capsys):
    path = tmp_path / ES_JANUARY
    path.write_bytes(CONTENT)

    with pytest.raises(CommandError):
        call_command("import_dsr", path)

    assert capsys.readouterr().err.splitlines()[1:] == [
        f"  line 5: too_many_errors: '{THERE_MAY_BE_MORE}'",
        "  line 2, column revenue: not_a_number: 'x'",
        "  line 4, column revenue: not_a_number: 'x'",
        "  and 1 more",
    ]


@pytest.mark.django_db(transaction=True)
def test_the_admin_shows_it_first(admin_client):
    form = {"import_file": SimpleUploadedFile(ES_JANUARY, CONTENT), "format": "0", "resource": "0"}
    page = admin_client.post("/admin/catalogue/dsr/import/", form, follow=True)

    (card,) = page.context["cards"]
    assert card["job"].state == "refused"
    assert fields_of(card["preview"]["problems"]) == PROBLEMS
    assert THERE_MAY_BE_MORE in page.content.decode()
