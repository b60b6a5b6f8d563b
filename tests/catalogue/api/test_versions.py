"""Earlier versions over REST and GraphQL: lists, differences, the way back, and the deletion."""

from datetime import date, datetime, timedelta
from decimal import Decimal, localcontext

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.dsrs.services import dsr_delete
from catalogue.dsrs.versions import differences
from catalogue.dsrs.versions.differences import wanted_differences_find
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, DSRDifference, RateChange, SupersededDSR
from catalogue.rates.services import operator_rate_set
from dsrhub.database.time_limits import OutOfTime
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line, user_with, write_report
from tests.graphql_schema.helpers import ask, refusal

pytestmark = pytest.mark.django_db

OLD = [
    line("a", "Aurora", usages="2", revenue="1.50"),
    line("a", usages="1", revenue="0.5"),
    line("b", "Both", usages="1", revenue="0.25"),
    line("w", "Went", "Wim", usages="7", revenue="0.1"),
]
NEW = [
    line("a", "Aurora", usages="3", revenue="5"),
    line("b", "Both", usages="1", revenue="0.250"),
    line("c", "Came", usages="1", revenue="1"),
    line("d", "Due", usages="9"),
]


@pytest.fixture
def old(tmp_path):
    return import_report(tmp_path, ES_JANUARY, *OLD)


@pytest.fixture
def new(old, tmp_path):
    return dsr_import(path=write_report(tmp_path, ES_JANUARY, *NEW), name=ES_JANUARY, replace=True).dsr


@pytest.fixture
def reader(client):
    client.force_login(user_with("view_dsr", "change_dsr", "delete_dsr"))
    return client


def test_a_version_is_listed_with_its_difference(reader, old, new, settings):
    settings.DSRHUB_SUPERSEDED_DAYS = 30
    (listed,) = reader.get("/versions/").json()
    times = {name: datetime.fromisoformat(listed.pop(name)) for name in ("superseded_at", "kept_until")}
    assert times["kept_until"] - times["superseded_at"] == timedelta(days=30)
    # About 300 bytes for each line, and those of the warning that a DSP ID is repeated.
    assert 1200 < listed.pop("bytes") < 1800
    assert listed == {
        "id": old.pk,
        "path": ES_JANUARY,
        "sha256": old.sha256,
        "dsp": "Spotify",
        "offer": "SpotifyFamilyPlan",
        "territory": "ES",
        "currency": "EUR",
        "period_start": "2020-01-01",
        "period_end": "2020-01-31",
        "line_count": 4,
        "total_usages": "11",
        "total_revenue": "2.35",
        "imported_at": old.imported_at.isoformat().replace("+00:00", "Z"),
        "successor": new.pk,
        "standing": new.pk,
        "difference": {"line_count": 0, "usages": "3", "revenue": "3.9"},
    }
    assert [row["id"] for row in reader.get(f"/dsrs/{new.pk}/versions").json()] == [old.pk]
    assert reader.get(f"/versions/{old.pk}").json()["id"] == old.pk
    # The contract's own endpoints never show it.
    assert [dsr["id"] for dsr in reader.get("/dsrs/").json()] == [new.pk]
    assert reader.get(f"/dsrs/{old.pk}").status_code == 404


def test_a_deleted_dsr_has_no_successor_and_no_difference(reader, old):
    dsr_delete(dsr_number=old.pk)
    (listed,) = reader.get("/versions/").json()
    assert (listed.keys() & {"successor", "standing", "difference"}, listed["id"]) == (set(), old.pk)


RECORDINGS = {
    "came": {
        "count": 2,
        "largest": [
            ["c", "Came", None, *("0", "1", "0", "1", "1")],
            ["d", "Due", None, *("0", "9", "0", "0", "0")],
        ],
    },
    "went": {"count": 1, "largest": [["w", "Went", "Wim", *("7", "0", "0.1", "0", "-0.1")]]},
    "changed": {"count": 1, "largest": [["a", "Aurora", None, *("3", "3", "2", "5", "3")]]},
}


