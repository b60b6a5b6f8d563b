"""The lists and details of the admin: contents, search, format and permissions. Reading changes nothing."""

import re
from datetime import date
from decimal import Decimal
from itertools import cycle

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from catalogue.exceptions import InvalidReportName, ReportRefused
from catalogue.models import DSR, EcbRate, OperatorRate, RateChange, RejectedDelivery, ReportProblem, UsageLine
from catalogue.rates.services import operator_rate_set
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line, query_count, shown, staff_with

pytestmark = pytest.mark.django_db

DSRS = "/admin/catalogue/dsr/"
PROBLEMS = "/admin/catalogue/reportproblem/"
NOT_A_NUMBER = "The cell must have a number, and has something else."
CHANGES = "/admin/catalogue/ratechange/"
FR_JANUARY = "Deezer_Premium_SACEM_FR_EUR_20200101-20200131.tsv"
LISTS = [
    "currency",
    "dsr",
    "ecbrate",
    "operatorrate",
    "ratechange",
    "rejecteddelivery",
    "reportproblem",
    "territory",
]


@pytest.fixture(scope="module", autouse=True)
def dsr(module_db, tmp_path_factory):
    """A DSR with two problems whose exchange rate an operator changed."""
    dsr = import_report(
        tmp_path_factory.mktemp("reports"),
        NO_JANUARY,
        line("a", "One", "A|B", "", "1000", "1234567.5"),
        line("b", "", "", "NO-1", "", "0.000000000000000000001"),
        line("b", "Two", "", "", "7", ""),
    )
    operator_rate_set(
        currency="NOK", period_start=date(2020, 1, 1), period_end=date(2020, 1, 31), rate=Decimal(10), note="by hand"
    )
    return dsr


@pytest.fixture(scope="module", autouse=True)
def failed(dsr, tmp_path_factory):
    """A DSR that failed, with two problems."""
    with pytest.raises(ReportRefused) as refused:
        import_report(tmp_path_factory.mktemp("failed"), FR_JANUARY, line("a", revenue="much"), line("", usages="1"))
    return DSR.objects.get(pk=refused.value.extra["dsr"])


@pytest.fixture
def _rejected(tmp_path):
    with pytest.raises(InvalidReportName):
        import_report(tmp_path, "holiday.tsv", line())


def found(client, path):
    response = client.get(path)
    assert response.status_code == 200
    return sorted(str(record) for record in response.context["cl"].result_list)


# --- Every page ------------------------------------------------------------------------------------------------


def pages():
    """Return the addresses of each list, with and without the counts of its filters, and of the details of a record."""
    records = {
        "currency": "NOK",
        "dsr": DSR.objects.ingested().get().pk,
        "ecbrate": EcbRate.objects.first().pk,
        "operatorrate": OperatorRate.objects.get().pk,
        "ratechange": RateChange.objects.get().pk,
        "rejecteddelivery": RejectedDelivery.objects.get().pk,
        "reportproblem": ReportProblem.objects.first().pk,
        "territory": "NO",
    }
    assert list(records) == LISTS
    lists = [f"/admin/catalogue/{name}/{query}" for name in LISTS for query in ("", "?_facets=True")]
    details = [
        f"/admin/catalogue/{name}/{key}/{view}/" for name, key in records.items() for view in ("change", "history")
    ]
    more = [
        "/admin/",
        "/admin/catalogue/",
        "/admin/catalogue/operatorrate/add/",
        f"{DSRS}{DSR.objects.failed().get().pk}/change/",
        f"{DSRS}{records['dsr']}/lines/",
        f"{DSRS}{records['dsr']}/delete/",
        f"{DSRS}{records['dsr']}/delete/?post=yes",
        f"{DSRS}?action=delete_selected&_selected_action={records['dsr']}&post=yes",
        f"/admin/catalogue/operatorrate/{records['operatorrate']}/delete/?post=yes",
        f"{PROBLEMS}?dsr={records['dsr']}&_facets=True",
    ]
    return lists + details + more


