"""The Import button for messages of several files: one job for all of them, when all are there."""

import csv
import io
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from catalogue.imports.queue.jobs import import_job_add
from catalogue.imports.queue.worker import queue_drain, uploads_clear
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, ImportJob, ReportMessage, UsageLine
from dsrhub.database import locks
from tests.catalogue.admin.imports.test_import import confirm, page_messages, process, states, upload
from tests.catalogue.helpers import other_transaction, permitted, staff_with
from tests.catalogue.imports.test_jobs import worker_process
from tests.catalogue.messages import FIRST, NORWAY, SECOND, SPAIN, file_name, message_file, write_message_file
from tests.waiting import PATIENCE, wait_for_lock_waiter, wait_until_alone

pytestmark = pytest.mark.django_db(transaction=True)
NAMES = [file_name(1, 2), file_name(2, 2)]


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """The upload folder."""
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"
    return settings.DSRHUB_UPLOAD_DIR


def file(**values):
    return SimpleUploadedFile(file_name(values["number"], values["count"]), message_file(**values))


def texts(page):
    return [(card["job"].state, card["job"].message) for card in page.context["cards"]]


def all_states():
    return list(ImportJob.objects.order_by("id").values_list("state", flat=True))


def stored(folder):
    return len(list(folder.iterdir()))


def dsp_ids():
    return sorted(UsageLine.objects.of(list(DSR.objects.ingested())).values_list("dsp_id", flat=True))


# --- One job for all files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(FIRST, SECOND), (SECOND, FIRST)])
def test_files_that_are_uploaded_together_are_one_job_to_confirm(order, admin_client, uploads):
    page = upload(admin_client, *(file(**values) for values in order))

    assert states(page) == [(NAMES[0], "checked")]
    (card,) = page.context["cards"]
    assert card["part_names"] == [NAMES[1]]
    assert NAMES[1] in page.content.decode()
    assert [one["context"].split(", ")[3] for one in card["dsrs"]] == ["ES", "IT"]
    assert not DSR.objects.exists()

    page = confirm(admin_client, page)

    spain, italy = DSR.objects.order_by("id")
    assert texts(page) == [("done", f"Loaded as DSRs {spain.pk}, {italy.pk}.")]
    assert ImportJob.objects.get(lead=None).dsr_numbers == [spain.pk, italy.pk]
    assert dsp_ids() == ["a", "a", "b"]
    assert [one["name"] for one in spain.message.files] == NAMES
    assert (all_states(), stored(uploads)) == (["done", "done"], 0)


def test_a_file_waits_for_the_others_and_says_for_which(admin_client):
    values = {"contexts": [SPAIN], "count": 3}
    first = upload(admin_client, file(**values, number=2))
    assert texts(first) == [("waiting", "Waiting for files 1, 3 of 3 of message MSG-1.")]
    assert "Waiting for other files" in first.content.decode()
    assert "Confirm import" not in first.content.decode()

    second = upload(admin_client, file(**values, number=3))
    both = [("waiting", "Waiting for file 1 of 3 of message MSG-1.")]
    assert texts(second) == both
    assert texts(admin_client.get(first.request["PATH_INFO"])) == both

    third = upload(admin_client, file(**values, number=1))
    # The job stands on the pages of all three uploads, and each can confirm it.
    for page in (first, second, third):
        assert states(admin_client.get(page.request["PATH_INFO"])) == [(file_name(1, 3), "checked")]
    confirm(admin_client, admin_client.get(first.request["PATH_INFO"]))
    assert DSR.objects.get().path == file_name(1, 3)
    assert all_states() == ["done", "done", "done"]


def test_other_files_of_the_upload_do_not_wait(admin_client):
    alone = {"number": 1, "count": 1, "message_id": "MSG-2", "contexts": [NORWAY]}
    page = upload(admin_client, file(**FIRST), file(**alone))
    assert [card["job"].state for card in page.context["cards"]] == ["waiting", "checked"]


