"""`POST /dsrs/` with messages: their answers, files that wait for others, and `/imports/{id}`."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalogue.imports.queue import uploads as uploads_module
from catalogue.imports.queue.worker import queue_drain, uploads_clear
from catalogue.models import DSR, ImportJob, RejectedDelivery, ReportMessage, UsageLine
from dsrhub.database import locks
from tests import recipes
from tests.catalogue import recipes as reports
from tests.catalogue.helpers import permitted, user_with, without_messages
from tests.catalogue.messages import FIRST, ITALY, NORWAY, SECOND, SPAIN, file_name, message_file
from tests.waiting import PATIENCE

pytestmark = pytest.mark.django_db(transaction=True)
ALONE = {"number": 1, "count": 1}
NAMES = [file_name(1, 2), file_name(2, 2)]


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """The upload folder."""
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"
    settings.DSRHUB_UPLOAD_DIR.mkdir()
    return settings.DSRHUB_UPLOAD_DIR


@pytest.fixture
def uploader(client):
    """A client of a user who may add, change and delete DSRs."""
    client.force_login(user_with("add_dsr", "change_dsr", "delete_dsr"))
    return client


def upload(client, *, choices=(), declared=(), name=None, **values):
    name = name or file_name(values["number"], values["count"])
    file = SimpleUploadedFile(name, message_file(**values))
    return client.post("/dsrs/", {"file": file, **dict.fromkeys(choices, "true"), **dict(declared)})


def stored(folder):
    return len(list(folder.iterdir()))


def dsp_ids():
    return sorted(UsageLine.objects.of(list(DSR.objects.ingested())).values_list("dsp_id", flat=True))


def codes(response):
    return [problem["code"] for problem in response.json()["problems"] if problem.get("level") != "warning"]


# --- Answers -----------------------------------------------------------------------------------------------------


def test_a_message_answers_with_itself_and_its_dsrs(uploader):
    response = upload(uploader, **ALONE, sales=[(1, "a", 5)])
    assert response.status_code == 201
    answer = response.json()
    spain, italy = DSR.objects.order_by("id")
    message = ReportMessage.objects.get()
    (file,) = message.files
    assert answer["message"] == {
        "id": message.pk,
        "format": "DDEX",
        "sender": {"name": "Tonbank", "party_id": "PADPIDA2026000001A"},
        "recipient": {"name": "SocietyX"},
        "message_id": "MSG-1",
        "created": "2020-02-12T08:30:00Z",
        "profile": "BasicAudioProfile",
        "profile_version": "1.4",
        "period_start": "2020-01-01T00:00:00Z",
        "period_end": "2020-01-31T00:00:00Z",
        "imported_at": message.imported_at.isoformat().replace("+00:00", "Z"),
        "files": [{"name": file_name(), "sha256": file["sha256"]}],
    }
    assert (answer["outcome"], answer["missing"], answer["dropped"]) == ("loaded", [], False)
    assert [(one["dsr"]["id"], one["dsr"]["path"], one["line_count"]) for one in answer["dsrs"]] == [
        (spain.pk, file_name(), 1),
        (italy.pk, file_name(), 0),
    ]
    assert spain.total_revenue == Decimal("2.5")  # 5 of 10 usages, of 5.

    again = upload(uploader, **ALONE, sales=[(1, "a", 5)])
    assert again.status_code == 200
    assert (again.json()["outcome"], again.json()["message"]) == ("unchanged", answer["message"])


def test_a_message_of_one_context_is_a_message_too(uploader):
    answer = upload(uploader, **ALONE, contexts=[SPAIN]).json()
    assert (answer["message"]["message_id"], len(answer["dsrs"])) == ("MSG-1", 1)


def test_the_answer_takes_the_same_queries_for_many_dsrs(uploader):
    def query_count(message_id, codes):
        contexts = [(code, "EUR", 1, "1") for code in codes]
        with CaptureQueriesContext(connection) as captured:
            assert upload(uploader, **ALONE, contexts=contexts, message_id=message_id).status_code == 201
        return len([one for one in captured if "catalogue_territory" in one["sql"] or "_currency" in one["sql"]])

    assert query_count("A", ["ES", "IT"]) == query_count("B", ["FR", "DE", "PT", "IE", "NL", "BE", "FI", "EE", "LU"])


# --- Files that wait -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(FIRST, SECOND), (SECOND, FIRST)])
def test_the_last_file_imports_all(order, uploader, uploads):
    response = upload(uploader, **order[0])
    job = ImportJob.objects.get()
    assert (response.status_code, response.json()) == (202, {"job": job.pk, "waiting_for": [order[1]["number"]]})
    assert not DSR.objects.exists()
    waiting = uploader.get(f"/imports/{job.pk}").json()
    assert waiting == {
        "id": job.pk,
        "state": "waiting",
        "name": file_name(order[0]["number"], 2),
        "detail": f"Waiting for file {order[1]['number']} of 2 of message MSG-1.",
        "message": {
            "sender": "PADPIDA2026000001A",
            "message_id": "MSG-1",
            "file_number": order[0]["number"],
            "file_count": 2,
        },
        "waiting_for": [order[1]["number"]],
        "dsrs": [],
        "error_count": 0,
        "warning_count": 0,
        "problems": [],
    }

    response = upload(uploader, **order[1])

    assert response.status_code == 201
    answer = response.json()
    assert [file["name"] for file in answer["message"]["files"]] == NAMES
    assert [(one["dsr"]["territory"]["code_2"], one["line_count"]) for one in answer["dsrs"]] == [("ES", 2), ("IT", 1)]
    assert dsp_ids() == ["a", "a", "b"]
    assert DSR.objects.first().imported_by.username == "ada"
    # Both files tell what became of the message.
    for one in ImportJob.objects.all():
        told = uploader.get(f"/imports/{one.pk}/").json()
        assert (told["state"], told["detail"]) == ("done", "Loaded.")
        assert told["dsrs"] == [dsr["dsr"]["id"] for dsr in answer["dsrs"]]
        assert told["waiting_for"] == []
    assert stored(uploads) == 0


def test_each_file_says_which_numbers_are_missing(uploader):
    values = {"contexts": [SPAIN], "count": 4}
    answers = [upload(uploader, **values, number=number).json()["waiting_for"] for number in (3, 1)]
    assert answers == [[1, 2, 4], [2, 4]]


def test_the_same_file_again_is_the_same_import(uploader, uploads):
    first = upload(uploader, **FIRST)
    again = upload(uploader, **FIRST)
    assert (again.status_code, again.json()) == (202, first.json())
    assert (ImportJob.objects.count(), stored(uploads)) == (1, 1)


def test_the_same_number_with_other_content_is_refused_until_the_waiting_file_is_discarded(uploader, uploads):
    job = upload(uploader, **FIRST).json()["job"]
    other = {**FIRST, "sales": [(1, "c", 1)]}
    response = upload(uploader, **other)
    assert response.status_code == 409
    assert (response.json()["code"], response.json()["job"]) == ("file_repeated", job)
    assert (ImportJob.objects.count(), stored(uploads)) == (1, 1)

    assert uploader.delete(f"/imports/{job}").status_code == 204
    assert uploader.get(f"/imports/{job}").json()["state"] == "abandoned"
    assert stored(uploads) == 0
    assert upload(uploader, **other).status_code == 202
    assert upload(uploader, **SECOND).status_code == 201
    assert dsp_ids() == ["b", "c"]


def test_files_of_another_user_do_not_complete_a_message(uploader):
    upload(uploader, **FIRST)
    other = Client()
    other.force_login(permitted(recipes.user.make(username="eve"), "add_dsr"))
    assert upload(other, **SECOND).json()["waiting_for"] == [1]
    assert not DSR.objects.exists()


def test_a_refusal_without_problems_is_an_error_itself(uploader):
    job = reports.import_job.make(state="refused", uploaded_by=User.objects.get())
    assert uploader.get(f"/imports/{job.pk}").json()["error_count"] == 1


def test_wrong_siblings_are_refused_and_their_files_go(uploader, uploads):
    job = upload(uploader, **FIRST).json()["job"]
    response = upload(uploader, **SECOND, contexts=[SPAIN])
    assert response.status_code == 400
    (problem,) = response.json()["problems"]
    assert (problem["code"], problem["file"]) == ("files_differ", NAMES[1])
    told = uploader.get(f"/imports/{job}").json()
    assert (told["state"], told["error_count"], codes(uploader.get(f"/imports/{job}"))) == (
        "refused",
        1,
        ["files_differ"],
    )
    assert told["detail"].startswith(f"{NAMES[0]}: 1 error, nothing is loaded.")
    assert stored(uploads) == 0
    assert not DSR.objects.exists()
    assert RejectedDelivery.objects.get().name == NAMES[0]
    # The next ones are a new set.
    assert upload(uploader, **FIRST).status_code == 202
    assert upload(uploader, **SECOND).status_code == 201


def test_files_that_are_no_parts_are_refused_at_once(uploader, uploads):
    response = upload(uploader, **{**FIRST, "number": 3}, name=file_name(3, 2))
    assert (response.status_code, "value_invalid" in codes(response)) == (400, True)
    assert (ImportJob.objects.count(), stored(uploads)) == (0, 0)


def test_the_admin_shows_waiting_files_and_can_confirm_what_they_become(uploader, client):
    user = User.objects.get(username="ada")
    job = upload(uploader, **FIRST).json()["job"]
    user.is_staff = True
    user.save()
    permitted(user, "add_dsr", "import_dsr")
    form = {"import_file": SimpleUploadedFile(NAMES[1], message_file(**SECOND)), "format": "0", "resource": "0"}
    page = uploader.post("/admin/catalogue/dsr/import/", form, follow=True)
    assert [card["job"].pk for card in page.context["cards"]] == [job]
    assert uploader.get(f"/imports/{job}").json()["state"] == "checked"


# --- Conflicts -----------------------------------------------------------------------------------------------------


def test_a_conflict_lists_all_dsrs(uploader):
    upload(uploader, **ALONE, sales=[(1, "a", 1)])
    numbers = sorted(DSR.objects.values_list("pk", flat=True))
    response = upload(uploader, **ALONE, message_id="MSG-2", sales=[(1, "b", 1)])
    assert response.status_code == 409
    assert (response.json()["code"], response.json()["ids"]) == ("dsr_exists", numbers)

    response = upload(uploader, **ALONE, contexts=[NORWAY])
    assert response.status_code == 409
    assert (response.json()["code"], response.json()["ids"]) == ("message_id_reused", numbers)
    assert response.json()["message_id"] == "MSG-1"


def test_after_a_conflict_the_last_file_can_be_uploaded_again_with_replace(uploader, uploads):
    upload(uploader, **ALONE, message_id="MSG-0", sales=[(1, "z", 1)])
    upload(uploader, **FIRST)
    assert upload(uploader, **SECOND).status_code == 409
    job = ImportJob.objects.get(part_number=2)
    told = uploader.get(f"/imports/{job.pk}").json()
    assert (told["state"], told["waiting_for"]) == ("waiting", [])
    assert "Upload one of them again" in told["detail"]
    assert dsp_ids() == ["z"]

    response = upload(uploader, **SECOND, choices=["replace"])

    assert (response.status_code, response.json()["outcome"]) == (201, "replaced")
    assert (dsp_ids(), stored(uploads)) == (["a", "a", "b"], 0)


def test_drop_missing_deletes_what_the_new_message_lacks(uploader):
    upload(uploader, **ALONE, sales=[(1, "a", 1)])
    italy = DSR.objects.get(territory="IT")
    new = {**ALONE, "message_id": "MSG-2", "contexts": [SPAIN, NORWAY]}
    assert upload(uploader, **new).status_code == 409
    answer = upload(uploader, **new, choices=["replace"]).json()
    assert (answer["missing"], answer["dropped"]) == ([italy.pk], False)

    newer = {**ALONE, "message_id": "MSG-3", "contexts": [SPAIN]}
    answer = upload(uploader, **newer, choices=["replace", "drop_missing"]).json()
    norway = answer["missing"]
    assert (len(norway), answer["dropped"]) == (1, True)
    assert sorted(DSR.objects.values_list("territory", flat=True)) == ["ES", "IT"]


def test_drop_missing_needs_replace(uploader):
    response = upload(uploader, **ALONE, choices=["drop_missing"])
    assert response.status_code == 400
    assert response.json() == {"drop_missing": [{"message": "Needs `replace`.", "code": "needs_replace"}]}
    assert not DSR.objects.exists()


def test_drop_missing_needs_the_permission_to_delete(client):
    client.force_login(user_with("add_dsr", "change_dsr"))
    assert upload(client, **ALONE, choices=["replace", "drop_missing"]).status_code == 403
    assert upload(client, **ALONE, choices=["replace"]).status_code == 201


# --- At the same time, and interrupted -----------------------------------------------------------------------------


def test_two_uploads_of_the_last_file_at_once_import_once(uploader, uploads, in_thread):
    upload(uploader, **FIRST)
    user = User.objects.get(username="ada")

    def post():
        other = Client()
        other.force_login(user)
        return upload(other, **SECOND)

    responses = [running.result(PATIENCE) for running in [in_thread(post) for _ in range(4)]]

    assert sorted(response.status_code for response in responses) == [201, 202, 202, 202]
    assert dsp_ids() == ["a", "a", "b"]
    assert DSR.objects.count() == 2
    assert ReportMessage.objects.count() == 1


def test_files_in_work_are_not_imported_twice(uploader):
    first = upload(uploader, **FIRST).json()["job"]
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [locks.IMPORT_JOBS.space, first])
    try:
        response = upload(uploader, **SECOND)
        assert (response.status_code, response.json()["waiting_for"]) == (202, [])
        assert not DSR.objects.exists()
        assert uploader.delete(f"/imports/{first}").status_code == 409
    finally:
        other.close()


def test_after_a_killed_server_the_same_file_imports_all(uploader, uploads, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(**options):
        raise Killed

    upload(uploader, **FIRST)
    with monkeypatch.context() as patched:
        patched.setattr(uploads_module, "delivery_import", killed)
        with pytest.raises(Killed):
            upload(uploader, **SECOND)
    assert set(ImportJob.objects.values_list("state", flat=True)) == {"waiting"}
    # No worker takes them.
    assert queue_drain() == 0

    assert upload(uploader, **SECOND).status_code == 201
    assert (dsp_ids(), stored(uploads)) == (["a", "a", "b"], 0)


def test_lost_files_are_a_conflict(uploader, uploads):
    upload(uploader, **FIRST)
    for path in uploads.iterdir():
        path.unlink()
    assert upload(uploader, **FIRST).json()["code"] == "file_repeated"
    response = upload(uploader, **SECOND)
    assert (response.status_code, response.json()["code"]) == (409, "import_job_changed")
    assert set(ImportJob.objects.values_list("state", flat=True)) == {"refused"}
    assert stored(uploads) == 0


# --- Limits --------------------------------------------------------------------------------------------------------


def test_waiting_files_expire(uploader, uploads, settings):
    job = upload(uploader, **FIRST).json()["job"]
    ImportJob.objects.update(changed_at=timezone.now() - timedelta(days=settings.DSRHUB_UPLOAD_DAYS + 1))
    uploads_clear()
    assert uploader.get(f"/imports/{job}").json()["state"] == "abandoned"
    assert stored(uploads) == 0


def test_the_waiting_files_of_a_user_are_bounded_together(uploader, uploads, settings):
    settings.DSRHUB_UPLOAD_LIMIT_BYTES = len(message_file(**FIRST)) + 1
    assert upload(uploader, **FIRST).status_code == 202
    response = upload(uploader, **FIRST, message_id="MSG-2")
    assert (response.status_code, response.json()["code"]) == (409, "waiting_files_too_large")
    assert (ImportJob.objects.count(), stored(uploads)) == (1, 1)


# --- Who sees an import --------------------------------------------------------------------------------------------


def test_only_the_uploader_and_users_who_import_in_the_admin_see_an_import(uploader):
    job = upload(uploader, **FIRST).json()["job"]
    other = Client()
    user = recipes.user.make(username="eve")
    other.force_login(user)
    for permissions, status in (
        ((), 403),
        (("import_dsr",), 403),
        (("add_dsr",), 404),
        (("add_dsr", "import_dsr"), 200),
    ):
        permitted(user, *permissions)
        assert other.get(f"/imports/{job}").status_code == status
    permitted(user, "add_dsr")
    assert other.delete(f"/imports/{job}").status_code == 404
    assert ImportJob.objects.get().state == "waiting"


@pytest.mark.parametrize("number", ["0", "7", "abc", "2147483648", "-1"])
def test_an_import_that_is_not_there_is_not_found(uploader, number):
    response = uploader.get(f"/imports/{number}")
    assert (response.status_code, response.json()) == (404, {"detail": "Not found."})
    assert uploader.delete(f"/imports/{number}").status_code == 404


def test_an_import_that_has_ended_cannot_be_discarded(uploader):
    upload(uploader, **FIRST)
    upload(uploader, **SECOND)
    job = ImportJob.objects.first()
    response = uploader.delete(f"/imports/{job.pk}")
    assert (response.status_code, response.json()["code"]) == (409, "import_job_changed")
    assert DSR.objects.count() == len([SPAIN, ITALY])


# --- Declared totals -------------------------------------------------------------------------------------------


def test_the_totals_declared_with_the_last_file_are_those_of_the_whole_message(uploader, uploads):
    assert upload(uploader, **FIRST, declared={"declared_lines": "99"}).status_code == 202
    refused = upload(uploader, **SECOND, declared={"declared_lines": "2"})
    assert refused.status_code == 400
    found = without_messages(refused.json()["problems"])
    assert [one for one in found if one["code"] == "totals_differ"] == [
        {"code": "totals_differ", "value": "lines: 2 declared, 3 found"}
    ]
    assert (stored(uploads), DSR.objects.count()) == (0, 0)

    assert upload(uploader, **FIRST).status_code == 202
    assert upload(uploader, **SECOND, declared={"declared_lines": "3", "declared_usages": "8"}).status_code == 201


def test_the_files_stay_where_a_revenue_of_several_currencies_is_declared(uploader, uploads):
    contexts = (SPAIN, NORWAY)
    assert upload(uploader, **FIRST, contexts=contexts).status_code == 202
    refused = upload(uploader, **SECOND, contexts=contexts, declared={"declared_revenue": "1"})
    assert refused.status_code == 400
    assert refused.json()["declared_revenue"][0]["code"] == "invalid_argument"
    assert stored(uploads) == 2
    assert upload(uploader, **SECOND, contexts=contexts).status_code == 201
