"""A file of nothing but wrong lines costs little: its reading ends after very many errors, and every door says so."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from catalogue.models import DSR, UsageLine
from catalogue.reports import problems
from catalogue.reports.formats.tsv.reader import ReportReader
from catalogue.reports.problems import ProblemLog
from tests.catalogue.helpers import ES_JANUARY, HEADER, line, user_with

# The third line is right, and the fifth has two errors.
LINES = [line("b", revenue="x"), line("c"), line("d", revenue="x"), line("e", usages="x", revenue="x")]
CONTENT = "".join(one + "\n" for one in (HEADER, *LINES, line("f", revenue="x"))).encode()
THERE_MAY_BE_MORE = "there may be more: the rest is not checked"
TOLD = [
    ("too_many_errors", 5, None, THERE_MAY_BE_MORE),
    ("not_a_number", 2, "revenue", "x"),
    ("not_a_number", 4, "revenue", "x"),
]


@pytest.fixture(autouse=True)
def _limits(monkeypatch, settings, tmp_path):
    monkeypatch.setattr(problems, "MOST_ERRORS", 3)
    settings.DSRHUB_PROBLEM_LIMIT = 2
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"


def told(problems):
    """The code, line, column and value of each problem, of which a column or value may be left out."""
    return [tuple(problem.get(name) for name in ("code", "line", "column", "value")) for problem in problems]


def test_the_rest_is_not_checked_and_that_is_told_first():
    log = ProblemLog(2)
    [*ReportReader(iter([CONTENT]), log)]

    assert told(vars(problem) for problem in log.kept) == TOLD
    assert log.error_count == 4


def test_the_rest_is_not_even_read():
    pieces = iter([HEADER.encode() + b"\n\n\n", b"\n\n", b"\n"])

    assert [*ReportReader(pieces, ProblemLog(2))] == [b"", b""]
    assert [*pieces] == [b"\n"]


def test_a_file_with_fewer_errors_is_read_to_its_end(monkeypatch):
    monkeypatch.setattr(problems, "MOST_ERRORS", 6)
    log = ProblemLog(10)
    [*ReportReader(iter([CONTENT]), log)]

    assert [problem.line for problem in log.kept] == [2, 4, 5, 5, 6]


@pytest.mark.django_db
def test_rest_tells_it_and_keeps_it_with_the_failed_dsr(client):
    client.force_login(user_with("add_dsr", "change_dsr"))
    response = client.post("/dsrs/", {"file": SimpleUploadedFile(ES_JANUARY, CONTENT)})

    assert response.status_code == 400
    answer = response.json()
    assert answer["detail"] == (
        f"{ES_JANUARY}: 4 errors, nothing is loaded. The first: too_many_errors at line 5, value '{THERE_MAY_BE_MORE}'"
    )
    assert told(answer["problems"]) == TOLD
    assert told(client.get(f"/dsrs/{answer['dsr']}/problems").json()) == TOLD
    assert (DSR.objects.get().status, DSR.objects.get().error_count) == ("failed", 4)
    assert not UsageLine.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_command_tells_it(tmp_path, capsys):
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
    assert told(card["preview"]["problems"]) == TOLD
    assert THERE_MAY_BE_MORE in page.content.decode()