def test_files_of_another_user_or_message_or_sender_are_no_siblings(admin_client, client):
    upload(admin_client, file(**FIRST))
    upload(admin_client, file(**SECOND, message_id="MSG-2"))
    upload(admin_client, file(**SECOND, sender=("PADPIDA2026000009Z", "Tonbank")))
    client.force_login(staff_with("import_dsr"))
    upload(client, file(**SECOND))
    assert all_states() == ["waiting"] * 4


def test_the_same_files_again_are_already_imported(admin_client):
    confirm(admin_client, upload(admin_client, file(**FIRST), file(**SECOND)))
    page = upload(admin_client, file(**FIRST), file(**SECOND))
    numbers = ", ".join(str(dsr.pk) for dsr in DSR.objects.order_by("id"))
    assert texts(page) == [("done", f"Already imported as DSRs {numbers}.")]
    assert all_states() == ["done"] * 4


def test_a_message_of_one_file_waits_for_nothing(admin_client):
    page = upload(admin_client, file(number=1, count=1))
    assert states(page) == [(file_name(), "checked")]


# --- Wrong siblings ----------------------------------------------------------------------------------------------


def test_files_with_other_summaries_are_refused_together_and_discarded_together(admin_client, uploads):
    page = upload(admin_client, file(**FIRST), file(**SECOND, contexts=[SPAIN]))
    (card,) = page.context["cards"]
    assert card["job"].state == "refused"
    (problem,) = [one for one in card["preview"]["problems"] if one["level"] == "error"]
    assert (problem["code"], problem["file"]) == ("files_differ", NAMES[1])
    assert f'<td class="number">{NAMES[1]}</td>' in page.content.decode()

    (address,) = {line.split('"')[1] for line in page.content.decode().split("<a ") if "/problems/" in line}
    text = b"".join(admin_client.get(address).streaming_content).decode()
    assert list(csv.reader(io.StringIO(text, newline="")))[1][:3] == [NAMES[1], "error", "files_differ"]

    process(admin_client, page, abandon=card["job"].pk)
    assert (all_states(), stored(uploads)) == (["abandoned", "abandoned"], 0)
    assert not DSR.objects.exists()


def test_the_same_number_twice_is_refused_until_one_of_the_files_is_discarded(admin_client):
    other = file(**{**FIRST, "sales": [(1, "c", 1)]})
    page = upload(admin_client, file(**FIRST), other)
    assert texts(page) == [
        ("waiting", "Waiting for file 2 of 2 of message MSG-1."),
        ("refused", "File 1 of 2 of message MSG-1 is there already. Discard one of the two files."),
    ]
    waiting, refused = (card["job"] for card in page.context["cards"])

    page = process(admin_client, page, abandon=waiting.pk)
    assert [state for state, _ in texts(page)] == ["abandoned", "refused"]
    page = process(admin_client, page, check=refused.pk)
    assert texts(page)[1] == ("waiting", "Waiting for file 2 of 2 of message MSG-1.")

    confirm(admin_client, upload(admin_client, file(**SECOND)))
    assert dsp_ids() == ["b", "c"]


def test_a_discarded_file_is_waited_for_again(admin_client):
    values = {"contexts": [SPAIN], "count": 3}
    page = upload(admin_client, file(**values, number=1), file(**values, number=2))
    process(admin_client, page, abandon=page.context["cards"][0]["job"].pk)
    assert ImportJob.objects.get(state="waiting").message == "Waiting for files 1, 3 of 3 of message MSG-1."


def test_a_part_cannot_be_discarded_apart_from_its_message(admin_client):
    page = upload(admin_client, file(**FIRST), file(**SECOND))
    process(admin_client, page, abandon=ImportJob.objects.get(state="part").pk)
    assert all_states() == ["checked", "part"]


# --- Workers -----------------------------------------------------------------------------------------------------


def test_a_worker_checks_and_loads_a_message_whose_files_are_large_together(admin_client, settings):
    settings.DSRHUB_IMPORT_AT_ONCE_BYTES = len(message_file(**FIRST)) + 1
    page = upload(admin_client, file(**SECOND), file(**FIRST))
    assert states(page) == [(NAMES[0], "to_check")]
    queue_drain()
    page = admin_client.get(page.request["PATH_INFO"])
    assert states(page) == [(NAMES[0], "checked")]
    confirm(admin_client, page)
    queue_drain()
    assert all_states() == ["done", "done"]