def stored_rows():
    models = (DSR, UsageLine, ReportProblem, RejectedDelivery, OperatorRate, RateChange, LogEntry)
    return [list(model.objects.order_by("pk").values()) for model in models]


@pytest.mark.usefixtures("_rejected")
def test_every_page_keeps_the_content_security_policy_and_changes_nothing(admin_client):
    before = stored_rows()
    for path in pages():
        # `action` is not a known filter, so the list redirects to its address without filters.
        expected = 302 if "action=" in path else 200
        response = admin_client.get(path)
        assert response.status_code == expected, path
        assert not re.search("<style|<script>|style=|javascript:| on[a-z]+=", response.content.decode()), path
    assert stored_rows() == before


# --- The list of DSRs ------------------------------------------------------------------------------------------


def test_the_list_shows_exact_amounts_and_no_contents_of_failed_dsrs(admin_client):
    response = admin_client.get(DSRS)
    assert shown(response, "path") == [FR_JANUARY, NO_JANUARY]
    assert shown(response, "status") == ["failed", "ingested"]
    assert shown(response, "territory_code") == ["FR", "NO"]
    assert shown(response, "period") == ["2020-01-01 – 2020-01-31"] * 2
    assert shown(response, "lines") == ["-", "3 7 blank"]
    assert shown(response, "revenue") == ["-", "1,234,567.50 NOK reported"]
    # The operator's rate is 10.
    assert shown(response, "revenue_in_eur") == ["-", "123,456.75"]
    assert shown(response, "problem_counts") == ["2 errors", "2 warnings"]


def test_the_largest_amount_is_shown_with_all_digits(admin_client):
    recipes.dsr.make(offer="large", total_revenue=Decimal("-" + "1" * 30 + "." + "2" * 60))
    groups = ",".join(["111"] * 10)
    assert shown(admin_client.get(f"{DSRS}?offer=large"), "revenue") == [f"-{groups}.22 NOK reported"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status__exact=failed", [FR_JANUARY]),
        ("status__exact=ingested", [ES_JANUARY, NO_JANUARY]),
        ("dsp=Deezer", [FR_JANUARY]),
        ("offer=SpotifyDuo", [NO_JANUARY]),
        ("society=SACEM", [FR_JANUARY]),
        ("territory__code_2__exact=ES", [ES_JANUARY]),
        ("currency__code__exact=EUR", [FR_JANUARY, ES_JANUARY]),
        ("rate_method__exact=operator", [NO_JANUARY]),
        ("period_start__year=2020&period_start__month=1", [FR_JANUARY, ES_JANUARY, NO_JANUARY]),
        ("period_start__year=2020&period_start__month=2", []),
        ("q=FamilyPlan", [ES_JANUARY]),
        ("q=norway", [NO_JANUARY]),
        ("q=" + 64 * "0", [ES_JANUARY]),
        ("q=nothing", []),
    ],
)
def test_filters_and_search_find_dsrs(admin_client, query, expected):
    recipes.dsr.make(
        path=ES_JANUARY, offer="SpotifyFamilyPlan", territory_id="ES", currency_id="EUR", rate_method="euro"
    )
    assert found(admin_client, f"{DSRS}?{query}") == sorted(expected)


@pytest.mark.parametrize("column", range(1, 11))
def test_the_list_can_be_sorted_by_every_column(admin_client, column):
    for order in (f"{column}", f"-{column}"):
        response = admin_client.get(f"{DSRS}?o={order}")
        assert sorted(shown(response, "path")) == [FR_JANUARY, NO_JANUARY]
        sorted_by = "sorted descending" if order.startswith("-") else "sorted ascending"
        assert response.content.decode().count(sorted_by) == 1


