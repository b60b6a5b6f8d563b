"""The time limit of an operation includes all its statements and fields."""

import pytest
from django.contrib.auth.models import User
from django.db import connection

from tests import recipes
from tests.graphql_schema.view.test_door import codes, post

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.graphql_schema.door")]


@pytest.fixture
def tenth(settings):
    settings.DSRHUB_GRAPHQL_SECONDS = 0.1


def test_a_statement_that_takes_too_long_is_stopped(client, tenth):
    answer = post(client, "{ sleep(seconds: 5) user }")
    assert (answer.status_code, answer.json()["data"], codes(answer)) == (200, None, ["timeout"])
    assert answer.json()["errors"][0]["path"] == ["sleep"]


def test_many_short_statements_are_stopped_as_well(client, tenth):
    fields = " ".join(f"a{number}: sleep(seconds: 0.04)" for number in range(20))
    answer = post(client, f"{{ {fields} }}")
    assert (answer.json()["data"], codes(answer)) == (None, ["timeout"])


def test_fields_without_statements_are_stopped_as_well(client, tenth):
    answer = post(client, "{ page(first: 100) { edges { node { pause } } } }")
    assert (answer.json()["data"], codes(answer)) == (None, ["timeout"])


def test_the_time_is_the_statement_timeout_while_the_operation_lasts(client, settings):
    settings.DSRHUB_GRAPHQL_SECONDS = 3600
    (left,) = post(client, "{ timeout }").json()["data"].values()
    assert left.endswith("ms")
    assert 0 < int(left.removesuffix("ms")) <= 3_600_000
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_after_a_timeout_the_connection_has_no_time_limit(client, tenth):
    post(client, "{ sleep(seconds: 5) }")
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout') FROM pg_sleep(0.2)")
        assert cursor.fetchone() == ("0",)


def test_a_mutation_is_committed(client):
    recipes.user.make(username="ada")
    assert post(client, 'mutation { userDelete(name: "ada") { count } }').json() == {
        "data": {"userDelete": {"count": 1}}
    }
    assert not User.objects.exists()


def test_the_time_limit_adds_no_statement(client, django_assert_num_queries):
    with django_assert_num_queries(2):
        post(client, "{ a: sleep(seconds: 0) b: sleep(seconds: 0) }")
