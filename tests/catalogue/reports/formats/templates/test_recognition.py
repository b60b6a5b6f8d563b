"""A template recognises a file by its first rows, wherever these are cut off."""

import pytest

from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.templates import recognition
from catalogue.reports.formats.templates.recognition import FirstRows, is_recognised
from catalogue.reports.formats.templates.validation import definition_checked
from tests.catalogue.report_templates.helpers import HEADINGS, csv_file, sale
from tests.catalogue.reports.formats.templates.definitions import TONBANK, changed


def recognised(path, data):
    return is_recognised(definition_checked(data), FirstRows(Delivery(path, path.name)))


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
def test_the_first_bytes_may_end_within_a_character(tmp_path, monkeypatch, cut):
    path = csv_file(tmp_path, sale(title="\U0001f3b5"), encoding="utf-16")
    at = path.read_bytes().index("\U0001f3b5".encode("utf-16-le"))
    monkeypatch.setattr(recognition, "FIRST_BYTES", at + cut)
    assert recognised(path, changed("file", {"encoding": "utf-16"}))


def test_headings_and_name_must_both_fit(tmp_path):
    path = csv_file(tmp_path, sale())
    assert recognised(path, TONBANK)
    assert not recognised(path, changed("recognition.headings", [*HEADINGS, "More"]))
    assert recognised(path, changed("recognition.name_pattern", "TON*.csv"))
    assert not recognised(path, changed("recognition.name_pattern", "other*"))
    assert not recognised(path, changed("file", {"delimiter": ";"}))
    assert not recognised(path, changed("file", {"kind": "xlsx"}))
