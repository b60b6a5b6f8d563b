"""`/resources/percentile/{number}`: parameters, answers and errors.

The tests of the selector cover which resources belong to the top.
"""

from decimal import Decimal
from urllib.parse import quote, urlencode

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections, connection
from django.test.utils import CaptureQueriesContext
from rest_framework.renderers import JSONRenderer
from rest_framework.test import APIRequestFactory

from catalogue.api import contract
from catalogue.api.questions import percentile
from catalogue.exceptions import RankingNotReady
from catalogue.models import KeptRanking
from catalogue.ranking.building.rows import SHARED_TABLE
from catalogue.ranking.cached import resources as cache
from dsrhub.database import locks
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line
from tests.catalogue.ranking.helpers import top_resources

pytestmark = pytest.mark.django_db

JANUARY = "2020-01-01T00:00:00Z", "2020-01-31T00:00:00Z"


@pytest.fixture
def spain(tmp_path):
    """A report for Spain and January 2020, in EUR: `a` has 70 % of its revenue and `b` has 30 %."""
    lines = (
        line("a", "One", "Ana|Eva", "ESABC2000001", "5", "0.5"),
        line("a", "One", "Ana|Eva", "ESABC2000001", "2", "0.2"),
        line("b", revenue="0.30"),
        line("c", "Three", "Cy", "ESABC2000003", "9"),
    )
    return import_report(tmp_path, ES_JANUARY, *lines).pk


@pytest.fixture
def norway(tmp_path):
    return import_report(tmp_path, NO_JANUARY, line("a", "Last", usages="1"), line("d", usages="1", revenue="1")).pk


def answer(client, number=100, **query):
    response = client.get(f"/resources/percentile/{number}?{urlencode(query)}")
    assert response.status_code == 200, response.json()
    return response.json()


def dsp_ids(client, **query):
    return [resource["dsp_id"] for resource in answer(client, **query)]


def refusal(client, path):
    """Return the error codes of a refused request, by parameter."""
    response = client.get(path)
    assert response.status_code == 400
    assert response["Content-Type"] == "application/json"
    return {name: [finding["code"] for finding in findings] for name, findings in response.json().items()}


# --- The answer ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/resources/percentile/70", "/resources/percentile/70/"])
def test_the_answer_is_an_array_of_resources(client, spain, path):
    response = client.get(path)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response.json() == [
        {
            "dsp_id": "a",
            "title": "One",
            "artists": "Ana|Eva",
            "isrc": "ESABC2000001",
            "usages": 7,
            "revenue": 0.7,
            "dsrs": [spain],
        }
    ]


def test_fields_without_a_value_are_left_out(client, spain):
    assert answer(client)[1:] == [{"dsp_id": "b", "revenue": 0.3, "dsrs": [spain]}]


def test_a_resource_has_its_sums_over_all_dsrs_in_scope(client, spain, norway):
    assert answer(client) == [
        {
            "dsp_id": "a",
            "title": "One",
            "artists": "Ana|Eva",
            "isrc": "ESABC2000001",
            "usages": 8,
            "revenue": 0.7,
            "dsrs": [spain, norway],
        },
        {"dsp_id": "b", "revenue": 0.3, "dsrs": [spain]},
        # 1 NOK at 9.9384227272727272727272727272727272727273 NOK for one EUR.
        {"dsp_id": "d", "usages": 1, "revenue": 0.10061958798108168, "dsrs": [norway]},
    ]


@pytest.mark.parametrize(
    ("revenues", "number"),
    [
        # As doubles, these would be 0.30000000000000004.
        (["0.1", "0.2"], b"0.3"),
        (["2"], b"2.0"),
        (["2.220446049250313e-16"], b"2.220446049250313e-16"),
        # The nearest doubles.
        (["0.1234567890123456789"], b"0.12345678901234568"),
        (["9007199254740993"], b"9007199254740992.0"),
        (["123456789012345678901234567890"], b"1.2345678901234568e+29"),
    ],
)
def test_revenue_is_the_double_nearest_to_the_exact_sum(client, tmp_path, revenues, number):
    import_report(tmp_path, ES_JANUARY, *[line("a", revenue=revenue) for revenue in revenues])
    assert b'"revenue":' + number + b"," in client.get("/resources/percentile/100").content


