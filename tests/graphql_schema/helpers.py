"""Executes queries for tests, on the schema without the view."""

from types import SimpleNamespace

from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from graphql_schema.schema import schema


def execute(query, user=None, **variables):
    """The result of a query, with its errors."""
    context = SimpleNamespace(user=user or AnonymousUser())
    return schema.execute(query, context_value=context, variable_values=variables)


def ask(query, user=None, **variables):
    """The data of a result, which must have no errors."""
    answer = execute(query, user, **variables)
    assert answer.errors is None, answer.errors
    return answer.data


def nodes(query, **variables):
    """The objects on the page of the only connection in the query."""
    (connection_,) = ask(query, **variables).values()
    return [edge["node"] for edge in connection_["edges"]]


def refusal(query, user=None, **variables):
    """The code and the extra data of the only error of a result."""
    (error,) = execute(query, user, **variables).errors
    return error.original_error.code, error.original_error.extra


def pages(query, **variables):
    """The objects of all pages of the only connection in the query, which takes `$after`."""
    after, found = None, []
    while True:
        (page,) = ask(query, after=after, **variables).values()
        found.append([edge["node"] for edge in page["edges"]])
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]
        assert after == page["edges"][-1]["cursor"]


def statements(query, **variables):
    """The SQL statements of a query without errors."""
    return ask_and_capture(query, **variables)[1]


def ask_and_capture(query, **variables):
    """The data of a query without errors, and its SQL statements."""
    with CaptureQueriesContext(connection) as captured:
        data = ask(query, **variables)
    return data, [query["sql"] for query in captured]
