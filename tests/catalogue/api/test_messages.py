"""Messages over REST: lists, details, problems and deletion; and what DSRs and lines of messages show."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.models import DSR, ReportMessage
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line, permitted, user_with, without_messages
from tests.catalogue.sample_message import MESSAGE, dsr_of, import_message

pytestmark = pytest.mark.django_db

NOT_FOUND = (404, {"detail": "Not found."})


def answer(response):
    return response.status_code, response.json()


# --- Messages --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_message_has_its_facts_its_files_and_its_dsrs(client, tmp_path, slash):
    message = import_message(tmp_path)
    listed = {
        "id": message.pk,
        "format": "DDEX",
        "sender": {"name": "Tonbank", "party_id": "PADPIDA2026000001A"},
        "recipient": {"name": "SocietyX", "party_id": "PADPIDA2026000002B"},
        "message_id": "MSG-1",
        "created": "2020-02-12T08:30:00+02:00",
        "profile": "BasicAudioProfile",
        "profile_version": "1.4",
        "period_start": "2020-01-01T00:00:00Z",
        "period_end": "2020-01-31T00:00:00Z",
        "imported_at": message.imported_at.isoformat().replace("+00:00", "Z"),
        "files": [{"name": MESSAGE, "sha256": DSR.objects.first().sha256}],
        "dsr_count": 5,
        "warning_count": 3,
    }
    assert answer(client.get(f"/messages{slash}")) == (200, [listed])
    ids = [dsr_of(message, str(number)).pk for number in range(1, 6)]
    assert answer(client.get(f"/messages/{message.pk}{slash}")) == (200, listed | {"dsrs": ids})


def test_a_message_without_some_values_omits_them(client):
    recipes.message.make()
    (listed,) = client.get("/messages/").json()
    assert (listed["sender"].keys(), listed["recipient"], "created" in listed) == ({"name"}, {}, False)
    assert (listed["dsr_count"], listed["warning_count"]) == (0, 0)


def test_problems_of_a_message_name_their_dsr_and_file(client, tmp_path):
    message = import_message(tmp_path)
    one = dsr_of(message, "1")
    recipes.problem.make(dsr=one, file="second.tsv", code="isrc_invalid", level="warning", line=3)
    rows = client.get(f"/messages/{message.pk}/problems").json()
    ids = [row.pop("id") for row in rows]
    assert ids == sorted(ids)
    # The recording of the block's third record, on line 9, has two ISRCs.
    several = {"level": "warning", "code": "isrc_repeated", "line": 9, "column": "AS02 cell 5, isrc"}
    several |= {"value": "QZABC2600002|QZABC2600003"}
    assert without_messages(rows) == [
        {"level": "warning", "code": "sender_unknown", "value": "Tonbank (PADPIDA2026000001A)"},
        several | {"dsr": one.pk},
        several | {"dsr": dsr_of(message, "2").pk},
        {"level": "warning", "code": "isrc_invalid", "file": "second.tsv", "line": 3, "dsr": one.pk},
    ]
    of_dsr = client.get(f"/dsrs/{one.pk}/problems").json()
    assert [row["code"] for row in of_dsr] == ["isrc_repeated", "isrc_invalid"]
    assert of_dsr[1]["file"] == "second.tsv"
    assert "dsr" not in of_dsr[0]


def test_messages_and_their_problems_have_pages(client):
    first, second, third = (recipes.message.make(message_id=f"MSG-{number}") for number in range(3))
    problems = [recipes.problem.make(dsr=None, message=second, code=f"code {number}") for number in range(3)]
    page = client.get("/messages/?limit=2")
    assert [row["id"] for row in page.json()] == [first.pk, second.pk]
    assert page["Link"] == f'<http://testserver/messages/?limit=2&cursor={second.pk}>; rel="next"'
    last = client.get(f"/messages/?limit=2&cursor={second.pk}")
    assert [row["id"] for row in last.json()] == [third.pk]
    assert "Link" not in last
    page = client.get(f"/messages/{second.pk}/problems?limit=2")
    assert [row["code"] for row in page.json()] == ["code 0", "code 1"]
    address = f"http://testserver/messages/{second.pk}/problems?limit=2&cursor={problems[1].pk}"
    assert page["Link"] == f'<{address}>; rel="next"'
    last = client.get(address.removeprefix("http://testserver"))
    assert [row["code"] for row in last.json()] == ["code 2"]
    assert "Link" not in last


@pytest.mark.parametrize("id", ["0", "1", "abc", "1.0", "9223372036854775807", "9223372036854775808", "٣", "9" * 99])
def test_a_missing_message_is_not_found(client, id):
    client.force_login(user_with("delete_dsr"))
    for path in (f"/messages/{id}", f"/messages/{id}/problems"):
        assert answer(client.get(path)) == NOT_FOUND
    assert answer(client.delete(f"/messages/{id}")) == NOT_FOUND


def test_a_wrong_parameter_is_refused_with_its_name(client):
    message = recipes.message.make()
    dsr = recipes.dsr.make(message=message)
    pages = ("/messages/", f"/messages/{message.pk}/problems", f"/dsrs/{dsr.pk}/use-types")
    for path in pages:
        for name, value in (("limit", "0"), ("limit", "10001"), ("cursor", "x"), ("page", "2")):
            response = client.get(path, {name: value})
            assert (response.status_code, list(response.json())) == (400, [name])
    for path in (f"/messages/{message.pk}", f"/dsrs/{dsr.pk}/details"):
        response = client.get(path, {"page": "2"})
        assert (response.status_code, list(response.json())) == (400, ["page"])


def test_a_user_with_the_permission_deletes_a_message_with_its_dsrs(client, tmp_path):
    message, other = import_message(tmp_path), import_report(tmp_path, NO_JANUARY, line("a"))
    path = f"/messages/{message.pk}"
    assert client.delete(path).status_code == 401
    user = user_with("change_dsr")
    client.force_login(user)
    assert client.delete(path).status_code == 403
    assert DSR.objects.count() == 6
    permitted(user, "delete_dsr")
    response = client.delete(path)
    assert (response.status_code, response.content) == (204, b"")
    assert list(DSR.objects.all()) == [other]
    assert not ReportMessage.objects.exists()


# --- DSRs of messages ------------------------------------------------------------------------------------------


def test_the_contract_shows_each_context_as_a_dsr(client, tmp_path):
    message = import_message(tmp_path)
    listed = client.get("/dsrs/").json()
    assert {dsr["path"] for dsr in listed} == {MESSAGE}
    contract = {"id", "path", "period_start", "period_end", "status", "territory", "currency"}
    assert [dsr.keys() for dsr in listed] == [contract] * 5
    assert client.get(f"/dsrs/{dsr_of(message, '1').pk}").json() == listed[0]


def details(client, dsr):
    response = client.get(f"/dsrs/{dsr.pk}/details")
    assert response.status_code == 200
    return response.json()


def test_the_details_of_a_dsr_of_a_message(client, tmp_path):
    message = import_message(tmp_path)
    first = dsr_of(message, "1")
    found = details(client, first)
    assert found.items() >= client.get(f"/dsrs/{first.pk}").json().items()
    assert {name: value for name, value in found.items() if name not in ("imported_at", "sha256")} == {
        "id": first.pk,
        "path": MESSAGE,
        "period_start": "2020-01-01T00:00:00Z",
        "period_end": "2020-01-31T00:00:00Z",
        "status": "ingested",
        "territory": {"name": "United Kingdom", "code_2": "GB"},
        "currency": {"name": "British Pound", "code": "GBP"},
        "dsp": "Tonbank",
        "offer": "TonbankPremium",
        "society": "SocietyX",
        "message": message.pk,
        "commercial_model": "SubscriptionModel",
        "summary_id": "1",
        "declared_usages": "1000",
        "declared_revenue": "700.00",
        "unallocated_revenue": "74.9",
        "subscribers": "52000.5",
        "usages_without_royalty": "0",
        "revenue_without_royalty": "0",
        "revenue_kind": "allocated",
        "line_count": 4,
        "total_usages": "893",
        "total_revenue": "625.1",
        # 625.1 / 0.8492727272727272727272727272727272727273, calculated with `bc`.
        "total_revenue_eur": "736.0415328623421108970241918218796831513358",
        "exchange_rate": "0.8492727272727272727272727272727272727273",
        "rate_method": "ecb_mean",
        "rate_source": "ECB reference rates of 22 days, 2020-01-02 to 2020-01-31",
        "blank_count": 0,
        "error_count": 0,
        "warning_count": 1,
    }
    third, fourth = details(client, dsr_of(message, "3")), details(client, dsr_of(message, "4"))
    assert third["use_type"] == "NonInteractiveStream"
    assert (third["usages_without_royalty"], third["revenue_without_royalty"]) == ("20", "0.666666666666")
    assert fourth["returns"] == 1
    assert "rate_source" not in fourth  # of the euro itself


def test_the_details_of_a_report_and_of_a_failed_one(client, tmp_path):
    found = details(
        client, import_report(tmp_path, ES_JANUARY, line("a", usages="9223372036854775807", revenue="0.10"))
    )
    assert (found["revenue_kind"], found["total_usages"], found["total_revenue"]) == (
        "reported",
        "9223372036854775807",
        "0.10",
    )
    of_messages = {"message", "commercial_model", "use_type", "declared_usages", "unallocated_revenue", "returns"}
    assert found.keys() & of_messages == set()
    failed = details(client, recipes.failed_dsr.make())
    assert failed["status"] == "failed"
    assert failed.keys() & {"revenue_kind", "exchange_rate", "rate_method", "total_revenue_eur", "sha256"} == set()
    assert answer(client.get("/dsrs/2147483647/details")) == NOT_FOUND


def test_totals_by_use_type(client, tmp_path):
    message = import_message(tmp_path)
    path = f"/dsrs/{dsr_of(message, '1').pk}/use-types"
    influenced, on_demand = (
        {
            "use_type": use_type,
            "line_count": lines,
            "blank_isrc_count": 0,
            "total_usages": usages,
            "total_revenue": sum_,
        }
        # 50 and 600 + 250 - 7 of 1000 usages, of 700.
        for use_type, lines, usages, sum_ in (
            ("ContentInfluencedStream", 1, "50", "35"),
            ("OnDemandStream", 3, "843", "590.1"),
        )
    )
    assert client.get(path).json() == [influenced, on_demand]
    page = client.get(f"{path}?limit=1")
    assert page.json() == [influenced]
    assert client.get(page["Link"].partition(">")[0].removeprefix("<http://testserver")).json() == [on_demand]
    assert client.get(f"/dsrs/{dsr_of(message, '5').pk}/use-types").json() == []
    recipes.use_type_total.make(dsr=dsr_of(message, "5"), use_type=None)
    assert "use_type" not in client.get(f"/dsrs/{dsr_of(message, '5').pk}/use-types").json()[0]


def test_lines_of_messages_show_what_the_message_tells(client, tmp_path):
    message = import_message(tmp_path)
    third = client.get(f"/dsrs/{dsr_of(message, '1').pk}/lines").json()[2]
    assert third == {
        "line": 4,
        "dsp_id": "trk-2",
        "title": "AC\\DC | live",
        "artists": "A / B",
        "artists_delivered": "A | B",
        "isrc": "QZABC2600002",
        "isrcs": "QZABC2600002|QZABC2600003",
        "usages": 250,
        "revenue": "175",
        "use_type": "OnDemandStream",
        "is_royalty_bearing": True,
        "transaction_id": "T3",
        "is_release": False,
        "label": "Blank Records",
        "icpn": "4006381333931",
    }
    free = client.get(f"/dsrs/{dsr_of(message, '3').pk}/lines").json()
    assert [one["is_royalty_bearing"] for one in free] == [True, False, True]
    assert (free[0]["iswc"], free[0]["composers"]) == ("T0345246801", "C. Writer")
    assert [one.get("use_type") for one in free] == [None] * 3  # that of the DSR
    shop = client.get(f"/dsrs/{dsr_of(message, '4').pk}/lines").json()
    assert [(one["dsp_id"], one["is_release"], one["returns"]) for one in shop] == [
        ("rel-100", True, 0),
        ("trk-1", False, 1),
    ]


# --- Cost ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/messages/", "/messages/{id}", "/messages/{id}/problems", "/dsrs/{dsr}/use-types"])
def test_the_number_of_queries_is_the_same_for_1_and_for_100_rows(client, path):
    def queries(message):
        dsr = message.dsrs.first()
        with CaptureQueriesContext(connection) as captured:
            assert client.get(path.format(id=message.pk, dsr=dsr.pk)).status_code == 200
        return len(captured)

    one = recipes.message.make()
    recipes.problem.make(dsr=recipes.dsr.make(message=one), code="isrc_invalid")
    for_one = queries(one)
    many = recipes.message.make(message_id=(f"MSG-{number}" for number in range(2, 102)), _quantity=100)
    dsrs = recipes.dsr.make(
        message=many[0], offer=(f"Offer {number}" for number in range(100)), _quantity=100, _bulk_create=True
    )
    recipes.problem.make(dsr=iter(dsrs), code="isrc_invalid", _quantity=100, _bulk_create=True)
    recipes.use_type_total.make(
        dsr=dsrs[0], use_type=(f"Use {number}" for number in range(100)), _quantity=100, _bulk_create=True
    )
    assert queries(many[0]) == for_one