def test_dsrs_are_sorted_by_the_number_of_their_problems(admin_client):
    DSR.objects.all().delete()
    for number, (errors, warnings) in enumerate([(0, 2), (3, 1), (0, 0)]):
        recipes.dsr.make(offer=str(number), error_count=errors, warning_count=warnings)
    counts = shown(admin_client.get(f"{DSRS}?o=9"), "problem_counts")
    assert counts == ["-", "2 warnings", "3 errors, 1 warning"]


def test_names_are_escaped(admin_client):
    name = "X_<script>alert(1)</script>_NO_NOK_20200101-20200131.tsv"
    dsr = recipes.dsr.make(path=name, offer="<script>alert(1)</script>")
    recipes.problem.make(dsr=dsr, value="<script>alert(2)</script>")
    DSR.objects.update(error_count=1)
    paths = [
        DSRS,
        PROBLEMS,
        f"{PROBLEMS}?dsr={dsr.pk}",
        f"{DSRS}{dsr.pk}/change/",
        f"{DSRS}{dsr.pk}/lines/",
        f"{DSRS}{dsr.pk}/delete/",
    ]
    for path in paths:
        page = admin_client.get(path).content.decode()
        assert "&lt;script&gt;alert(" in page, path
        assert "<script>alert(" not in page, path


def test_lists_take_the_same_number_of_queries_for_1_and_for_100_dsrs(admin_client):
    def add(count):
        offers = (f"{count} {number}" for number in range(count))
        places = {"territory_id": cycle(["NO", "ES"]), "currency_id": cycle(["NOK", "EUR"])}
        dsrs = recipes.make_many(recipes.dsr, count, offer=offers, **places)
        warning = {"level": "warning", "code": "dsp_id_repeated", "line": 2}
        recipes.make_many(recipes.problem, count, dsr=iter(dsrs), **warning)
        recipes.make_many(recipes.rate_change, count, dsr=iter(dsrs))

    DSR.objects.all().delete()
    add(1)
    for_one = [query_count(admin_client, path) for path in (DSRS, PROBLEMS, CHANGES)]
    add(99)
    assert len(found(admin_client, DSRS)) == 100
    assert [query_count(admin_client, path) for path in (DSRS, PROBLEMS, CHANGES)] == for_one


# --- The page of a DSR, and its links --------------------------------------------------------------------------


def detail(client, dsr):
    return client.get(f"{DSRS}{dsr.pk}/change/").content.decode()


def test_what_a_dsr_does_not_have_is_a_dash(admin_client, tmp_path):
    page = detail(admin_client, import_report(tmp_path, ES_JANUARY, line("a", revenue="")))
    assert re.search('Lowest revenue of a line:</label>\\s*<div class="readonly">-</div>', page)
    assert ">None<" not in page


def test_a_dsr_and_its_lines_problems_and_rate_changes_link_to_each_other(admin_client, dsr):
    page = detail(admin_client, dsr)
    for link in (f"{DSRS}{dsr.pk}/lines/", f"{PROBLEMS}?dsr={dsr.pk}", f"{CHANGES}?dsr={dsr.pk}"):
        assert f'href="{link}"' in page
        assert f'href="{DSRS}{dsr.pk}/change/"' in admin_client.get(link).content.decode()
    assert f'href="{PROBLEMS}?dsr={dsr.pk}"' in admin_client.get(DSRS).content.decode()
    assert f'href="{DSRS}{dsr.pk}/lines/"' in admin_client.get(DSRS).content.decode()


def test_a_dsr_shows_exact_totals_of_its_contents(admin_client, dsr):
    page = detail(admin_client, dsr)
    assert 'data-full="1,234,567.500000000000000000001 NOK"' in page
    assert "1,234,567.50 NOK</span>" in page
    assert 'data-full="0.000000000000000000001 NOK"' in page
    assert "&lt; 0.01 NOK</span>" in page
    assert "1 blank titles, 2 blank artists, 2 blank ISRCs, 1 blank usages, 1 blank revenues" in page


# --- Problems and rate changes ----------------------------------------------------------------------------------