def test_the_recordings_that_changed_are_listed(reader, old, new):
    found = reader.get(f"/versions/{old.pk}/recordings").json()
    names = ["dsp_id", "title", "artists", "usages_before", "usages_after", "revenue_before", "revenue_after"]
    names.append("revenue_difference")
    assert found == {
        kind: {
            "count": expected["count"],
            "largest": [dict(zip(names, row, strict=True)) for row in expected["largest"]],
        }
        for kind, expected in RECORDINGS.items()
    }
    # They are kept, and compared no more.
    with CaptureQueriesContext(connection) as queries:
        assert reader.get(f"/versions/{old.pk}/recordings").json() == found
    assert not [query for query in queries if "usageline" in query["sql"]]


def test_a_worker_compares_what_takes_too_long(reader, old, new, monkeypatch):
    def canceled(*_):
        raise OutOfTime

    with monkeypatch.context() as patch:
        patch.setattr(differences, "_find", canceled)
        response = reader.get(f"/versions/{old.pk}/recordings")
    assert (response.status_code, response.json()["code"]) == (503, "difference_not_ready")
    assert wanted_differences_find() == 1
    assert reader.get(f"/versions/{old.pk}/recordings").json()["came"]["count"] == 2
    assert wanted_differences_find() == 0


def test_a_comparison_that_nobody_needs_any_more_is_forgotten(old, new):
    DSRDifference.objects.create(before=old.pk, after=new.pk)
    dsr_delete(dsr_number=new.pk)
    assert wanted_differences_find() == 1
    assert not DSRDifference.objects.exists()


def test_one_call_reverts(reader, old, new):
    assert reader.post(f"/versions/{old.pk}/revert").json() == {"dsrs": [old.pk]}
    assert DSR.objects.get() == old
    assert [row["id"] for row in reader.get(f"/dsrs/{old.pk}/versions/").json()] == [new.pk]
    assert reader.post(f"/versions/{old.pk}/revert").status_code == 404


def test_a_version_is_deleted_for_good(reader, old, new):
    assert reader.delete(f"/versions/{old.pk}").status_code == 204
    assert reader.delete(f"/versions/{old.pk}").status_code == 404
    assert not SupersededDSR.objects.exists()


def test_the_content_of_a_version_is_refused_and_the_answer_says_so(client, old, new, tmp_path):
    client.force_login(user_with("add_dsr", "change_dsr"))

    def deliver(**form):
        with write_report(tmp_path, ES_JANUARY, *OLD).open("rb") as file:
            response = client.post("/dsrs/", {"file": file, **form})
        return response.status_code, response.json()

    status, body = deliver()
    assert (status, body["code"], body["id"], body["path"]) == (409, "dsr_superseded", old.pk, ES_JANUARY)
    assert "It returns only if its replacement is asked for." in body["detail"]
    status, body = deliver(replace="true")
    assert (status, body["outcome"], body["dsr"]["id"]) == (201, "reverted", old.pk)


@pytest.mark.parametrize("number", ["0", "-1", "x", str(2**31), "9" * 30])
@pytest.mark.parametrize("path", ["/versions/{}", "/versions/{}/recordings", "/dsrs/{}/versions"])
def test_what_is_not_there_is_not_found(reader, path, number):
    assert reader.get(path.format(number)).status_code == 404


def test_versions_have_pages(reader):
    numbers = []
    for day in range(1, 4):
        dsr = recipes.dsr.make(period_start=f"2020-01-0{day}", period_end=f"2020-01-0{day}")
        dsr_delete(dsr_number=dsr.pk)
        numbers.append(dsr.pk)
    page = reader.get("/versions/?limit=2")
    assert [row["id"] for row in page.json()] == numbers[:2]
    following = page["Link"].split(">")[0].removeprefix("<http://testserver")
    assert [row["id"] for row in reader.get(following).json()] == numbers[2:]