def test_usages_are_whole_numbers_of_any_size(client, tmp_path):
    usages = "9223372036854775807"
    import_report(tmp_path, ES_JANUARY, line("a", usages=usages, revenue="1"), line("a", usages=usages, revenue="1"))
    assert b'"usages":18446744073709551614,' in client.get("/resources/percentile/100").content


def test_exact_numbers_are_text_with_every_digit(client, tmp_path):
    usages, tiny = "9223372036854775807", "0." + "0" * 59 + "1"
    lines = [line("a", usages=usages, revenue="123456789012345678901234567890.10") for _ in range(2)]
    import_report(tmp_path, ES_JANUARY, *lines, line("b", revenue="100"), line("c", usages="0", revenue=tiny))
    import_report(tmp_path, NO_JANUARY, line("d", usages="-3", revenue="1"))
    numbers = [(one["dsp_id"], one.get("usages"), one["revenue"]) for one in answer(client, exact="true")]
    assert numbers == [
        ("a", "18446744073709551614", "246913578024691357802469135780.2"),
        ("b", None, "100"),
        # 1 NOK at 9.9384227272727272727272727272727272727273 NOK for one EUR, to 40 decimals.
        ("d", "-3", "0.1006195879810816880125024411684129501069"),
        # A revenue in EUR has at most 40 decimals.
        ("c", "0", "0"),
    ]
    assert answer(client, exact="false") == answer(client)
    assert answer(client, exact="true", number=1)[0].keys() == answer(client, number=1)[0].keys()


@pytest.mark.parametrize(
    ("query", "code"), [("exact=maybe", "invalid"), ("exact=", "invalid"), ("exact=true&exact=true", "repeated")]
)
def test_an_invalid_choice_of_exact_numbers_is_refused_with_its_name(client, query, code):
    assert refusal(client, f"/resources/percentile/50?{query}") == {"exact": [code]}


def test_without_dsrs_in_scope_the_answer_is_an_empty_array(client, spain):
    for query in ("", "?territory=FR", "?territory=QQ", "?period_start=2020-01-02", "?period_end=2019-12-31"):
        response = client.get(f"/resources/percentile/1{query}")
        assert response.status_code == 200
        assert (response.content == b"[]") == bool(query)


REVERSED = "?period_start=2020-02-01T00:00:00Z&period_end=2020-01-31"