def codes(response):
    """The code of each problem of a list, which shows its meaning."""
    page = response.context  # None where the list leads elsewhere
    return [problem.code for problem in page["cl"].result_list] if page else []


def test_the_problems_of_one_dsr_are_listed_with_its_name(admin_client, failed):
    response = admin_client.get(f"{PROBLEMS}?dsr={failed.pk}")
    assert codes(response) == ["not_a_number", "dsp_id_missing"]
    assert shown(response, "line_link") == ["2", "3"]
    assert shown(response, "column") == ["revenue", "dsp_id"]
    assert shown(response, "shown_value") == ["much", "-"]
    assert shown(response, "dsr_link") == [FR_JANUARY] * 2
    assert [choice["display"] for choice in response.context["cl"].filter_specs[0].choices(response.context["cl"])] == [
        "All",
        FR_JANUARY,
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("level__exact=error", ["dsp_id_missing", "not_a_number"]),
        ("level__exact=warning", ["dsp_id_repeated", "isrc_invalid"]),
        ("code=isrc_invalid", ["isrc_invalid"]),
        ("q=much", ["not_a_number"]),
        ("q=Deezer", ["dsp_id_missing", "not_a_number"]),
        ("dsr=0", []),
        ("dsr=99999999999999999999", []),
    ],
)
def test_filters_and_search_find_problems(admin_client, query, expected):
    assert sorted(codes(admin_client.get(f"{PROBLEMS}?{query}"))) == expected


def test_the_problems_of_a_list_are_counted_by_code(admin_client, failed):
    recipes.problem.make(dsr=failed, code="not_a_number", line=9)
    page = admin_client.get(f"{PROBLEMS}?dsr={failed.pk}")
    found = [
        (one["explanation"].sentence, one["level"], one["count"], one["address"]) for one in page.context["by_code"]
    ]
    assert found == [
        (NOT_A_NUMBER, "error", "2", f"?code=not_a_number&dsr={failed.pk}"),
        ("The line does not say which recording it is about.", "error", "1", f"?code=dsp_id_missing&dsr={failed.pk}"),
    ]
    warnings = admin_client.get(f"{PROBLEMS}?level__exact=warning").context["by_code"]
    assert [one["address"] for one in warnings] == [
        "?code=dsp_id_repeated&level__exact=warning",
        "?code=isrc_invalid&level__exact=warning",
    ]


@pytest.mark.parametrize(("facets", "count"), [("", ""), ("&_facets=True", " (1)")])
def test_the_filter_of_problems_says_what_they_mean(admin_client, facets, count):
    response = admin_client.get(f"{PROBLEMS}?code=not_a_number{facets}")
    changes, page = response.context["cl"], response.content.decode()
    choices = [(one["display"], one["selected"]) for one in changes.filter_specs[-1].choices(changes)]
    assert choices == [
        ("All", False),
        (f"The line does not say which recording it is about.{count}", False),
        (f"An earlier line has the same id.{count}", False),
        (f"The ISRC is not of the form of ISO 3901.{count}", False),
        (f"{NOT_A_NUMBER}{count}", True),
    ]
    assert "By meaning" in page
    # The code is on the page of the problem, for those who compare it with an export.
    assert "not_a_number" not in re.sub('"[^"]*"', "", page)
    problem = ReportProblem.objects.get(code="not_a_number")
    page = admin_client.get(f"{PROBLEMS}{problem.pk}/change/").content.decode()
    assert f"{NOT_A_NUMBER} (line 2, column revenue)" in page
    assert '<div class="readonly">not_a_number</div>' in page


def test_a_problem_shows_the_delivered_line_with_its_cell_marked(admin_client, failed):
    recipes.problem.make(dsr=failed, code="not_utf8", line=9, excerpt=["a\t<b>\t", "Caf\ufffd", "\t1"])
    marked = '<code class="delivered-line">a ⇥ &lt;b&gt; ⇥ <mark>Caf\ufffd</mark> ⇥ 1</code>'
    assert marked in admin_client.get(f"{PROBLEMS}?code=not_utf8").content.decode()
    assert marked in admin_client.get(f"{PROBLEMS}{ReportProblem.objects.latest('pk').pk}/change/").content.decode()
    assert marked in detail(admin_client, failed)


