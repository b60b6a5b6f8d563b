"""A live check reads the whole file, and says what would be imported and what no map knows."""

from datetime import date
from decimal import Decimal

import pytest

from catalogue.exceptions import InvalidTemplate
from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.templates.checking import CurrencyTotals, UnmappedValue, check
from catalogue.reports.formats.templates.reading import definition_read
from tests.catalogue.report_templates.helpers import csv_file, sale
from tests.catalogue.reports.formats.templates.definitions import TONBANK, changed

ROWS = [
    sale(quantity="3", net="1.25"),
    sale(country="Spain", quantity="5", net="10.5"),
    sale("Deezer", currency="USD", net="0.75"),
    sale(country="Narnia", net="100"),
    sale(country="Narnia", currency="USD", net="7"),
    sale(country="spain", net="0.000000001"),
    sale(country="Oz", currency="$", net="2"),
]


def checked(folder, data, *rows, **options):
    path = csv_file(folder, *rows)
    return check(Delivery(path, path.name), definition_read(data)[0], **options)


def test_contexts_totals_and_unmapped_values_are_told(tmp_path):
    found = checked(tmp_path, changed("fields.territory.languages", ["en"]), *ROWS)

    assert [
        (one.context.dsp, one.context.currency, one.line_count, one.usages, one.revenue) for one in found.contexts
    ] == [
        ("Spotify", "EUR", 3, 9, Decimal("11.750000001")),
        ("Deezer", "USD", 1, 1, Decimal("0.75")),
    ]
    assert found.currencies == [
        CurrencyTotals("EUR", 1, 3, Decimal(9), Decimal("11.750000001")),
        CurrencyTotals("USD", 1, 1, Decimal(1), Decimal("0.75")),
    ]
    assert found.unmapped == [
        UnmappedValue("territory", "Narnia", 5, 2, {"EUR": Decimal(100), "USD": Decimal(7)}),
        UnmappedValue("territory", "Oz", 8, 1, {"$": Decimal(2)}),
        UnmappedValue("currency", "$", 8, 1, {"$": Decimal(2)}),
    ]
    assert (found.line_count, found.skipped_count, found.context_count, found.is_whole) == (7, 0, 2, True)
    assert found.rows[0] == ROWS[0]
    assert [one.line for one in found.problems.errors] == [5, 6, 8, 8]


def test_the_first_rows_alone_may_be_checked(tmp_path):
    found = checked(tmp_path, TONBANK, *[sale()] * 30, line_limit=10, row_limit=5, context_limit=0)
    assert (found.line_count, len(found.rows), found.contexts, found.context_count, found.is_whole) == (
        10,
        5,
        [],
        1,
        False,
    )


def test_rows_that_are_left_out_are_counted(tmp_path):
    data = changed("rows", {"skip": [{"column": "Title", "values": ["Total"]}]})
    found = checked(tmp_path, data, sale(), sale(title="total"))
    assert (found.line_count, found.skipped_count) == (1, 1)


def test_faults_come_before_the_file(tmp_path):
    with pytest.raises(InvalidTemplate):
        checked(tmp_path, changed("fields.dsp", None), sale())


def test_a_file_that_cannot_be_read_has_problems_and_no_totals(tmp_path):
    found = checked(tmp_path, changed("fields.dsp.columns", ["Shop"]), sale())
    assert ([one.code for one in found.problems.kept], found.contexts) == (["heading_missing"], [])
    found = checked(tmp_path, changed("file", {"kind": "xlsx"}), sale())
    assert ([one.code for one in found.problems.kept], found.currencies) == (["workbook_damaged"], ())
    found = checked(tmp_path, changed("recognition.refused_names", ["tonbank*"]), sale())
    assert [one.code for one in found.problems.kept] == ["no_sales_file"]


def test_a_check_can_be_ended(tmp_path):
    def progress(count):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        checked(tmp_path, TONBANK, sale(), progress=progress)


def test_totals_have_all_digits_and_the_most_revenue_comes_first(tmp_path):
    found = checked(
        tmp_path,
        TONBANK,
        sale(quantity="2", net="0.1"),
        sale(quantity="3", net="1234567890123456789012345678.123456789"),
        sale(country="FR", quantity="5", net="-0.25"),
        sale(country="US", currency="USD", quantity="7", net="0.7"),
        sale(month="2020-02", quantity="11", net=""),
    )
    january, february = date(2020, 1, 31), date(2020, 2, 29)
    assert [(one.context.territory, one.context.period_end, one.usages, one.revenue) for one in found.contexts] == [
        ("ES", january, 5, Decimal("1234567890123456789012345678.223456789")),
        ("US", january, 7, Decimal("0.7")),
        ("ES", february, 11, 0),
        ("FR", january, 5, Decimal("-0.25")),
    ]
    assert [(one.currency, one.context_count, one.revenue) for one in found.currencies] == [
        ("EUR", 3, Decimal("1234567890123456789012345677.973456789")),
        ("USD", 1, Decimal("0.7")),
    ]


def test_a_value_that_no_map_knows_is_listed_once_however_it_is_written(tmp_path):
    rows = [sale(country=name, net=net) for name, net in (("Narnia", "1.5"), ("Oz", "3"), (" narnia ", "2"))]
    found = checked(tmp_path, TONBANK, *rows)
    assert found.unmapped == [
        UnmappedValue("territory", "Narnia", 2, 2, {"EUR": Decimal("3.5")}),
        UnmappedValue("territory", "Oz", 3, 1, {"EUR": Decimal(3)}),
    ]


def test_amounts_that_cannot_be_read_are_not_added(tmp_path):
    found = checked(tmp_path, TONBANK, sale(net="1"), sale(net="1,5"), sale(quantity="many", net="2"))
    assert [(one.line, one.column, one.value) for one in found.problems.errors] == [
        (3, "Net", "1,5"),
        (4, "Quantity", "many"),
    ]
    assert found.contexts[0].revenue == 1


def test_contexts_and_problems_are_bounded_and_their_numbers_are_true(tmp_path):
    rows = [*(sale(store=f"Store {n}", net=str(n)) for n in range(5)), *[sale(net="x")] * 5]
    found = checked(tmp_path, TONBANK, *rows, context_limit=2, problem_limit=3)
    assert ([one.context.dsp for one in found.contexts], found.context_count) == (["Store 4", "Store 3"], 6)
    assert (len(found.problems.errors), found.problems.error_count) == (3, 5)