def test_a_killed_worker_leaves_nothing_and_another_one_takes_all_files(admin_client, uploads, settings):
    settings.DSRHUB_IMPORT_AT_ONCE_BYTES = 0
    page = upload(admin_client, file(**FIRST), file(**SECOND))
    queue_drain()
    confirm(admin_client, admin_client.get(page.request["PATH_INFO"]))
    with other_transaction() as cursor:
        locks.MESSAGES.take_with(cursor)  # The worker waits for this lock when all lines are read.
        with worker_process():
            wait_for_lock_waiter("advisory")
        assert (all_states(), DSR.objects.count(), stored(uploads)) == (["to_load", "part"], 0, 2)
    wait_until_alone()

    assert queue_drain() == 1

    assert (all_states(), stored(uploads)) == (["done", "done"], 0)
    assert dsp_ids() == ["a", "a", "b"]


def test_a_worker_of_an_earlier_release_finds_nothing_to_do_in_waiting_files(admin_client):
    upload(admin_client, file(**FIRST))
    ImportJob.objects.update(changed_at=timezone.now() - timedelta(days=30))
    # What such workers take, and what they clear.
    taken = ["to_check", "to_load", "checked", "refused"]
    assert not ImportJob.objects.filter(state__in=taken).exists()


def test_parts_that_a_worker_of_an_earlier_release_left_behind_are_removed(admin_client, uploads):
    upload(admin_client, file(**FIRST), file(**SECOND))
    lead = ImportJob.objects.get(state="checked")
    (uploads / lead.stored_name).unlink()
    ImportJob.objects.filter(pk=lead.pk).update(state="abandoned", stored_name="")
    uploads_clear()
    assert (all_states(), stored(uploads)) == (["abandoned", "abandoned"], 0)


def test_waiting_files_expire_like_other_uploads(admin_client, uploads, settings):
    values = {"contexts": [SPAIN], "count": 3}
    upload(admin_client, file(**values, number=1))
    ImportJob.objects.update(changed_at=timezone.now() - timedelta(days=settings.DSRHUB_UPLOAD_DAYS + 1))
    # Another file of the message shows that somebody still works on it.
    upload(admin_client, file(**values, number=2))
    uploads_clear()
    assert all_states() == ["waiting", "waiting"]

    ImportJob.objects.update(changed_at=timezone.now() - timedelta(days=settings.DSRHUB_UPLOAD_DAYS + 1))
    uploads_clear()
    assert (all_states(), stored(uploads)) == (["abandoned", "abandoned"], 0)


def test_a_changed_part_is_not_loaded(admin_client, uploads):
    page = upload(admin_client, file(**FIRST), file(**SECOND))
    part = ImportJob.objects.get(state="part")
    (uploads / part.stored_name).write_bytes(message_file(**{**SECOND, "sales": [(1, "x", 2)]}))
    assert "is not the file that was checked" in texts(confirm(admin_client, page))[0][1]
    assert not DSR.objects.exists()


def test_two_uploads_of_the_last_file_at_once_make_one_job(admin_user, uploads, in_thread):
    uploads.mkdir()

    def add(name, values):
        path = uploads / name
        path.write_bytes(message_file(**values))
        return import_job_add(upload=name, path=path, name=name, user=admin_user)

    add("first", FIRST)
    running = [in_thread(add, f"second {number}", SECOND) for number in range(4)]
    for one in running:
        one.result(PATIENCE)
    assert sorted(all_states()) == ["part", "refused", "refused", "to_check", "waiting"]
    assert queue_drain() == 1
    assert ImportJob.objects.filter(state="checked").count() == 1


