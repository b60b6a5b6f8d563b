"""Deleting DSRs in the admin, with reports that each test imports: the lines that are left, and changes meanwhile."""

import pytest
from django.db import transaction

from catalogue.models import DSR, RateChange, ReportProblem, UsageLine
from catalogue.resources.services import catalogue_refresh
from tests.catalogue import recipes
from tests.catalogue.admin.dsrs.test_delete import (
    DSRS,
    OUTDATED,
    action,
    change_rate,
    deletion_of,
    deletions,
    page_messages,
    summary,
)
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, SHARED_STORAGE, import_report, line, line_storage, shown
from tests.confirming import confirm_deletion, shown_on
from tests.waiting import PATIENCE, wait_for_lock_waiter

TRANSACTIONAL = pytest.mark.django_db(transaction=True)


@pytest.mark.django_db
@pytest.mark.parametrize("partitions", ["shared", "own"])
def test_the_confirmation_counts_the_resources_that_no_other_dsr_reports(admin_client, settings, tmp_path, partitions):
    settings.DSRHUB_SHARED_PARTITION_BYTES = 1024**2 if partitions == "shared" else 0
    first = import_report(tmp_path, NO_JANUARY, line("a"), line("b"), line("b"), line("c"), line("d"))
    second = import_report(tmp_path, ES_JANUARY, line("b"), line("c"), line("e"))
    # The same dsp_id of a different DSP is a different recording.
    deezer = import_report(tmp_path, "Deezer_Family_ES_EUR_20200101-20200131.tsv", line("a"), line("c"))
    # A failed DSR has no lines.
    failed = recipes.failed_dsr.make(path="failed.tsv")

    def recordings_line(*dsrs):
        return next(line for line in summary(admin_client.post(DSRS, action(*dsrs))) if line.startswith("Recordings"))

    for dsrs, count in [
        ([first], 2),  # a, d
        ([second], 1),  # e
        ([deezer], 2),
        ([first, second], 5),
        ([first, deezer, failed], 4),
        ([failed], 0),
    ]:
        assert recordings_line(*dsrs) == f"Recordings that no other DSR reports: {count}"
    assert f"<li>{recordings_line(first)}</li>" in admin_client.get(deletion_of(first)).content.decode()


@TRANSACTIONAL
@pytest.mark.parametrize("size", ["shared partition", "own partition"])
@pytest.mark.usefixtures("without_versions")
def test_deletion_removes_a_dsr_with_all_its_contents(admin_client, settings, tmp_path, size):
    settings.DSRHUB_SHARED_PARTITION_BYTES = 1024**2 if size == "shared partition" else 0
    gone = import_report(tmp_path, NO_JANUARY, line("a", isrc="NO1"), line("a"))
    kept = import_report(tmp_path, ES_JANUARY, line("b", isrc="ES1"))
    recipes.rate_change.make(dsr=gone)
    response = confirm_deletion(admin_client, deletion_of(gone), follow=True)
    assert response.redirect_chain == [(DSRS, 302)]
    assert page_messages(response) == [f"The DSR “{NO_JANUARY}” was deleted successfully."]
    assert shown(response, "path") == [ES_JANUARY]
    catalogue_refresh()
    assert list(UsageLine.objects.values_list("dsr", "dsp_id")) == [(kept.pk, "b")]
    assert list(ReportProblem.objects.values_list("dsr", "code")) == [(kept.pk, "isrc_invalid")]
    assert not RateChange.objects.exists()
    own = [] if size == "shared partition" else [f"catalogue_usageline_{kept.pk}"]
    assert line_storage() == sorted(SHARED_STORAGE + own)
    assert deletions() == [("admin", NO_JANUARY)]


@TRANSACTIONAL
def test_the_comparison_waits_for_a_change_that_is_not_committed_yet(admin_client, tmp_path, in_thread):
    dsr = import_report(tmp_path, NO_JANUARY, line("a"))
    form = {"post": "yes"} | shown_on(admin_client.get(deletion_of(dsr)))
    with transaction.atomic():
        change_rate(dsr)
        deleting = in_thread(admin_client.post, deletion_of(dsr), form, follow=True)
        wait_for_lock_waiter("transactionid")
    assert page_messages(deleting.result(PATIENCE)) == [OUTDATED]
    assert DSR.objects.get() == dsr
