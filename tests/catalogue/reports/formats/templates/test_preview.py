"""The first rows of a file as they are delivered."""

import pytest

from catalogue.reports.delivery import DamagedDelivery, Delivery
from catalogue.reports.formats.templates.definition import Definition, FileForm, Kind, Recognition
from catalogue.reports.formats.templates.files.preview import first_rows


def shown(folder, *headings, row_limit=2, **form):
    path = folder / "a.csv"
    path.write_text("Statement\na;b\n1;2\n3;4;5\n")
    definition = Definition(file=FileForm(delimiter=";", **form), recognition=Recognition(headings))
    return first_rows(Delivery(path, path.name), definition, row_limit=row_limit)


def test_rows_behind_the_headings_whatever_their_length(tmp_path):
    assert shown(tmp_path, "B", "a", heading_row=None) == (["a", "b"], [["1", "2"], ["3", "4", "5"]])
    assert shown(tmp_path, heading_row=2, row_limit=1) == (["a", "b"], [["1", "2"]])


def test_columns_without_headings_are_numbered(tmp_path):
    assert shown(tmp_path, heading_row=0) == (["1", "2"], [["Statement"], ["a", "b"]])


def test_nothing_is_shown_without_the_heading_row(tmp_path):
    assert shown(tmp_path, "c", heading_row=None) == ([], [])
    assert shown(tmp_path, heading_row=9) == ([], [])


def test_a_text_is_no_workbook(tmp_path):
    with pytest.raises(DamagedDelivery):
        shown(tmp_path, kind=Kind.XLSX)
