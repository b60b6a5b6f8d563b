"""`message`, `messages`, `deleteMessage`, and what DSRs, lines, resources and statistics show of messages."""

import pytest
from django.contrib.auth.models import AnonymousUser

from catalogue.models import DSR, ReportMessage
from catalogue.resources.services import catalogue_refresh
from tests.catalogue import recipes
from tests.catalogue.helpers import NO_JANUARY, import_report, line, user_with
from tests.catalogue.sample_message import MESSAGE, dsr_of, import_message
from tests.graphql_schema.helpers import ask, nodes, pages, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture
def message(tmp_path):
    """The message of the tests, and a report that is no message."""
    import_report(tmp_path, NO_JANUARY, line("a", "One", usages="3", revenue="10"))
    return import_message(tmp_path)


# --- Messages --------------------------------------------------------------------------------------------------


def test_a_message_has_its_facts_files_dsrs_and_problems(message):
    query = """query ($id: ID!) { message(id: $id) {
        id format senderName senderId recipientName recipientId messageId created profile profileVersion
        periodStart periodEnd dsrCount warningCount
        files { totalCount edges { node { number name sha256 } } }
        dsrs(first: 2) { totalCount edges { node { summaryId message { id } } } }
        problems(first: 2) { totalCount edges { node { level code file line dsrId } } }
    } }"""
    first = dsr_of(message, "1")
    assert ask(query, id=message.pk)["message"] == {
        "id": str(message.pk),
        "format": "DDEX",
        "senderName": "Tonbank",
        "senderId": "PADPIDA2026000001A",
        "recipientName": "SocietyX",
        "recipientId": "PADPIDA2026000002B",
        "messageId": "MSG-1",
        "created": "2020-02-12T08:30:00+02:00",
        "profile": "BasicAudioProfile",
        "profileVersion": "1.4",
        "periodStart": "2020-01-01",
        "periodEnd": "2020-01-31",
        "dsrCount": 5,
        "warningCount": "3",
        "files": {"totalCount": 1, "edges": [{"node": {"number": 1, "name": MESSAGE, "sha256": first.sha256}}]},
        "dsrs": {
            "totalCount": 5,
            "edges": [{"node": {"summaryId": number, "message": {"id": str(message.pk)}}} for number in ("1", "2")],
        },
        "problems": {
            "totalCount": 3,
            "edges": [
                {"node": {"level": "warning", "code": code, "file": None, "line": on_line, "dsrId": dsr}}
                for code, on_line, dsr in (("sender_unknown", None, None), ("isrc_repeated", 9, str(first.pk)))
            ],
        },
    }


def test_a_message_without_some_values_has_nulls():
    recipes.message.make()
    (found,) = nodes("{ messages { edges { node { senderId recipientName recipientId created dsrCount } } } }")
    assert found == {"senderId": None, "recipientName": None, "recipientId": None, "created": None, "dsrCount": 0}


def test_messages_dsrs_and_problems_can_be_read_page_by_page(message):
    others = [recipes.message.make(message_id=f"MSG-{number}").pk for number in (2, 3)]
    query = """query ($after: String) { messages(first: 2, after: $after) {
        edges { cursor node { id } } pageInfo { hasNextPage endCursor }
    } }"""
    assert [[int(node["id"]) for node in page] for page in pages(query)] == [[message.pk, others[0]], [others[1]]]
    for part, field, expected in (
        ("dsrs", "summaryId", [["1", "2"], ["3", "4"], ["5"]]),
        ("problems", "code", [["sender_unknown", "isrc_repeated"], ["isrc_repeated"]]),
    ):
        query = f"""query ($id: ID!, $after: String) {{ message(id: $id) {{ {part}(first: 2, after: $after) {{
            edges {{ cursor node {{ {field} }} }} pageInfo {{ hasNextPage endCursor }}
        }} }} }}"""
        walked, after, more = [], None, True
        while more:
            page = ask(query, id=message.pk, after=after)["message"][part]
            walked.append([edge["node"][field] for edge in page["edges"]])
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert walked == expected


@pytest.mark.parametrize(("id", "code"), [("0", "message_not_found"), ("9223372036854775807", "message_not_found")])
def test_a_missing_message_is_an_error(id, code):
    assert refusal("query ($id: ID!) { message(id: $id) { id } }", id=id) == (code, {"id": int(id)})


@pytest.mark.parametrize("id", ["", "x", "1.0", "9223372036854775808", "9" * 100])
def test_an_invalid_id_is_refused(id):
    assert refusal("query ($id: ID!) { message(id: $id) { id } }", id=id) == ("invalid_argument", {"argument": "id"})
    query = "query ($id: ID!) { dsrs(message: $id) { totalCount } }"
    assert refusal(query, id=id) == ("invalid_argument", {"argument": "message"})


# --- DSRs and lines --------------------------------------------------------------------------------------------

FACTS = """
    commercialModel useType subscriberType summaryId declaredUsages declaredRevenue unallocatedRevenue revenueKind
    subscribers returns usagesWithoutRoyalty revenueWithoutRoyalty
"""


