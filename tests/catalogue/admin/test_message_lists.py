"""Messages in the admin that each test makes for itself: long lists, rejected ones, and deletions for good."""

import pytest
from django.db import transaction

from catalogue.dsrs.services import dsr_delete
from catalogue.exceptions import ReportRefused
from catalogue.models import DSR, RejectedDelivery, ReportMessage, ReportProblem, UsageLine
from tests.catalogue import recipes
from tests.catalogue.admin.test_messages import (
    DSRS,
    MESSAGES,
    OUTDATED,
    PROBLEMS,
    deletion_of,
    details,
    found,
    page_messages,
)
from tests.catalogue.helpers import NO_JANUARY, import_report, line, query_count, shown
from tests.catalogue.sample_message import MESSAGE, import_message
from tests.confirming import confirm_deletion, shown_on
from tests.waiting import PATIENCE, wait_for_lock_waiter

pytestmark = pytest.mark.django_db


def test_lists_and_pages_take_the_same_number_of_queries_for_1_and_for_100(admin_client):
    def add(count):
        names = [f"{count}-{number}" for number in range(count)]
        messages = recipes.make_many(recipes.told_message, count, message_id=iter(names))
        dsrs = recipes.make_many(recipes.dsr_of_message, count, message=iter(messages), offer=iter(names))
        rejections = recipes.make_many(recipes.rejected_delivery, count, name=iter(names))
        recipes.make_many(recipes.problem, count, dsr=iter(dsrs), level="warning")
        recipes.make_many(recipes.problem, count, dsr=None, message=iter(messages), level="warning")
        recipes.make_many(recipes.problem, count, dsr=None, rejection=iter(rejections))

    add(1)
    paths = [MESSAGES, DSRS, PROBLEMS, "/admin/catalogue/rejecteddelivery/"]
    for_one = [query_count(admin_client, path) for path in paths]
    first = ReportMessage.objects.get()
    # The first page of all also looks up the type of its objects.
    _, of_one_dsr = (query_count(admin_client, f"{MESSAGES}{first.pk}/change/") for _ in range(2))
    add(99)
    assert len(found(admin_client, MESSAGES)) == 100
    assert [query_count(admin_client, path) for path in paths] == for_one
    DSR.objects.update(message=first)
    assert query_count(admin_client, f"{MESSAGES}{first.pk}/change/") == of_one_dsr


def test_a_page_shows_the_first_hundred_dsrs_and_links_to_all(admin_client):
    first = recipes.dsr_of_message.make(offer="first")
    offers = (str(number) for number in range(119))
    recipes.make_many(recipes.dsr_of_message, 119, message=first.message, offer=offers)
    response = details(admin_client, first.message)
    assert len(shown(response, "offer")) == 100
    assert "All 120 DSRs" in response.content.decode()


def test_a_rejected_delivery_shows_its_problems(admin_client, tmp_path):
    blocks = "AS02.04;B1;1;trk-1;;One;;A;;;SoundRecording\nSU02.03;B1;1;T1;;1;true;many;;;OnDemandStream;"
    with pytest.raises(ReportRefused):
        import_message(tmp_path, blocks=blocks)
    rejection = RejectedDelivery.objects.get()
    problem = ReportProblem.objects.get(level="error")
    page = admin_client.get(f"/admin/catalogue/rejecteddelivery/{rejection.pk}/change/").content.decode()
    meaning = "The cell must have a number, and has something else."
    assert f"<div>{meaning} (line {problem.line}, column {problem.column}) – many <span" in page
    assert f'href="{PROBLEMS}?rejection={rejection.pk}"' in page
    response = admin_client.get(f"{PROBLEMS}?rejection={rejection.pk}&level__exact=error")
    assert shown(response, "shown_value") == ["many"]
    assert shown(response, "delivery") == [MESSAGE]
    assert shown(admin_client.get("/admin/catalogue/rejecteddelivery/"), "problem_counts")[0].startswith("1 error")


def test_names_are_escaped(admin_client):
    evil = "<script>alert(1)</script>"
    dsr = recipes.dsr_of_message.make(
        offer=evil,
        commercial_model=evil,
        use_type=evil,
        message__sender_name=evil,
        message__message_id=evil,
        message__files=[{"name": evil, "sha256": "0" * 64}],
    )
    recipes.problem.make(dsr=None, message=dsr.message, level="warning", value=evil, file=evil)
    ReportMessage.objects.update(warning_count=1)
    for path in (
        MESSAGES,
        f"{MESSAGES}{dsr.message_id}/change/",
        deletion_of(dsr.message),
        DSRS,
        f"{DSRS}{dsr.pk}/change/",
        f"{DSRS}{dsr.pk}/lines/",
        f"{PROBLEMS}?message={dsr.message_id}",
    ):
        text = admin_client.get(path).content.decode()
        assert "&lt;script&gt;alert(1)" in text, path
        assert "<script>alert(" not in text, path


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("without_versions")
def test_a_message_is_deleted_with_its_dsrs_files_and_lines(admin_client, tmp_path, settings):
    settings.DSRHUB_KEEP_FILES = str(tmp_path / "kept")
    message = import_message(tmp_path)
    other = import_report(tmp_path, NO_JANUARY, line("a"))
    page = admin_client.get(deletion_of(message)).content.decode()
    for count in (
        "Messages: 1",
        "DSRs: 5",
        "Lines: 10",
        "Revenue in EUR: 6.93",
        "Problems: 3",
        "Recordings that no other DSR",
    ):
        assert count in page
    assert "TonbankShop, WW, EUR, PayAsYouGoModel · PermanentDownload: 2 lines, 6.93 EUR (allocated)" in page
    response = confirm_deletion(admin_client, deletion_of(message), follow=True)
    assert page_messages(response) == ["The message “Tonbank MSG-1” was deleted successfully."]
    assert DSR.objects.get() == other
    assert not ReportMessage.objects.exists()
    assert not list((tmp_path / "kept").rglob("*-message-*"))
    assert set(UsageLine.objects.filter(dsr__in=DSR.objects.all()).values_list("dsp_id", flat=True)) == {"a"}


@pytest.mark.django_db(transaction=True)
def test_a_deletion_waits_for_that_of_the_last_dsr(admin_client, tmp_path, in_thread):
    """Both lock the DSR first, so neither waits for the other with a lock that it needs."""
    message = import_message(tmp_path)
    *others, last = message.dsrs.order_by("pk")
    for dsr in others:
        dsr_delete(dsr_number=dsr.pk)
    form = {"post": "yes"} | shown_on(admin_client.get(deletion_of(message)))
    with transaction.atomic():
        dsr_delete(dsr_number=last.pk)
        deleting = in_thread(admin_client.post, deletion_of(message), form, follow=True)
        wait_for_lock_waiter("transactionid")
    assert page_messages(deleting.result(PATIENCE)) == [OUTDATED]
    assert not ReportMessage.objects.exists()