def test_a_period_that_ends_before_it_starts_has_an_empty_array(client, spain, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = client.get(f"/resources/percentile/50{REVERSED}")
    assert (response.status_code, response["Content-Type"], response.content) == (200, "application/json", b"[]")
    # One day is a range, and errors in other parameters are still errors.
    assert client.get("/resources/percentile/50?period_start=2020-01-31&period_end=2020-01-31").content == b"[]"
    for number, query, parameter in ((0, "", "number"), (50, "&territory=ESP", "territory")):
        refused = client.get(f"/resources/percentile/{number}{REVERSED}{query}")
        assert (refused.status_code, list(refused.json())) == (400, [parameter])


def test_head_has_no_body_and_writing_methods_are_not_allowed(client, spain):
    assert client.head("/resources/percentile/50").status_code == 200
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        response = client.generic(method, "/resources/percentile/50")
        assert response.status_code == 405
        assert response["Allow"] == "GET, HEAD, OPTIONS"
    assert client.options("/resources/percentile/50")["Allow"] == "GET, HEAD, OPTIONS"


def test_the_number_of_queries_is_the_same_for_1_and_for_100_resources(client, tmp_path):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            resources = answer(client)
        return len(resources), len(captured)

    import_report(tmp_path, ES_JANUARY, line("a", "One", revenue="1"))
    one, for_one = queries()
    import_report(tmp_path, NO_JANUARY, *[line(f"n{number}", f"{number}", revenue="1") for number in range(99)])
    hundred, for_hundred = queries()
    assert (one, hundred) == (1, 100)
    assert for_one == for_hundred


# --- Large answers ---------------------------------------------------------------------------------------------


@pytest.fixture
def _small_chunks(monkeypatch):
    """Send answers with more than two resources in chunks of two."""
    for module, name in ((contract, "FIRST_PIECE"), (contract, "PIECE"), (percentile, "FIRST_PIECE")):
        monkeypatch.setattr(module, name, 2)


def rankings_read():
    """Return the number of rankings that this session protects from deletion."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND mode = 'ShareLock' "
            "AND pid = pg_backend_pid()",
            [locks.RANKING_READERS.space],
        )
        return cursor.fetchone()[0]


DIRT = [
    line("plain", "One", "Ana|Eva", "ESABC2000001", "5", "9"),
    line('quote " and \\', "tab is no data, but / is", "<b>&amp;</b>", "ESABC2000002", "-3", "8.5"),
    line("é ß 音 😀", "line\u2028separator", "paragraph\u2029separator", "", "0", "1e-7"),
    line("syntax", "{}[],:null", "'", "", "", "2e-60"),
    line("many", "", "", "", "9223372036854775807", "123456789012345678"),
    line("many", "", "", "", "9223372036854775807", "1234567890123456.8"),
    line("blank", revenue="0"),
    line("tiny", revenue="1e-40"),
]


@pytest.mark.parametrize("number", [50, 100])
def test_an_answer_is_what_rest_framework_renders_byte_for_byte(client, tmp_path, norway, number):
    import_report(tmp_path, ES_JANUARY, *DIRT)
    resources = top_resources(percentile=number)
    assert len(resources) == (1 if number == 50 else 8)

    rendered = JSONRenderer().render(contract.ResourceSerializer(resources, many=True).data)
    assert client.get(f"/resources/percentile/{number}").content == rendered


# Every character but NUL and surrogates, which no text of the database has, in texts of different kinds.
CHARACTERS = "".join(map(chr, [*range(1, 0xD800), *range(0xE000, 0x110000)]))
TEXTS = ["", "\\u2028 \\", '"', *(CHARACTERS[start : start + 5_000] for start in range(0, len(CHARACTERS), 5_000))]
# Whole numbers, exponents, digits that PostgreSQL and Python write differently, and doubles of few and of many digits.
REVENUES = [
    "5",
    "0",
    "-3",
    "0.1",
    "1e-40",
    "1.5e-7",
    "0.0001",
    "0.00001",
    "1920.628853737587630120984210",
    "123456789012.99999999999999999",
    "999999999999999.9",
    "999999999999999.99",
    "1e15",
    "1.5e15",
    "1053358988192182.25",
    "9007199254740993",
    "1e16",
    "31807501995233512",
    "-31807501995233512",
    "1.5e22",
    "5.684341886080801486968994140625e-14",
    "0.333333333333333333333333333333333333333",
]
RANKED = """
INSERT INTO catalogue_rankedresource
SELECT 1, rank, 'dsp', left(text, 9) || rank, text, nullif(text, ''), left(text, rank::integer %% 50), nullif(rank, 3),
    revenue, 0, CASE WHEN rank %% 2 = 0 THEN ARRAY[2] ELSE ARRAY[10, 9, 1] END
FROM unnest(%s::text[], %s::numeric[]) WITH ORDINALITY AS resource (text, revenue, rank)
"""


def test_every_text_and_number_is_rendered_byte_for_byte_in_pieces_of_any_size(monkeypatch):
    count = len(TEXTS)
    with connection.cursor() as cursor:
        cursor.execute(RANKED, [TEXTS, [REVENUES[place % len(REVENUES)] for place in range(count)]])
    ranking = cache.Ranking(1, "key", count, Decimal(1), SHARED_TABLE, count)

    rendered = JSONRenderer().render(contract.ResourceSerializer(all_rows(ranking), many=True).data)
    assert b"".join(contract.resources_rendered(ranking)) == rendered
    monkeypatch.setattr(contract, "FIRST_PIECE", 1)
    monkeypatch.setattr(contract, "PIECE", 7)
    assert b"".join(contract.resources_rendered(ranking)) == rendered


def all_rows(ranking):
    rows = []
    while len(rows) < ranking.count:
        rows += ranking.rows(after_rank=len(rows), limit=ranking.count)
    return rows


def test_an_answer_begins_with_a_small_piece(client, tmp_path):
    lines = [line(f"r{number:04}", revenue="1") for number in range(1_000)]
    import_report(tmp_path, ES_JANUARY, *lines)

    first, second = iter(client.get("/resources/percentile/100").streaming_content)
    assert (first.count(b'"dsp_id"'), second.count(b'"dsp_id"')) == (500, 500)
    whole = client.get("/resources/percentile/50")
    assert (whole.streaming, len(whole.json()), "ETag" in whole) == (False, 500, True)


@pytest.mark.usefixtures("_small_chunks")
@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_a_large_answer_is_streamed_with_the_same_content(client, tmp_path, count, monkeypatch):
    import_report(tmp_path, ES_JANUARY, *(line(f"r{number}", f"{number}", revenue="1") for number in range(count)))

    response = client.get("/resources/percentile/100")
    assert response.streaming == (count > 2)
    assert response["Content-Type"] == "application/json"
    content = response.getvalue()
    monkeypatch.undo()
    whole = client.get("/resources/percentile/100")
    assert not whole.streaming
    assert content == whole.content
    assert [resource["title"] for resource in whole.json()] == [f"{number}" for number in range(count)]


@pytest.fixture
def _open_connection():
    """Keep the connection open after a response, because it has the transaction of the test."""
    request_finished.disconnect(close_old_connections)
    yield
    request_finished.connect(close_old_connections)


@pytest.mark.usefixtures("_small_chunks", "_open_connection")
@pytest.mark.parametrize("chunks", [0, 1, 2, 100])
def test_the_ranking_is_released_even_if_the_client_stops_reading(tmp_path, chunks, settings):
    settings.DSRHUB_KEPT_RANKING_ROWS = 0
    import_report(tmp_path, ES_JANUARY, *(line(f"r{number}", revenue="1") for number in range(7)))

    response = percentile.TopPercentileView.as_view()(APIRequestFactory().get(""), number="100")
    for _ in zip(range(chunks), response, strict=False):
        assert rankings_read() == 1
    response.close()
    assert rankings_read() == 0
    assert not KeptRanking.objects.exists()


@pytest.mark.usefixtures("_small_chunks")
def test_head_of_a_large_answer_has_no_body(client, tmp_path):
    import_report(tmp_path, ES_JANUARY, *(line(f"r{number}", revenue="1") for number in range(7)))

    response = client.head("/resources/percentile/100")
    assert (response.status_code, response["Content-Type"], response.content) == (200, "application/json", b"")
    assert rankings_read() == 0


@pytest.mark.usefixtures("_small_chunks")
def test_an_error_before_a_large_answer_has_an_error_status(client, tmp_path, monkeypatch):
    def no_time(*args):
        raise RankingNotReady("Ask again later.")

    import_report(tmp_path, ES_JANUARY, *(line(f"r{number}", revenue="1") for number in range(7)))
    monkeypatch.setattr(cache, "ranking_build", no_time)

    response = client.get("/resources/percentile/100")
    assert (response.status_code, response.json()["code"]) == (503, "ranking_not_ready")


# --- The number ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "count"), [("1", 1), ("70", 1), ("71", 2), ("99", 2), ("100", 2)])
def test_the_number_is_a_percentage_from_1_to_100(client, spain, number, count):
    assert len(answer(client, number)) == count


@pytest.mark.parametrize("number", ["-1", "0", "00", "101", "1000", "9" * 5000, "0" * 5000 + "1"])
def test_a_number_out_of_range_is_refused_with_its_name(client, number):
    assert list(refusal(client, f"/resources/percentile/{number}")) == ["number"]


@pytest.mark.parametrize(
    "number",
    [
        "",
        "abc",
        "1.0",
        "1,0",
        "1e1",
        "٣",
        "²",
        "1_0",
        "+1",
        "--1",
        "0x1",
        "true",
        "null",
        " 10",
        "10 ",
        "10\n",
        "\0",
        "%",
    ],
)
def test_an_invalid_number_is_refused_with_its_name(client, number):
    for slash in ("", "/") if number else ("",):
        assert refusal(client, f"/resources/percentile/{quote(number)}{slash}") == {"number": ["invalid"]}


def test_a_query_parameter_called_number_is_ignored(client, spain):
    assert client.get("/resources/percentile/1?number=abc&number=100").json() == answer(client, 1)


# --- The query -------------------------------------------------------------------------------------------------


def test_each_parameter_can_be_used_alone(client, spain, norway):
    assert dsp_ids(client, territory="ES") == ["a", "b"]
    assert dsp_ids(client, territory="NO") == ["d"]
    assert dsp_ids(client, period_start="2020-01-01T00:00:00Z") == ["a", "b", "d"]
    assert dsp_ids(client, period_start="2020-01-02T00:00:00Z") == []
    assert dsp_ids(client, period_end="2020-01-31T00:00:00Z") == ["a", "b", "d"]
    assert dsp_ids(client, period_end="2020-01-30T00:00:00Z") == []


def test_the_values_of_a_dsr_select_it(client, tmp_path):
    for period, offer in [("20200101-20200131", "Free"), ("20200229-20200229", "Duo"), ("20191231-20210101", "Kids")]:
        dsr = import_report(tmp_path, f"Spotify_{offer}_ES_EUR_{period}.tsv", line(offer, revenue="1"))
        shown = client.get(f"/dsrs/{dsr.pk}").json()
        query = {"period_start": shown["period_start"], "period_end": shown["period_end"]}
        assert offer in dsp_ids(client, territory=shown["territory"]["code_2"], **query)


@pytest.mark.parametrize("territory", ["ES", "es", "Es"])
def test_the_case_of_a_territory_does_not_matter(client, spain, norway, territory):
    assert dsp_ids(client, territory=territory) == ["a", "b"]


@pytest.mark.parametrize(
    "territory", ["E", "ESP", "E1", "12", "ñÑ", "ＥＳ", " ES", "ES ", "ES\n", "E\0", "--", "%%", "ES,NO"]
)
def test_an_invalid_territory_is_refused_with_its_name(client, spain, territory):
    assert list(refusal(client, f"/resources/percentile/50?territory={quote(territory)}")) == ["territory"]


# The DSR starts on 2020-01-01. It is found if the date of period_start in UTC is on or before that day.
@pytest.mark.parametrize(
    ("start", "is_found"),
    [
        ("2020-01-01", True),
        ("2020-01-02", False),
        ("2020-01-01T00:00:00Z", True),
        ("2020-01-01t00:00:00z", True),
        ("2020-01-01T00:00:00", True),
        ("2020-01-01T00:00", True),
        ("2020-01-01 00:00:00", True),
        ("2020-01-01T23:59:59.999999999Z", True),
        ("2020-01-01T23:59:59", True),
        ("2020-01-02T00:00:00Z", False),
        # In UTC: 2020-01-01T23:30.
        ("2020-01-02T00:30:00+01:00", True),
        ("2020-01-02T00:30:00+0100", True),
        ("2020-01-02 00:30+01:00", True),
        ("2020-01-02T01:00:00+01:00", False),
        # In UTC: 2020-01-02T00:30.
        ("2020-01-01T23:30:00-01:00", False),
        ("2020-01-01T22:59:59-01:00", True),
        ("2020-01-01T23:30:00-00:00", True),
        ("0001-01-01", True),
        ("9999-12-31T23:59:59Z", False),
    ],
)
def test_a_period_start_is_compared_by_its_date_in_utc(client, spain, start, is_found):
    assert bool(answer(client, period_start=start)) == is_found


def test_a_period_end_is_compared_by_its_date_in_utc(client, spain):
    # In UTC: the 30th. The last day of the DSR is the 31st.
    assert dsp_ids(client, period_end="2020-01-31T00:30:00+01:00") == []
    assert dsp_ids(client, period_end="2020-01-30T23:30:00-01:00") == ["a", "b"]


def test_an_unescaped_plus_is_read_as_a_plus(client, spain):
    for day, found in (("2020-01-31T00:30:00", 0), ("2020-01-31T01:00:00", 2)):
        for zone in ("+01:00", "%2B01:00", "%2B0100", "+0100"):
            response = client.get(f"/resources/percentile/100?period_end={day}{zone}")
            assert (response.status_code, len(response.json())) == (200, found)


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "2020",
        "2020-01",
        "20200101",
        "2020-1-1",
        "01-01-2020",
        "2020-W01-1",
        "2020-001",
        "2020-02-30",
        "2019-02-29",
        "2020-13-01",
        "2020-00-10",
        "0000-01-01",
        "10000-01-01",
        "-2020-01-01",
        "2020-01-01Z",
        "2020-01-01+01:00",
        "2020-01-01T",
        "2020-01-01T00",
        "2020-01-01T0:00",
        "2020-01-01T24:00:00Z",
        "2020-01-01T23:60:00Z",
        "2020-01-01T00:00:00.Z",
        "2020-01-01T00:00.5Z",
        "2020-01-01T00:00:00,5Z",
        "2020-01-01T00:00:00+24:00",
        "2020-01-01T00:00:00+10:60",
        "2020-01-01T00:00:00+1",
        "2020-01-01T00:00:00 UTC",
        "2020-01-01T00:00:00ZZ",
        "2020-01-01  00:00:00",
        "2020_01_01",
        "٢٠٢٠-٠١-٠١",
        " 2020-01-01",
        "2020-01-01 ",
        "2020-01-01\n",
        "2020-01-01\0",
        "1577836800",
        # Outside the calendar after the conversion to UTC.
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:00:00-10:00",
    ],
)
def test_an_invalid_date_is_refused_with_its_name(client, value):
    for name in ("period_start", "period_end"):
        assert refusal(client, f"/resources/percentile/50?{name}={quote(value)}") == {name: ["invalid"]}


@pytest.mark.parametrize("name", ["territory", "period_start", "period_end"])
def test_an_empty_value_is_refused_with_its_name(client, spain, name):
    assert list(refusal(client, f"/resources/percentile/50?{name}=")) == [name]
    assert list(refusal(client, f"/resources/percentile/50?{name}")) == [name]


def test_all_invalid_parameters_are_reported_together(client):
    path = "/resources/percentile/0?territory=Spain&period_start=now&period_end=then"
    assert set(refusal(client, path)) == {"number", "territory", "period_start", "period_end"}


def test_an_invalid_parameter_has_a_message_and_a_code(client):
    response = client.get("/resources/percentile/50?period_start=2020-02-30")
    message = "Must be a date-time or date, such as 2020-01-31T00:00:00Z or 2020-01-31."
    assert response.json() == {"period_start": [{"message": message, "code": "invalid"}]}


def test_a_repeated_parameter_is_refused_with_its_name(client, spain):
    assert refusal(client, "/resources/percentile/50?territory=ES&territory=NO") == {"territory": ["repeated"]}
    assert refusal(client, "/resources/percentile/50?period_end=2020-01-31&period_end=2020-01-31") == {
        "period_end": ["repeated"]
    }


@pytest.mark.parametrize(
    "query", ["limit=x", "format=xml", "Territory=NO", "page=1&page=2", "%00=%00", "&&=", "territory[]=NO"]
)
def test_unknown_parameters_are_ignored(client, spain, query):
    response = client.get(f"/resources/percentile/70?{query}")
    assert response.status_code == 200
    assert [resource["dsp_id"] for resource in response.json()] == ["a"]
