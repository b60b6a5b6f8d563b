"""What the tests of pages share."""

import pytest

from tests.catalogue.helpers import ES_JANUARY, import_report, line


@pytest.fixture
def _reports(tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a1", "Cœur brisé", "Björk", "ESABC2000001", "1", "2"), line("b", "Dawn"))