def test_a_dsr_shows_what_its_summary_declares_and_what_is_allocated(message):
    found = nodes(f"{{ dsrs {{ edges {{ node {{ {FACTS} totalRevenue message {{ messageId }} }} }} }} }}")
    report, first, _, third, fourth, fifth = found
    assert {name: value for name, value in report.items() if value is not None} == {
        "revenueKind": "reported",
        "totalRevenue": "10",
    }
    assert first == {
        "commercialModel": "SubscriptionModel",
        "useType": None,
        "subscriberType": None,
        "summaryId": "1",
        "declaredUsages": "1000",
        "declaredRevenue": "700.00",
        "unallocatedRevenue": "74.9",
        "revenueKind": "allocated",
        "subscribers": "52000.5",
        "returns": None,
        "usagesWithoutRoyalty": "0",
        "revenueWithoutRoyalty": "0",
        "totalRevenue": "625.1",
        "message": {"messageId": "MSG-1"},
    }
    assert (third["usagesWithoutRoyalty"], third["revenueWithoutRoyalty"]) == ("20", "0.666666666666")
    assert (fourth["commercialModel"], fourth["returns"]) == ("PayAsYouGoModel", "1")
    assert (fifth["useType"], fifth["totalRevenue"]) == ("OnDemandStream", "0")


def test_a_failed_dsr_has_no_kind_of_revenue():
    recipes.failed_dsr.make()
    assert nodes("{ dsrs { edges { node { revenueKind message { id } } } } }") == [
        {"revenueKind": None, "message": None}
    ]


def test_totals_by_use_type_can_be_read_page_by_page(message):
    query = """query ($id: ID!, $after: String) { dsr(id: $id) { useTypeTotals(first: 1, after: $after) {
        totalCount pageInfo { hasNextPage endCursor }
        edges { node { useType lineCount blankIsrcCount totalUsages totalRevenue } }
    } } }"""
    number = dsr_of(message, "1").pk
    first = ask(query, id=number)["dsr"]["useTypeTotals"]
    second = ask(query, id=number, after=first["pageInfo"]["endCursor"])["dsr"]["useTypeTotals"]
    assert [page["totalCount"] for page in (first, second)] == [2, 2]
    assert [page["pageInfo"]["hasNextPage"] for page in (first, second)] == [True, False]
    none = {"blankIsrcCount": "0"}
    # 50 and 600 + 250 - 7 of 1000 usages, of 700.
    assert [edge["node"] for page in (first, second) for edge in page["edges"]] == [
        {"useType": "ContentInfluencedStream", "lineCount": "1", "totalUsages": "50", "totalRevenue": "35", **none},
        {"useType": "OnDemandStream", "lineCount": "3", "totalUsages": "843", "totalRevenue": "590.1", **none},
    ]


def test_lines_show_what_the_message_tells(message):
    query = """query ($id: ID!) { dsr(id: $id) { lines { edges { node {
        dspId useType isRoyaltyBearing returns transactionId isRelease iswc composers label icpn isrcs artistsDelivered
    } } } } }"""

    def lines_of(dsr):
        return [edge["node"] for edge in ask(query, id=dsr.pk)["dsr"]["lines"]["edges"]]

    assert lines_of(dsr_of(message, "1"))[2] == {
        "dspId": "trk-2",
        "useType": "OnDemandStream",
        "isRoyaltyBearing": True,
        "returns": None,
        "transactionId": "T3",
        "isRelease": False,
        "iswc": None,
        "composers": None,
        "label": "Blank Records",
        "icpn": "4006381333931",
        "isrcs": "QZABC2600002|QZABC2600003",
        "artistsDelivered": "A | B",
    }
    assert [(one["dspId"], one["isRelease"], one["returns"]) for one in lines_of(dsr_of(message, "4"))] == [
        ("rel-100", True, "0"),
        ("trk-1", False, "1"),
    ]
    (of_report,) = lines_of(DSR.objects.get(path=NO_JANUARY))
    assert {name for name, value in of_report.items() if value is not None} == {"dspId"}


# --- Filters and statistics ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("message: {id}", ["1", "2", "3", "4", "5"]),
        ("message: {other}", []),
        ('commercialModel: "SubscriptionModel"', ["1", "2", "5"]),
        ('commercialModel: "subscriptionmodel"', []),
        # The lines of the first and second DSR have it; the fifth has it itself, and no lines.
        ('useType: "OnDemandStream"', ["1", "2", "5"]),
        ('useType: "ContentInfluencedStream"', ["1"]),
        ('useType: "NonInteractiveStream"', ["3"]),
        ("revenueKind: allocated", ["1", "2", "3", "4", "5"]),
        ("revenueKind: reported", [None]),
        ('message: {id}, territory: "GB", useType: "OnDemandStream", revenueKind: allocated', ["1"]),
        ('revenueKind: reported, useType: "OnDemandStream"', []),
    ],
)
def test_dsrs_and_statistics_are_filtered(message, search, found):
    recipes.failed_dsr.make(offer="Failed")
    search = search.format(id=message.pk, other=message.pk + 1)
    assert [
        node["summaryId"] for node in nodes(f"{{ dsrs({search}) {{ edges {{ node {{ summaryId }} }} }} }}")
    ] == found
    groups = nodes(f"{{ statistics(groupBy: TERRITORY, {search}) {{ edges {{ node {{ dsrCount }} }} }} }}")
    assert sum(group["dsrCount"] for group in groups) == len(found)


