"""Files of one key that are confirmed together: the last one of the upload wins, in requests and with any workers."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.imports.queue.jobs import import_job_discard, job_path
from catalogue.imports.queue.worker import queue_drain
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, ImportJob, UsageLine
from catalogue.reports.formats import registry
from dsrhub.database import locks
from dsrhub.models import Action, AuditEntry
from tests.catalogue.admin.imports.test_import import IMPORT, PROCESS, report, upload
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line, other_transaction, staff_with
from tests.catalogue.reports.formats.toy import ToyFormat

pytestmark = pytest.mark.django_db(transaction=True)

SAME = f"Other files of this upload have the same key: {NO_JANUARY}."


@pytest.fixture(autouse=True)
def _uploads(settings, tmp_path):
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"


def checked(client, *files):
    """Upload files, which are checked at once. Return the jobs, in the order of the upload."""
    page = upload(client, *files)
    assert {job.state for job in jobs(page)} == {"checked"}
    return jobs(page)


def jobs(page):
    return list(ImportJob.objects.filter(upload=page.context["upload"]).order_by("id"))


def confirm(client, confirmed, *, replace=()):
    """Confirm jobs of one upload together, with “Replace” ticked for some of them."""
    chosen = {
        "upload": confirmed[0].upload,
        "job": [job.pk for job in confirmed],
        "replace": [job.pk for job in replace],
        "confirm": "on",
        **{f"seen-{job.pk}": job.changed_at.isoformat() for job in confirmed},
    }
    return client.post(PROCESS, chosen, follow=True)


def results(*jobs_of_upload):
    found = []
    for job in jobs_of_upload:
        job.refresh_from_db()
        found.append((job.state, job.message.rstrip("0123456789., ")))
    return found


def ingested():
    dsrs = DSR.objects.ingested().order_by("territory")
    ids = [UsageLine.objects.of([dsr]).order_by("line_number").values_list("dsp_id", flat=True).first() for dsr in dsrs]
    return [(dsr.territory_id, dsp_id) for dsr, dsp_id in zip(dsrs, ids, strict=True)]


LOADED, REPLACED = ("done", "Loaded as DSR"), ("done", "Replaced as DSR")


# --- The last one wins -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once_bytes", [0, 120, 10**6], ids=["by a worker", "the large one by a worker", "at once"])
def test_the_last_file_wins_if_it_is_to_replace_the_others(admin_client, settings, at_once_bytes):
    files = [report(NO_JANUARY, line("a", title="large" * 30)), report(NO_JANUARY, line("b")), report(ES_JANUARY)]
    found = checked(admin_client, *files)
    settings.DSRHUB_IMPORT_AT_ONCE_BYTES = at_once_bytes
    confirm(admin_client, found, replace=found[1:2])
    queue_drain()

    assert results(*found) == [LOADED, REPLACED, LOADED]
    assert ingested() == [("ES", None), ("NO", "b")]


@pytest.mark.parametrize("at_once_bytes", [0, 10**6], ids=["by a worker", "at once"])
def test_three_files_replace_the_earlier_delivery_and_each_other(admin_client, settings, tmp_path, at_once_bytes):
    import_report(tmp_path, NO_JANUARY, line("earlier"))
    found = checked(admin_client, *(report(NO_JANUARY, line(dsp_id)) for dsp_id in "abc"))
    settings.DSRHUB_IMPORT_AT_ONCE_BYTES = at_once_bytes
    confirm(admin_client, found, replace=found)
    queue_drain()

    assert results(*found) == [REPLACED] * 3
    assert ingested() == [("NO", "c")]
    replaced = AuditEntry.objects.filter(action=Action.DSR_REPLACED).order_by("id")
    numbers = [(entry.details["old"]["id"], entry.object_id) for entry in replaced]
    assert [int(old) for old, _ in numbers[1:]] == [int(new) for _, new in numbers[:-1]]


def test_without_replace_the_first_file_stays_and_the_others_say_why(admin_client):
    first, last = checked(admin_client, report(NO_JANUARY, line("a")), report(NO_JANUARY, line("b")))
    confirm(admin_client, [first, last])

    assert results(first)[0] == LOADED
    last.refresh_from_db()
    assert last.state == "refused"
    assert f"DSR {DSR.objects.get().pk} ({NO_JANUARY}) is an earlier delivery" in last.message
    assert ingested() == [("NO", "a")]


def test_the_same_file_twice_is_loaded_once(admin_client):
    first, last = checked(admin_client, report(NO_JANUARY, line("a")), report(NO_JANUARY, line("a")))
    confirm(admin_client, [first, last], replace=[last])

    assert results(first, last) == [LOADED, ("done", "Unchanged as DSR")]


def test_if_the_first_file_is_refused_the_last_one_replaces_what_was_shown(admin_client, tmp_path):
    import_report(tmp_path, NO_JANUARY, line("earlier"))
    first, last = checked(admin_client, report(NO_JANUARY, line("a")), report(NO_JANUARY, line("b")))
    job_path(first).write_bytes(b"changed")
    confirm(admin_client, [first, last], replace=[first, last])

    assert [state for state, _ in results(first, last)] == ["refused", "done"]
    assert ingested() == [("NO", "b")]


def test_a_delivery_that_came_in_otherwise_is_not_replaced(admin_client, tmp_path, settings):
    first, last = checked(admin_client, report(NO_JANUARY, line("a")), report(NO_JANUARY, line("b")))
    settings.DSRHUB_IMPORT_AT_ONCE_BYTES = 0
    confirm(admin_client, [first, last], replace=[last])
    import_report(tmp_path, NO_JANUARY, line("other"))
    queue_drain()

    assert [state for state, _ in results(first, last)] == ["refused", "refused"]
    assert "not the one that was shown" in last.message
    assert ingested() == [("NO", "other")]


def test_a_file_of_another_upload_is_not_replaced_unseen(admin_client, tmp_path, settings):
    import_report(tmp_path, NO_JANUARY, line("earlier"))
    (first,) = checked(admin_client, report(NO_JANUARY, line("a")))
    (other,) = checked(admin_client, report(NO_JANUARY, line("b")))
    settings.DSRHUB_IMPORT_AT_ONCE_BYTES = 0
    for job in (other, first):
        confirm(admin_client, [job], replace=[job])
    queue_drain()

    assert [state for state, _ in results(first, other)] == ["done", "refused"]
    assert "not the one that was shown" in other.message
    assert ingested() == [("NO", "a")]


def test_each_context_is_of_the_last_file_that_has_it(admin_client, monkeypatch):
    monkeypatch.setattr(registry, "FORMATS", [ToyFormat(), *registry.FORMATS])
    contents = {"a": ("ES EUR", "NO NOK"), "b": ("NO NOK", "FR EUR"), "c": ("FR EUR",)}
    found = checked(
        admin_client,
        *(
            SimpleUploadedFile(
                f"{name}.toy", ("TOY\n" + "".join(f"= T F {code}\n{name} 1 1\n" for code in codes)).encode()
            )
            for name, codes in contents.items()
        ),
    )
    confirm(admin_client, found, replace=found[1:])

    assert [state for state, _ in results(*found)] == ["done"] * 3
    assert ingested() == [("ES", "a"), ("FR", "c"), ("NO", "b")]


# --- Workers ---------------------------------------------------------------------------------------------------


@pytest.fixture
def queued(admin_client, settings):
    """Two confirmed files of one key, the second of which replaces the first, and one of another key."""
    files = [report(NO_JANUARY, line("a")), report(NO_JANUARY, line("b")), report(ES_JANUARY, line("c"))]
    found = checked(admin_client, *files)
    settings.DSRHUB_IMPORT_AT_ONCE_BYTES = 0
    confirm(admin_client, found, replace=found[1:2])
    return found


def test_a_worker_leaves_a_file_alone_while_another_one_loads_the_file_before_it(queued):
    with other_transaction() as other_worker:
        other_worker.execute("SELECT pg_advisory_lock(%s, %s)", [locks.IMPORT_JOBS.space, queued[0].pk])
        assert queue_drain() == 1
        assert [state for state, _ in results(*queued)] == ["to_load", "to_load", "done"]
        other_worker.execute("SELECT pg_advisory_unlock(%s, %s)", [locks.IMPORT_JOBS.space, queued[0].pk])

    assert queue_drain() == 2
    assert results(*queued[:2]) == [LOADED, REPLACED]
    assert ingested() == [("ES", "c"), ("NO", "b")]


def test_a_worker_that_was_killed_after_the_import_changes_no_result(queued):
    first = queued[0]
    dsr_import(path=job_path(first), name=first.name)

    assert queue_drain() == 3
    assert results(*queued) == [("done", "Unchanged as DSR"), REPLACED, LOADED]
    assert ingested() == [("ES", "c"), ("NO", "b")]


def test_a_discarded_file_does_not_hold_up_the_next_one(queued):
    queued[0].refresh_from_db()
    import_job_discard(job=queued[0])

    queue_drain()

    assert results(*queued[1:]) == [LOADED, LOADED]


def test_jobs_that_a_worker_of_the_version_before_has_checked_are_loaded(queued):
    ImportJob.objects.update(keys=[])

    queue_drain()

    assert [state for state, _ in results(*queued)] == ["done", "refused", "done"]
    assert ingested() == [("ES", "c"), ("NO", "a")]


# --- The page --------------------------------------------------------------------------------------------------


def test_the_page_names_files_of_one_key_and_offers_to_replace_only_earlier_ones(admin_client):
    first, last, other = checked(admin_client, report(NO_JANUARY, line("a")), report(NO_JANUARY), report(ES_JANUARY))
    page = admin_client.get(f"{IMPORT}{first.upload}/").content.decode()

    assert page.count(SAME) == 2
    assert page.count("The files are imported in the order of this page.") == 2
    assert f"Replace what is imported from {NO_JANUARY}" in page
    ticks = [f'name="replace" value="{job.pk}"' in page for job in (first, last, other)]
    assert ticks == [False, True, False]


def test_users_who_may_not_replace_are_told_so_and_cannot(client):
    client.force_login(staff_with("import_dsr", "view_dsr"))
    first, last = checked(client, report(NO_JANUARY, line("a")), report(NO_JANUARY, line("b")))
    page = client.get(f"{IMPORT}{first.upload}/").content.decode()
    assert 'name="replace"' not in page
    assert "have permission to replace DSRs (needs: change DSR)" in page

    assert confirm(client, [first, last], replace=[last]).status_code == 403
    assert [state for state, _ in results(first, last)] == ["checked", "checked"]

    confirm(client, [first, last])
    assert [state for state, _ in results(first, last)] == ["done", "refused"]


def test_the_page_takes_as_many_queries_for_files_of_one_key_as_for_others(admin_client):
    counts = []
    for names in ((NO_JANUARY, ES_JANUARY), (NO_JANUARY, NO_JANUARY, NO_JANUARY)):
        (first, *_others) = checked(admin_client, *map(report, names))
        with CaptureQueriesContext(connection) as queries:
            admin_client.get(f"{IMPORT}{first.upload}/")
        counts.append(len(queries))
    assert counts[0] == counts[1]