@pytest.mark.parametrize("number", ["abc", "", "1.5", "9" * 5000])
def test_a_dsr_filter_that_is_not_a_number_is_refused(admin_client, number):
    assert admin_client.get(f"{PROBLEMS}?dsr={number}")["Location"] == f"{PROBLEMS}?e=1"


def test_a_warning_links_to_its_line(admin_client, dsr):
    page = admin_client.get(f"{PROBLEMS}?code=isrc_invalid").content.decode()
    link = f"{DSRS}{dsr.pk}/lines/?after=2"
    assert f'<a href="{link}">3</a>' in page
    assert shown(admin_client.get(link), "line_number")[0] == "3"


def test_a_rate_change_shows_the_old_and_the_new_rate(admin_client, dsr):
    response = admin_client.get(CHANGES)
    assert shown(response, "dsr_link") == [NO_JANUARY]
    assert shown(response, "old_rate") == ["9.9384227272727272727272727272727272727273"]
    assert shown(response, "new_rate") == ["10"]
    assert found(admin_client, f"{CHANGES}?q=Deezer") == []
    assert len(found(admin_client, f"{CHANGES}?new_method__exact=operator")) == 1


# --- Permissions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LISTS)
def test_anonymous_users_are_redirected_to_the_sign_in(client, name):
    response = client.get(reverse(f"admin:catalogue_{name}_changelist"))
    assert response["Location"] == f"/admin/login/?next=/admin/catalogue/{name}/"


@pytest.mark.parametrize("name", LISTS)
def test_staff_without_the_permission_cannot_view(client, name):
    client.force_login(staff_with())
    assert client.get(reverse(f"admin:catalogue_{name}_changelist")).status_code == 403


@pytest.mark.parametrize("name", LISTS)
def test_users_who_may_view_cannot_add(client, name):
    client.force_login(staff_with(f"view_{name}"))
    response = client.get(reverse(f"admin:catalogue_{name}_changelist"))
    assert response.status_code == 200
    assert client.get(reverse(f"admin:catalogue_{name}_add")).status_code == 403


@pytest.mark.parametrize("name", sorted({*LISTS} - {"operatorrate", "dsr"}))
@pytest.mark.usefixtures("_rejected")
def test_rows_that_only_services_write_are_read_only(admin_client, name):
    (path,) = (path for path in pages() if path.startswith(f"/admin/catalogue/{name}/") and path.endswith("/change/"))
    before = stored_rows()
    assert admin_client.post(path, {"rate": "1", "name": "other"}).status_code == 403
    assert admin_client.post(path.replace("/change/", "/delete/"), {"post": "yes"}).status_code == 403
    assert admin_client.post(f"/admin/catalogue/{name}/add/", {"name": "other"}).status_code == 403
    assert stored_rows() == before


def test_dsrs_are_read_only(admin_client, dsr):
    assert admin_client.post(f"{DSRS}{dsr.pk}/change/", {"path": "other"}).status_code == 403
    assert admin_client.post(f"{DSRS}add/", {"path": "other"}).status_code == 403
    dsr.refresh_from_db()
    assert dsr.path == NO_JANUARY


def test_users_who_may_view_dsrs_see_their_problems_and_rate_changes(client, dsr):
    client.force_login(staff_with("view_dsr"))
    for path in (PROBLEMS, CHANGES, f"{DSRS}{dsr.pk}/lines/"):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("query", ["q=%00", "territory__code_2__exact=%00", "status__exact=a%00b"])
def test_a_nul_in_a_query_is_refused(admin_client, query):
    response = admin_client.get(f"/admin/catalogue/dsr/?{query}")

    assert response.status_code == 400
    assert response.content == b"The character NUL cannot be sent to the admin.\n"
