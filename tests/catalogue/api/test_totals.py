"""`POST /dsrs/{id}/totals/`: declared totals beside those of a DSR, exactly and without a change."""

import json
from decimal import Decimal

import pytest
from django.apps import apps

from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, import_report, line

pytestmark = pytest.mark.django_db


@pytest.fixture
def dsr(tmp_path):
    return import_report(
        tmp_path, ES_JANUARY, line("a", usages="6", revenue="10.005"), line("b", usages="2", revenue="0.5")
    )


def ask(client, dsr, body, expected_status=200, path="/dsrs/{}/totals/", content_type="application/json"):
    content = body if isinstance(body, str) else json.dumps(body)
    response = client.post(path.format(getattr(dsr, "pk", dsr)), content, content_type=content_type)
    assert response.status_code == expected_status, response.content
    return response.json()


def total(declared, found, difference):
    return {"declared": declared, "found": found, "difference": difference}


@pytest.mark.parametrize("path", ["/dsrs/{}/totals/", "/dsrs/{}/totals"])
def test_totals_that_match(client, dsr, path):
    assert ask(client, dsr, {"lines": 2, "usages": 8, "revenue": "10.505"}, path=path) == {
        "matches": True,
        "lines": total("2", "2", "0"),
        "usages": total("8", "8", "0"),
        "revenue": total("10.505", "10.505", "0"),
    }


def test_a_difference_is_what_is_found_less_what_is_declared(client, dsr):
    assert ask(client, dsr, {"usages": "10", "revenue": "10.5"}) == {
        "matches": False,
        "usages": total("10", "8", "-2"),
        "revenue": total("10.5", "10.505", "0.005"),
    }
    assert ask(client, dsr, {"lines": "2", "revenue": "-1"})["revenue"] == total("-1", "10.505", "11.505")


def test_no_digit_is_lost_in_numbers_of_json(client):
    large = 10**29 + 1
    dsr = recipes.dsr.make(total_usages=Decimal(large), total_revenue=Decimal(f"{large}.{'0' * 59}1"))
    assert ask(client, dsr, f'{{"usages": {large}, "revenue": {large}.{"0" * 59}1}}') == {
        "matches": True,
        "usages": total(str(large), str(large), "0"),
        "revenue": total(f"{large}.{'0' * 59}1", f"{large}.{'0' * 59}1", "0"),
    }
    assert ask(client, dsr, f'{{"usages": {large - 1}}}') == {
        "matches": False,
        "usages": total(str(large - 1), str(large), "1"),
    }


def test_a_form_is_read_too(client, dsr):
    for options in ({}, {"content_type": "application/x-www-form-urlencoded"}):
        body = "lines=3" if options else {"lines": "3"}
        response = client.post(f"/dsrs/{dsr.pk}/totals/", body, **options)
        assert response.json() == {"matches": False, "lines": total("3", "2", "-1")}


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"lines": "required"}),
        ({"lines": -1}, {"lines": "invalid"}),
        ({"lines": "2.0", "usages": "1,000"}, {"lines": "invalid", "usages": "invalid"}),
        ({"usages": 10**30}, {"usages": "invalid"}),
        ({"usages": True}, {"usages": "invalid"}),
        ({"usages": None}, {"usages": "null"}),
        ({"usages": [1]}, {"usages": "invalid"}),
        ({"usages": {"a": 1}}, {"usages": "invalid"}),
        ({"revenue": ""}, {"revenue": "blank"}),
        ('{"revenue": 1e2}', {"revenue": "invalid"}),
        ('{"revenue": NaN}', {"revenue": "invalid"}),
        ({"revenue": f"0.{'1' * 61}"}, {"revenue": "invalid"}),
        ('{"lines": 1, "lines": 2}', {"lines": "repeated"}),
        ({"lines": 1, "line": 1}, {"line": "unknown"}),
    ],
)
def test_wrong_totals_are_named(client, dsr, body, errors):
    answer = ask(client, dsr, body, 400)
    assert {name: found[0]["code"] for name, found in answer.items()} == errors


@pytest.mark.parametrize("body", ["", "[]", "1", "null", '"lines"', '{"lines": ', "[" * 100_000, '{"a": "\ud800"}'])
def test_a_body_that_is_no_object_is_refused(client, dsr, body):
    response = client.generic(
        "POST", f"/dsrs/{dsr.pk}/totals/", body.encode(errors="surrogatepass"), content_type="application/json"
    )
    assert response.status_code in (400, 413)


def test_a_type_that_cannot_be_read_is_refused(client, dsr):
    assert client.post(f"/dsrs/{dsr.pk}/totals/", "lines: 1", content_type="text/yaml").status_code == 415


@pytest.mark.parametrize("number", [0, 10**12, "x"])
def test_there_is_no_such_dsr(client, number):
    assert ask(client, number, {"lines": 1}, 404) == {"detail": "Not found."}


def test_a_failed_dsr_has_nothing_to_compare(client):
    failed = recipes.failed_dsr.make()
    answer = ask(client, failed, {"lines": 0}, 409)
    assert answer == {
        "detail": f"The import of DSR {failed.pk} failed. It has no lines whose totals can be compared.",
        "code": "dsr_failed",
        "id": failed.pk,
    }


def test_it_changes_no_row_of_any_table(client, dsr):
    def rows():
        models = apps.get_models(include_auto_created=True)
        return {model._meta.db_table: sorted(map(str, model.objects.values_list())) for model in models}

    before = rows()
    assert len(before["catalogue_dsr"]) == 1
    ask(client, dsr, {"lines": 1, "usages": 1, "revenue": "1"})
    assert rows() == before


def test_it_takes_one_query(client, dsr, django_assert_num_queries):
    with django_assert_num_queries(1):
        ask(client, dsr, {"lines": 1})