def test_the_waiting_files_of_a_user_have_the_bytes_of_an_upload_at_most(admin_client, uploads, settings):
    first, second = file(**FIRST), file(**FIRST, message_id="MSG-2")
    settings.DSRHUB_UPLOAD_LIMIT_BYTES = len(message_file(**FIRST)) + 1
    upload(admin_client, first)
    page = admin_client.post(
        "/admin/catalogue/dsr/import/", {"import_file": [second], "format": "0", "resource": "0"}, follow=True
    )
    assert "may have" in page_messages(page)[0]
    assert (ImportJob.objects.count(), stored(uploads)) == (1, 1)


# --- Missing contexts --------------------------------------------------------------------------------------------


@pytest.fixture
def italy(tmp_path):
    """The DSR of Italy in an earlier message of Spain and Italy."""
    path = write_message_file(tmp_path / "old", sales=[(1, "a", 1)])
    dsr_import(path=path, name=path.name)
    return DSR.objects.get(territory="IT")


NEW = {"number": 1, "count": 1, "message_id": "MSG-2", "contexts": [SPAIN, NORWAY], "sales": [(1, "b", 10)]}


@pytest.mark.parametrize("drops", [False, True])
def test_the_page_lists_missing_contexts_and_deletes_them_only_if_ticked(drops, admin_client, italy):
    page = upload(admin_client, file(**NEW))
    text = page.content.decode()
    assert f"{file_name()}: Tonbank Premium SocietyX, IT, EUR, 2020-01-01 to 2020-01-31" in text
    job = page.context["cards"][0]["job"]
    chosen = {"replace": job.pk} | ({"drop_missing": job.pk} if drops else {})

    assert texts(confirm(admin_client, page, **chosen))[0][0] == "done"

    assert sorted(DSR.objects.ingested().values_list("territory", flat=True)) == (
        ["ES", "NO"] if drops else ["ES", "IT", "NO"]
    )
    assert dsp_ids() == ["b"]


def test_the_tick_shows_only_where_contexts_are_missing(admin_client, italy):
    page = upload(admin_client, file(**{**NEW, "contexts": [SPAIN, ("IT", "EUR", 4, "3")]}))
    assert "drop_missing" not in page.content.decode()


def test_users_who_may_not_delete_dsrs_cannot_drop_them(client, italy):
    user = permitted(staff_with(), "import_dsr", "change_dsr")
    client.force_login(user)
    page = upload(client, file(**NEW))
    assert "needs: delete DSR" in page.content.decode()
    job = page.context["cards"][0]["job"]
    choices = {"upload": job.upload, "job": job.pk, "confirm": "on", "replace": job.pk, "drop_missing": job.pk}
    response = client.post("/admin/catalogue/dsr/process_import/", choices)
    assert response.status_code == 403
    assert DSR.objects.filter(pk=italy.pk).exists()


def test_a_reused_message_id_with_other_contexts_can_be_replaced(admin_client, italy):
    page = upload(admin_client, file(**{**NEW, "message_id": "MSG-1", "contexts": [NORWAY], "sales": []}))
    job = page.context["cards"][0]["job"]
    page = confirm(admin_client, page)
    assert "Tick “Replace”" in page_messages(page)[0]

    assert texts(confirm(admin_client, page, replace=job.pk))[0][1].endswith("Check the file again.")
    page = process(admin_client, page, check=job.pk)
    page = confirm(admin_client, page, replace=job.pk, drop_missing=job.pk)

    assert texts(page)[0][0] == "done"
    assert DSR.objects.get().territory_id == "NO"
    assert ReportMessage.objects.count() == 1


def test_what_was_not_shown_is_not_dropped(admin_client, italy, tmp_path):
    page = upload(admin_client, file(**{**NEW, "message_id": "MSG-1", "contexts": [NORWAY], "sales": []}))
    # Another delivery takes the place of the message that was shown.
    other = write_message_file(tmp_path / "other", contexts=[SPAIN], sales=[(1, "z", 1)])
    dsr_import(path=other, name=other.name, replace=True, replace_only=None, drop_missing=True)
    job = page.context["cards"][0]["job"]

    page = confirm(admin_client, page, replace=job.pk, drop_missing=job.pk)

    assert "not the one that was shown" in texts(page)[0][1]
    assert dsp_ids() == ["z"]