def test_a_reported_kind_that_is_stored_is_found_too(message):
    stored = recipes.dsr.make(offer="Stored", revenue_kind="reported")
    found = nodes("{ dsrs(revenueKind: reported) { edges { node { id revenueKind } } } }")
    assert [node["id"] for node in found] == [
        str(DSR.objects.get(path=NO_JANUARY, offer="SpotifyDuo").pk),
        str(stored.pk),
    ]


@pytest.mark.parametrize(("group", "field"), [("COMMERCIAL_MODEL", "commercialModel"), ("USE_TYPE", "useType")])
def test_groups_with_and_without_a_name_can_be_read_page_by_page(message, group, field):
    query = f"""query ($after: String) {{ statistics(groupBy: {group}, first: 1, after: $after) {{
        totalCount edges {{ cursor node {{ {field} dsrCount usages }} }} pageInfo {{ hasNextPage endCursor }}
    }} }}"""
    walked = [node for page in pages(query) for node in page]
    names = {
        "commercialModel": [None, "AdvertisementSupportedModel", "PayAsYouGoModel", "SubscriptionModel"],
        "useType": [None, "ContentInfluencedStream", "NonInteractiveStream", "OnDemandStream", "PermanentDownload"],
    }
    assert [node[field] for node in walked] == names[field]
    assert sum(int(node["usages"]) for node in walked) == 1603
    assert ask(query)["statistics"]["totalCount"] == len(walked)


def test_statistics_have_the_unallocated_revenue(message):
    query = '{ statistics(groupBy: DSP, currency: "GBP") { edges { node { dsp unallocatedRevenueEur } } } }'
    # 74.9 and 3.333333333334 GBP at 0.8492727272727272727272727272727272727273, calculated with `bc`:
    # 88.1931064011988867480196959965746092913695 and 3.9249268536366944979661742667523014343822.
    assert nodes(query) == [{"dsp": "Tonbank", "unallocatedRevenueEur": "92.1180332548355812459858702633269107257517"}]


# --- Resources -------------------------------------------------------------------------------------------------


def test_a_resource_shows_what_messages_tell_of_it(message):
    catalogue_refresh()
    facts = "dspId isrc isrcs iswc composers label icpn"
    query = f"{{ resources(orderBy: DSP_ID) {{ edges {{ node {{ {facts} }} }} }} }}"
    nothing = dict.fromkeys(["isrc", "isrcs", "iswc", "composers", "label", "icpn"])
    label = {"label": "Blank Records", "icpn": "4006381333931"}
    work = {"iswc": "T0345246801", "composers": "A. Writer|B. Writer"}
    expected = [
        nothing | {"dspId": "a"},
        nothing | {"dspId": "rel-100", "icpn": "4006381333931"},
        nothing | label | work | {"dspId": "trk-1", "isrc": "QZABC2600001"},
        nothing | label | {"dspId": "trk-2", "isrc": "QZABC2600002", "isrcs": "QZABC2600002|QZABC2600003"},
        nothing | {"dspId": "trk-3", "iswc": "T0345246801", "composers": "C. Writer"},
    ]
    assert nodes(query) == expected
    top = nodes(f"{{ topResources(percentile: 100) {{ edges {{ node {{ resource {{ {facts} }} }} }} }} }}")
    assert sorted((node["resource"] for node in top), key=lambda node: node["dspId"]) == expected
    # Only the shop is in scope.
    query = f'{{ resources(dspId: "trk-1", territory: "WW") {{ edges {{ node {{ {facts} }} }} }} }}'
    assert nodes(query) == [nothing | {"dspId": "trk-1", "isrc": "QZABC2600001", "icpn": "4006381333931"}]


# --- Deleting --------------------------------------------------------------------------------------------------

DELETE = "mutation ($id: ID!) { deleteMessage(id: $id) { id } }"


def test_a_user_with_the_permission_deletes_a_message(message):
    assert ask(DELETE, user_with("delete_dsr"), id=message.pk) == {"deleteMessage": {"id": str(message.pk)}}
    assert list(DSR.objects.values_list("path", flat=True)) == [NO_JANUARY]
    assert not ReportMessage.objects.exists()


def test_a_user_without_the_permission_deletes_no_message(message):
    assert refusal(DELETE, AnonymousUser(), id=message.pk)[0] == "not_authenticated"
    assert refusal(DELETE, user_with("change_dsr"), id=message.pk)[0] == "permission_denied"
    assert DSR.objects.count() == 6


def test_a_missing_message_cannot_be_deleted(message):
    number = message.pk + 1
    assert refusal(DELETE, user_with("delete_dsr"), id=number) == ("message_not_found", {"id": number})
