"""Messages in the admin: their list and pages, their files and DSRs, and the deletion of a whole message."""

import csv
import io

import pytest
from django.test import override_settings
from django.utils.html import strip_tags

from catalogue.dsrs.services import dsr_delete
from catalogue.models import DSR, ReportMessage
from tests.catalogue.helpers import NO_JANUARY, import_report, line, shown, staff_with
from tests.catalogue.sample_message import MESSAGE, dsr_of, import_message
from tests.confirming import confirm_action, confirm_deletion, shown_on

pytestmark = pytest.mark.django_db

MESSAGES = "/admin/catalogue/reportmessage/"
DSRS = "/admin/catalogue/dsr/"
PROBLEMS = "/admin/catalogue/reportproblem/"
REPORTS, LINES, PROBLEM_ROWS, TOP, LINES_TO_IMPORT, USE_TYPES = range(6)
OUTDATED = "Nothing was deleted. Something has changed since you opened the page. Review it again."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder with the file of the message."""
    return tmp_path_factory.mktemp("messages")


@pytest.fixture(scope="module", autouse=True)
def message(module_db, folder):
    """The five contexts of the sample: GB, SE, GB, WW and NO. Its file is kept."""
    with override_settings(DSRHUB_KEEP_FILES=str(folder / "kept")):
        yield import_message(folder)


@pytest.fixture(scope="module", autouse=True)
def other(message, folder):
    """A report that no message brought, of one line with a bad ISRC."""
    return import_report(folder, NO_JANUARY, line("a", isrc="bad", revenue="1"))


def details(client, message):
    response = client.get(f"{MESSAGES}{message.pk}/change/")
    assert response.status_code == 200
    return response


def deletion_of(message):
    return f"{MESSAGES}{message.pk}/delete/"


def page_messages(response):
    return [str(one) for one in response.context["messages"]]


def found(client, path):
    return [str(one) for one in client.get(path).context["cl"].result_list]


# --- The list --------------------------------------------------------------------------------------------------


def test_the_list_shows_each_message_with_its_counts(admin_client, message):
    response = admin_client.get(MESSAGES)
    columns = {
        "message_id": ["MSG-1"],
        "sender_name": ["Tonbank"],
        "recipient_name": ["SocietyX"],
        "period": ["2020-01-01 – 2020-01-31"],
        "file_count": ["1"],
        "dsr_count": ["5"],
        # An unknown sender, a second ISRC in contexts 1 and 2.
        "warnings": ["3 warnings"],
    }
    assert {name: shown(response, name) for name in columns} == columns


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("q=MSG-1", True),
        ("q=tonbank", True),
        ("q=PADPIDA2026000002B", True),
        ("q=20200212T083000", True),
        ("q=nothing", False),
        ("sender_name=Tonbank", True),
        ("recipient_name=SocietyY", False),
        ("profile=BasicAudioProfile", True),
        ("period_start__year=2020", True),
        ("period_start__year=2021", False),
    ],
)
def test_filters_and_search_find_messages(admin_client, message, query, is_found):
    assert found(admin_client, f"{MESSAGES}?{query}") == ([str(message)] if is_found else [])


def test_a_message_that_lost_its_dsrs_to_an_old_server_is_not_shown(admin_client):
    DSR.objects.all().delete()
    assert ReportMessage.objects.count() == 1
    assert found(admin_client, MESSAGES) == []


# --- The page of a message -------------------------------------------------------------------------------------


def test_the_page_shows_the_dsrs_with_declared_and_allocated_amounts(admin_client, message):
    response = details(admin_client, message)
    numbers = [str(dsr.pk) for dsr in message.dsrs.order_by("pk")]
    columns = {
        "offer": ["TonbankPremium", "TonbankPremium", "TonbankFree", "TonbankShop", "TonbankPremium"],
        "territory": ["GB", "SE", "GB", "WW", "NO"],
        "lines": ["4", "1", "3", "2", "0"],
        "declared_usages": ["1,000", "500", "300", "7", "0"],
        "usages": ["893", "500", "200", "7", "0"],
        "declared_revenue": ["700.00 GBP", "1,234.57 SEK", "10.00 GBP", "6.93 EUR", "0.00 NOK"],
        # 10 * 200 / 300, rounded down, and what is left of 10.
        "revenue": [
            "625.10 GBP allocated; 74.90 GBP not allocated",
            "1,234.57 SEK allocated",
            "6.67 GBP allocated; 3.33 GBP not allocated",
            "6.93 EUR allocated",
            "0.00 NOK allocated",
        ],
    }
    assert {name: shown(response, name) for name in columns} == columns
    text = response.content.decode()
    for number in numbers:
        assert f'href="{DSRS}{number}/change/"' in text
        assert f'href="{DSRS}{number}/lines/"' in text
    assert f'href="{DSRS}?message={message.pk}"' in text
    assert f'href="{DSRS}export/?message={message.pk}"' in text
    # 625.1 + 6.666666666666, and 74.9 + 3.333333333334.
    totals = " ".join(
        strip_tags(text.partition('<table id="totals">')[2].replace("</td>", " ").replace("</th>", " ")).split()
    )
    assert "GBP 2 7 1,093 710.00 GBP 631.77 GBP 78.23 GBP" in totals
    assert "<div>No report of this service was imported before. – Tonbank (PADPIDA2026000001A) <span" in text


def test_a_kept_file_is_downloaded_byte_for_byte(client, message, folder, settings):
    client.force_login(staff_with("view_dsr", "export_dsr"))
    address = f"{MESSAGES}{message.pk}/files/1/"
    assert f'href="{address}"' in details(client, message).content.decode()
    response = client.get(address)
    assert b"".join(response.streaming_content) == (folder / MESSAGE).read_bytes()
    assert response["Content-Disposition"] == f'attachment; filename="{MESSAGE}"'
    for number in (0, 2):
        assert client.get(f"{MESSAGES}{message.pk}/files/{number}/").status_code == 404
    settings.DSRHUB_KEEP_FILES = None
    assert client.get(address).status_code == 404
    assert shown(details(client, message), "download") == ["not kept"]


def test_without_the_permission_to_export_no_file_is_offered(client, message):
    client.force_login(staff_with("view_dsr"))
    text = details(client, message).content.decode()
    assert f"{MESSAGES}{message.pk}/files/1/" not in text
    assert "/export/" not in text
    assert client.get(f"{MESSAGES}{message.pk}/files/1/").status_code == 403


@pytest.mark.parametrize("number", ["0", "x", "9" * 30])
def test_a_message_that_does_not_exist_is_reported(admin_client, number):
    response = admin_client.get(f"{MESSAGES}{number}/change/", follow=True)
    assert response.status_code == 200
    assert "Perhaps it was deleted?" in page_messages(response)[0]


# --- Problems --------------------------------------------------------------------------------------------------


def test_the_problems_of_a_message_are_its_own_and_those_of_its_dsrs(admin_client, message, other):
    response = admin_client.get(f"{PROBLEMS}?message={message.pk}")
    found = sorted(problem.code for problem in response.context["cl"].result_list)
    assert found == ["isrc_repeated", "isrc_repeated", "sender_unknown"]
    assert shown(response, "delivery").count("Tonbank MSG-1") == 1
    everything = admin_client.get(PROBLEMS)
    assert len(shown(everything, "explained")) == 4
    assert other.path in shown(everything, "dsr_link")


# --- Export ----------------------------------------------------------------------------------------------------


def export(client, resource, query):
    response = client.post(f"{DSRS}export/{query}", {"resource": resource, "format": "0", "percentile": 100})
    return list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode(), newline="")))


def test_a_whole_message_is_exported_and_nothing_else(admin_client, message):
    query = f"?message={message.pk}"
    dsrs = export(admin_client, REPORTS, query)
    assert [(dsr["summary_id"], dsr["revenue_kind"], dsr["unallocated_revenue"]) for dsr in dsrs] == [
        ("1", "allocated", "74.9"),
        ("2", "allocated", "0"),
        ("3", "allocated", "3.333333333334"),
        ("4", "allocated", "0"),
        ("5", "allocated", "0"),
    ]
    third = dsrs[2]
    assert (third["message_id"], third["commercial_model"]) == ("MSG-1", "AdvertisementSupportedModel")
    assert (third["use_type"], third["declared_usages"], third["declared_revenue"]) == (
        *("NonInteractiveStream", "300", "10"),
    )
    assert (third["subscribers"], third["usages_without_royalty"], dsrs[3]["returns"]) == ("90000", "20", "1")
    lines = export(admin_client, LINES, query)
    assert len(lines) == 4 + 1 + 3 + 2
    (negative,) = (one for one in lines if one["usages"] == "-7")
    assert (negative["transaction_id"], negative["use_type"], negative["is_royalty_bearing"]) == (
        *("T5", "OnDemandStream", "true"),
    )
    assert negative["isrcs"] == "QZABC2600002|QZABC2600003"
    use_types = export(admin_client, USE_TYPES, query)
    # Of the first context: 600 + 250 - 7, and 50, of 1,000 usages for 700.
    assert [(row["use_type"], row["total_usages"], row["total_revenue"]) for row in use_types[:2]] == [
        ("ContentInfluencedStream", "50", "35"),
        ("OnDemandStream", "843", "590.1"),
    ]
    problems = export(admin_client, PROBLEM_ROWS, query)
    assert sorted(problem["code"] for problem in problems) == ["isrc_repeated", "isrc_repeated", "sender_unknown"]


# --- DSRs of messages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("commercial_model=SubscriptionModel", ["1", "2", "5"]),
        ("use_type=NonInteractiveStream", ["3"]),
        # By the use types of lines, and by that of a context without lines.
        ("use_type=OnDemandStream", ["1", "2", "5"]),
        ("use_type=ContentInfluencedStream", ["1"]),
        ("revenue_kind=allocated", ["1", "2", "3", "4", "5"]),
        ("revenue_kind=reported", [None]),
        ("q=MSG-1", ["1", "2", "3", "4", "5"]),
    ],
)
def test_the_list_of_dsrs_filters_by_what_messages_say(admin_client, query, expected):
    dsrs = admin_client.get(f"{DSRS}?{query}").context["cl"].result_list
    assert sorted((dsr.summary_id for dsr in dsrs), key=str) == expected


def test_an_unknown_kind_of_revenue_is_refused(admin_client):
    assert admin_client.get(f"{DSRS}?revenue_kind=other")["Location"] == f"{DSRS}?e=1"


def test_the_page_of_a_dsr_shows_what_its_message_declares(admin_client, message):
    dsr = dsr_of(message, "3")
    text = admin_client.get(f"{DSRS}{dsr.pk}/change/").content.decode()
    for value in (
        f'<a href="{MESSAGES}{message.pk}/change/">Tonbank MSG-1</a>',
        "AdvertisementSupportedModel",
        '<div class="readonly">10.00 GBP</div>',
        'data-full="3.333333333334 GBP" tabindex="0"><span>3.33 GBP</span>',
        '<div class="readonly">90,000</div>',
        # 20 of 300 usages for 10, rounded down at the 12th decimal.
        'data-full="0.666666666666 GBP"',
        '<th scope="col">revenue (allocated)</th>',
        '<tr><th scope="row">NonInteractiveStream</th><td class="number">3</td><td class="number">200</td>',
    ):
        assert value in text


def test_the_lines_of_a_message_show_what_only_they_have(admin_client, message):
    response = admin_client.get(f"{DSRS}{dsr_of(message, '4').pk}/lines/")
    assert "2 lines, allocated revenue in EUR." in response.content.decode()
    columns = {
        "dsp_id": ["rel-100", "trk-1"],
        "use_type": ["PermanentDownload"] * 2,
        "is_royalty_bearing": ["yes", "yes"],
        "returns": ["0", "1"],
        "transaction_id": ["T9", "T10"],
        "is_release": ["yes", "no"],
    }
    assert {name: shown(response, name) for name in columns} == columns


def test_lines_of_other_reports_have_no_such_columns(admin_client, other):
    assert shown(admin_client.get(f"{DSRS}{other.pk}/lines/"), "use_type") == []


# --- Recordings ------------------------------------------------------------------------------------------------


def test_a_recording_shows_what_messages_tell_of_it(admin_client, message):
    def facts(dsp_id):
        return dict(admin_client.get(f"/admin/catalogue/resource/page/?dsp=Tonbank&dsp_id={dsp_id}").context["facts"])

    assert facts("trk-1") == {
        "ISWC": "T0345246801",
        "composers": "A. Writer, B. Writer",
        "label": "Blank Records",
        "ICPN": "4006381333931",
    }
    assert facts("trk-2")["all ISRCs"] == "QZABC2600002, QZABC2600003"


def test_a_recording_of_other_reports_has_no_such_facts(admin_client):
    response = admin_client.get("/admin/catalogue/resource/page/?dsp=Spotify&dsp_id=a")
    assert response.context["facts"] == []


# --- Delete ----------------------------------------------------------------------------------------------------


def test_messages_are_deleted_in_the_list(admin_client, message, other):
    form = {"action": "delete_selected", "_selected_action": message.pk, "post": "yes"}
    confirm_action(admin_client, MESSAGES, form)
    assert not ReportMessage.objects.exists()
    assert DSR.objects.get() == other


def test_a_message_that_lost_a_dsr_since_the_confirmation_is_not_deleted(admin_client, message):
    form = {"post": "yes"} | shown_on(admin_client.get(deletion_of(message)))
    dsr_delete(dsr_number=dsr_of(message, "1").pk)
    response = admin_client.post(deletion_of(message), form, follow=True)
    assert page_messages(response) == [OUTDATED]
    assert message.dsrs.count() == 4


@pytest.mark.parametrize("permissions", [("view_dsr",), ("view_dsr", "change_dsr", "export_dsr")])
def test_users_without_the_permission_cannot_delete_a_message(client, message, permissions):
    client.force_login(staff_with(*permissions))
    assert deletion_of(message) not in details(client, message).content.decode()
    assert client.get(deletion_of(message)).status_code == 403
    assert confirm_deletion(client, deletion_of(message)).status_code == 403
    confirm_action(client, MESSAGES, {"action": "delete_selected", "_selected_action": message.pk, "post": "yes"})
    assert message.dsrs.count() == 5