def test_a_list_of_100_takes_as_many_statements_as_a_list_of_1(reader):
    counts = []
    for count in (1, 99):
        dsrs = recipes.dsr.make(offer=(f"{count} {number}" for number in range(count)), _quantity=count)
        for dsr in dsrs:
            dsr_delete(dsr_number=dsr.pk)
        recipes.dsr.make(offer=(f"{count} {number}" for number in range(count)), _quantity=count)
        with CaptureQueriesContext(connection) as queries:
            reader.get("/versions/")
        counts.append(len(queries))
    assert counts[0] == counts[1]


# --- GraphQL -----------------------------------------------------------------------------------------------------


def test_graphql_has_the_same(old, new):
    ada = user_with("view_dsr", "change_dsr", "delete_dsr")
    fields = "id successor standing totalRevenue difference { lineCount usages revenue }"
    expected = {
        "id": str(old.pk),
        "successor": str(new.pk),
        "standing": str(new.pk),
        "totalRevenue": "2.35",
        "difference": {"lineCount": "0", "usages": "3", "revenue": "3.9"},
    }
    for versions in ("versions", f"versions(dsr: {new.pk})"):
        page = ask(f"{{ page: {versions} {{ totalCount edges {{ node {{ {fields} }} }} }} }}", ada)["page"]
        assert page == {"totalCount": 1, "edges": [{"node": expected}]}
    found = ask(
        f"{{ version(id: {old.pk}) {{ version {{ id }} recordings {{ came {{ count largest {{ dspId revenueAfter "
        "revenueDifference } } went { count } changed { count } } } }",
        ada,
    )["version"]
    assert found == {
        "version": {"id": str(old.pk)},
        "recordings": {
            "came": {
                "count": "2",
                "largest": [
                    {"dspId": "c", "revenueAfter": "1", "revenueDifference": "1"},
                    {"dspId": "d", "revenueAfter": "0", "revenueDifference": "0"},
                ],
            },
            "went": {"count": "1"},
            "changed": {"count": "1"},
        },
    }
    revert = f"mutation {{ revertToVersion(id: {old.pk}) {{ id dsrCount }} }}"
    assert ask(revert, ada) == {"revertToVersion": {"id": str(old.pk), "dsrCount": 1}}
    assert DSR.objects.get() == old
    assert refusal(revert, ada) == ("version_not_found", {"id": old.pk})
    assert ask(f"mutation {{ deleteVersion(id: {new.pk}) {{ id }} }}", ada) == {"deleteVersion": {"id": str(new.pk)}}
    assert not SupersededDSR.objects.exists()


@pytest.mark.parametrize("door", ["REST", "GraphQL"])
def test_a_rate_that_changes_with_a_return_is_changed_by_the_user(door, client, tmp_path):
    old = import_report(tmp_path, NO_JANUARY, *OLD)
    dsr_delete(dsr_number=old.pk)
    operator_rate_set(currency="NOK", period_start=date(2020, 1, 1), period_end=date(2020, 1, 31), rate=Decimal(7))
    ada = user_with("change_dsr")
    if door == "REST":
        client.force_login(ada)
        assert client.post(f"/versions/{old.pk}/revert").status_code == 200
    else:
        ask(f"mutation {{ revertToVersion(id: {old.pk}) {{ id }} }}", ada)
    change = RateChange.objects.get()
    assert (change.new_rate, change.changed_by) == (7, ada)


def test_amounts_of_any_length_are_exact(reader, tmp_path):
    tiny, huge = "0." + "0" * 39 + "1", "9" * 30
    first = import_report(tmp_path, ES_JANUARY, line("a", revenue=huge))
    dsr_import(path=write_report(tmp_path, ES_JANUARY, line("a", revenue=tiny)), name=ES_JANUARY, replace=True)
    (listed,) = reader.get("/versions/").json()
    with localcontext(prec=100):
        expected = Decimal(tiny) - Decimal(huge)
    assert listed["difference"]["revenue"] == f"{expected:f}"
    (changed,) = reader.get(f"/versions/{first.pk}/recordings").json()["changed"]["largest"]
    assert changed["revenue_difference"] == f"{expected:f}"
