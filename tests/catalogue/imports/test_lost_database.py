"""What `import_dsr` says when the database is lost before the first import."""

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from tests.catalogue.helpers import ES_JANUARY, line, write_report

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("step", ["reports_find", "deliveries_plan"])
def test_a_database_that_is_lost_before_the_import_is_told_on_one_line(tmp_path, monkeypatch, step):
    def lost(*_arguments, **_options):
        raise OperationalError("server closed the connection unexpectedly\n\tThis probably means")

    monkeypatch.setattr(f"catalogue.management.commands.import_dsr.{step}", lost)
    with pytest.raises(CommandError) as error:
        call_command("import_dsr", str(write_report(tmp_path, ES_JANUARY, line("a"))))
    assert str(error.value) == "Nothing was imported: server closed the connection unexpectedly"
