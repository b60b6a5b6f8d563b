"""A check of a whole file, against sums worked out by hand."""

from datetime import date
from decimal import Decimal

import pytest

from catalogue.exceptions import InvalidTemplate
from catalogue.imports.progress import Deadline, Interrupted
from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.templates.checking import check
from catalogue.reports.formats.templates.definition import Definition, FileForm, Recognition
from catalogue.reports.formats.templates.files.preview import first_rows
from catalogue.reports.formats.templates.validation import definition_checked
from tests.catalogue.report_templates.helpers import csv_file, sale
from tests.catalogue.reports.formats.templates.definitions import TONBANK, changed

TONBANK_IN_ENGLISH = changed("fields.territory.languages", ["en"])


def checked(path, data=TONBANK, **options):
    return check(Delivery(path, path.name), definition_checked(data), **options)


def test_totals_by_context_and_currency(tmp_path):
    path = csv_file(
        tmp_path,
        sale(quantity="2", net="0.1"),
        sale(quantity="3", net="1234567890123456789012345678.123456789"),
        sale(country="FR", quantity="5", net="-0.25"),
        sale(country="US", currency="USD", quantity="7", net="0.7"),
        sale(month="2020-02", quantity="11", net=""),
    )
    found = checked(path)
    contexts = [
        (one.context.territory, one.context.currency, one.context.period_end, one.line_count, one.usages, one.revenue)
        for one in found.contexts
    ]
    january, february = date(2020, 1, 31), date(2020, 2, 29)
    assert contexts == [
        ("ES", "EUR", january, 2, 5, Decimal("1234567890123456789012345678.223456789")),
        ("US", "USD", january, 1, 7, Decimal("0.7")),
        ("ES", "EUR", february, 1, 11, 0),
        ("FR", "EUR", january, 1, 5, Decimal("-0.25")),
    ]
    currencies = [
        (one.currency, one.context_count, one.line_count, one.usages, one.revenue) for one in found.currencies
    ]
    assert currencies == [
        ("EUR", 3, 4, 21, Decimal("1234567890123456789012345677.973456789")),
        ("USD", 1, 1, 7, Decimal("0.7")),
    ]
    assert (found.line_count, found.context_count, found.problems.error_count, found.is_whole) == (5, 4, 0, True)


def test_values_that_no_map_knows_are_listed_by_the_revenue_behind_them(tmp_path):
    path = csv_file(
        tmp_path,
        sale(country="Neverland", net="1.5"),
        sale(country="Deutschland", net="3"),
        sale(country=" neverland ", net="2"),
        sale(country="Neverland", currency="USD", net="0.5"),
        sale(currency="Euro", net="0.1"),
        sale(country="Germany", net="9"),
    )
    found = checked(path, TONBANK_IN_ENGLISH)
    unmapped = [(one.field, one.value, one.line, one.row_count, dict(one.revenue)) for one in found.unmapped]
    assert unmapped == [
        ("territory", "Neverland", 2, 3, {"EUR": Decimal("3.5"), "USD": Decimal("0.5")}),
        ("territory", "Deutschland", 3, 1, {"EUR": Decimal(3)}),
        ("currency", "Euro", 6, 1, {"Euro": Decimal("0.1")}),
    ]
    assert [(one.context.territory, one.revenue) for one in found.contexts] == [("DE", Decimal(9))]


def test_rows_that_are_left_out_and_the_end_of_the_sales(tmp_path):
    data = changed("rows.skip", [{"column": "Title", "values": ["Sum"]}])
    data["rows"]["ends_at"] = ["Total"]
    rows = [sale(net="1"), sale(title="sum", net="1"), sale(net="2"), ["Total", *[""] * 7, "3"]]
    found = checked(csv_file(tmp_path, *rows), data)
    assert (found.line_count, found.skipped_count, found.contexts[0].revenue) == (2, 1, 3)


def test_errors_name_their_line_and_column_and_their_rows_are_not_added(tmp_path):
    found = checked(csv_file(tmp_path, sale(net="1"), sale(net="1,5"), sale(quantity="many", net="2")))
    assert [(one.line, one.column, one.value) for one in found.problems.errors] == [
        (3, "Net", "1,5"),
        (4, "Quantity", "many"),
    ]
    assert (found.line_count, found.contexts[0].line_count, found.contexts[0].revenue) == (3, 3, 1)


def test_the_first_rows_alone_are_checked_on_demand(tmp_path):
    path = csv_file(tmp_path, sale(net="1"), sale(net="2"), sale(net="4"))
    assert [(one.is_whole, one.line_count) for one in (checked(path, line_limit=n) for n in (2, 3))] == [
        (False, 2),
        (True, 3),
    ]


def test_contexts_and_problems_are_bounded_and_their_numbers_are_true(tmp_path):
    path = csv_file(tmp_path, *(sale(store=f"Store {n}", net=str(n)) for n in range(5)), *[sale(net="x")] * 5)
    found = checked(path, context_limit=2, problem_limit=3)
    assert ([one.context.dsp for one in found.contexts], found.context_count) == (["Store 4", "Store 3"], 6)
    assert (len(found.problems.errors), found.problems.error_count) == (3, 5)


def test_a_check_ends_in_time(tmp_path):
    with pytest.raises(Interrupted):
        checked(csv_file(tmp_path, sale()), progress=Deadline(0))


def test_a_file_that_cannot_be_read_has_a_problem(tmp_path):
    path = tmp_path / "tonbank.csv"
    path.write_bytes(b"%PDF-1.7")
    (problem,) = checked(path).problems.errors
    assert problem.code == "wrong_file_kind"
    path.write_text("Store,Country\nA,ES\n")
    assert checked(path).problems.errors[0].code == "heading_missing"


def test_a_definition_with_faults_is_refused(tmp_path):
    with pytest.raises(InvalidTemplate):
        check(Delivery(csv_file(tmp_path, sale()), "tonbank.csv"), Definition())


def test_the_first_rows_need_only_the_form_of_the_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("Statement\na;b\n1;2\n3;4\n")
    form = FileForm(delimiter=";", heading_row=None)
    sample = Delivery(path, path.name)
    headed = Definition(file=form, recognition=Recognition(("B", "a")))
    assert first_rows(sample, headed, row_limit=1) == (["a", "b"], [["1", "2"]])
    assert first_rows(sample, Definition(file=form, recognition=Recognition(("c",)))) == ([], [])
    numbered = Definition(file=FileForm(delimiter=";", heading_row=0))
    assert first_rows(sample, numbered, row_limit=2) == (["1", "2"], [["Statement"], ["a", "b"]])
