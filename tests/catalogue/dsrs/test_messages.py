"""The selectors of messages, and the deletion of a message."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.dsrs.messages import (
    dsrs_by_message,
    message_details,
    message_get,
    message_list,
    messages_by_id,
    problem_counts_by_message,
    problems_by_message,
)
from catalogue.dsrs.services import dsr_delete, message_delete
from catalogue.exceptions import MessageNotFound
from catalogue.models import DSR, ReportMessage, ReportProblem
from dsrhub.models import AuditEntry
from tests.catalogue import recipes
from tests.catalogue.helpers import NO_JANUARY, import_report, line
from tests.catalogue.sample_message import BLOCKS, dsr_of, import_message

pytestmark = pytest.mark.django_db


@pytest.fixture
def two():
    """Two messages, the first with two DSRs and the second with one, and a DSR of no message."""
    first, second = recipes.message.make(), recipes.message.make(message_id="MSG-2", warning_count=5)
    recipes.dsr.make(warning_count=1)
    recipes.dsr.make(offer="One", message=first, warning_count=10)
    recipes.dsr.make(offer="Two", message=first, warning_count=100)
    recipes.dsr.make(offer="Three", message=second)
    return [first, second]


def offers(dsrs):
    return [dsr.offer for dsr in dsrs]


# --- Messages --------------------------------------------------------------------------------------------------


def test_messages_are_listed_by_id_with_their_counts(two):
    first, second = two
    first.save()  # An update moves a row to the end of its table.
    listed = message_list(after=None, limit=10)
    assert [(message.pk, message.dsr_count, message.all_warning_count) for message in listed] == [
        (first.pk, 2, 110),
        (second.pk, 1, 5),
    ]
    assert message_list(after=None, limit=1) == [first]
    assert message_list(after=first.pk, limit=10) == [second]
    assert message_list(after=second.pk, limit=10) == []


def test_a_message_is_found_by_its_id(two):
    first, second = two
    assert message_get(message_number=second.pk).all_warning_count == 5
    assert message_details(message_number=first.pk).dsr_numbers == [
        *DSR.objects.filter(message=first).order_by("pk").values_list("pk", flat=True)
    ]
    assert messages_by_id([first.pk, second.pk + 1]) == {first.pk: first}
    with pytest.raises(MessageNotFound) as refusal:
        message_details(message_number=second.pk + 1)
    assert refusal.value.extra == {"id": second.pk + 1}


def test_a_list_of_messages_is_one_statement(two, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert sum(message.dsr_count for message in message_list(after=None, limit=10)) == 3


# --- What belongs to messages ----------------------------------------------------------------------------------


def test_each_message_has_a_page_of_its_dsrs(two):
    first, second = two
    pages = dsrs_by_message(two, after=None, limit=1)
    assert {number: offers(page) for number, page in pages.items()} == {first.pk: ["One"], second.pk: ["Three"]}
    following = dsrs_by_message(two, after=pages[first.pk][0].pk, limit=10)
    assert offers(following[first.pk]) == ["Two"]
    assert str(following[first.pk][0].total_revenue_eur) == "0"


def test_the_problems_of_a_message_are_its_own_and_those_of_its_dsrs(two):
    first, second = two
    one = DSR.objects.get(offer="One")
    codes = ["of message", "of DSR", "of message again"]
    for code, dsr in zip(codes, [None, one, None], strict=True):
        recipes.problem.make(message=None if dsr else first, dsr=dsr, code=code)
    recipes.problem.make(message=second, dsr=None, code="of another")
    recipes.problem.make(dsr=DSR.objects.get(offer="SpotifyDuo"), code="of no message")

    by_message = problems_by_message(two, after=None, limit=10)
    assert [(one.code, one.dsr_id) for one in by_message[first.pk]] == [
        ("of message", None),
        ("of DSR", one.pk),
        ("of message again", None),
    ]
    assert [problem.code for problem in by_message[second.pk]] == ["of another"]
    following = problems_by_message(two, after=by_message[first.pk][0].pk, limit=1)
    assert {number: [each.code for each in page] for number, page in following.items()} == {
        first.pk: ["of DSR"],
        second.pk: ["of another"],
    }
    assert problem_counts_by_message(two) == {first.pk: 3, second.pk: 1}


@pytest.mark.parametrize("load", [problem_counts_by_message, lambda m: problems_by_message(m, after=None, limit=9)])
def test_what_belongs_to_messages_is_loaded_by_one_statement(two, load):
    with CaptureQueriesContext(connection) as captured:
        load(two)
    assert len(captured) == 1


# --- An imported message ---------------------------------------------------------------------------------------


def test_warnings_beyond_the_kept_ones_are_counted(tmp_path, settings):
    """Each of two recordings has two ISRCs, in two contexts; the sender is not known."""
    settings.DSRHUB_PROBLEM_LIMIT = 1
    message = import_message(tmp_path)
    listed = message_get(message_number=message.pk)
    assert listed.all_warning_count == 3
    assert len(problems_by_message([message], after=None, limit=10)[message.pk]) == 1


def test_transaction_ids_beyond_the_kept_ones_are_counted(tmp_path, settings):
    settings.DSRHUB_PROBLEM_LIMIT = 3  # One warning of the sender, and two of recordings with several ISRCs.
    blocks = BLOCKS.replace(";T2;", ";T1;").replace(";T4;", ";T3;").replace(";T7;", ";T6;")
    message = import_message(tmp_path, blocks=blocks)
    assert message_get(message_number=message.pk).all_warning_count == 6


def test_a_message_is_deleted_with_everything_of_it(tmp_path):
    message = import_message(tmp_path)
    import_report(tmp_path, NO_JANUARY, line("a"))
    message_delete(message_number=message.pk)
    assert offers(DSR.objects.all()) == ["SpotifyDuo"]
    assert not ReportMessage.objects.exists()
    assert not ReportProblem.objects.exists()
    assert AuditEntry.objects.filter(action="dsr_deleted").count() == 5
    with pytest.raises(MessageNotFound):
        message_delete(message_number=message.pk)


def test_a_message_without_some_of_its_dsrs_has_the_others(tmp_path):
    message = import_message(tmp_path)
    gone = dsr_of(message, "1")
    dsr_delete(dsr_number=gone.pk)
    left = message_details(message_number=message.pk)
    assert (left.dsr_count, gone.pk in left.dsr_numbers, left.all_warning_count) == (4, False, 2)
