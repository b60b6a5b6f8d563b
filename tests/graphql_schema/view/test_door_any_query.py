"""Random queries of the real schema cause no internal error."""

import pytest
from graphql.language import IntValueNode, StringValueNode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import from_schema

from graphql_schema.schema import schema
from tests.graphql_schema.view.test_door import codes, post


def text_nodes(values):
    return values.map(lambda value: StringValueNode(value=str(value)))


SCALARS = {
    "Date": text_nodes(st.dates()),
    "DateTime": text_nodes(st.datetimes()),
    "Decimal": text_nodes(st.decimals(allow_nan=False, allow_infinity=False, places=4)),
    "BigInt": st.integers(-(2**70), 2**70).map(lambda value: IntValueNode(value=str(value))),
}


@pytest.mark.django_db
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(query=from_schema(str(schema), custom_scalars=SCALARS))
def test_any_query_is_answered(client, query):
    answer = post(client, query)
    assert answer.status_code in {200, 400}
    if "errors" in answer.json():
        assert "internal_error" not in codes(answer)
