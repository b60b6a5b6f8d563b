"""What webhooks are told of imports, returns and deletions: one event for each delivery, with all of its DSRs."""

import json

import pytest
from django.core.management import call_command

from catalogue.dsrs.services import dsr_delete, message_delete
from catalogue.exceptions import DSRExists, InvalidReportName, ReportRefused
from catalogue.imports.loading.choices import Choices
from catalogue.imports.loading.reverting import version_revert
from catalogue.imports.services import DeliveredFile, delivery_import, dsr_import
from catalogue.models import DSR
from dsrhub.webhooks.models import Event
from tests.catalogue.helpers import NO_JANUARY, import_report, line, write_report
from tests.catalogue.sample_message import MESSAGE, SUMMARIES, import_message, write_message
from tests.webhooks import recipes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _listening():
    recipes.webhook.make()


def events():
    """The events since the last call: type, subject and data."""
    found = list(Event.objects.order_by("pk"))
    Event.objects.all().delete()
    return [(event.type, event.subject, json.loads(event.body)["data"]) for event in found]


def replace(folder, *lines):
    path = write_report(folder, NO_JANUARY, *lines)
    return dsr_import(path=path, name=NO_JANUARY, replace=True)


def told(dsrs, **more):
    return {"dsrs": dsrs, "name": NO_JANUARY, "dsp": "Spotify", "message": None, **more}


def test_an_import_tells_of_its_dsr(tmp_path):
    dsr = import_report(tmp_path, NO_JANUARY, line("a"))
    assert events() == [("dsr.ingested", "dsp:Spotify", told([dsr.pk]))]


def test_the_same_file_again_tells_nothing(tmp_path):
    import_report(tmp_path, NO_JANUARY, line("a"))
    events()
    import_report(tmp_path, NO_JANUARY, line("a"))
    assert events() == []


def test_a_dry_run_tells_nothing(tmp_path):
    call_command("import_dsr", write_report(tmp_path, NO_JANUARY, line("a")), "--dry-run")
    assert events() == []


def test_a_replacement_tells_what_it_replaced(tmp_path):
    earlier = import_report(tmp_path, NO_JANUARY, line("a"))
    events()
    report = replace(tmp_path, line("b"))
    assert events() == [("dsr.replaced", "dsp:Spotify", told([report.dsr.pk], replaced=[earlier.pk]))]


def test_a_refused_replacement_tells_nothing(tmp_path):
    import_report(tmp_path, NO_JANUARY, line("a"))
    events()
    with pytest.raises(DSRExists):
        import_report(tmp_path, NO_JANUARY, line("b"))
    assert events() == []


def test_a_return_tells_what_it_replaced(tmp_path):
    first = import_report(tmp_path, NO_JANUARY, line("a"))
    second = replace(tmp_path, line("b")).dsr
    events()
    version_revert(version_number=first.pk)
    assert events() == [("dsr.reverted", "dsp:Spotify", told([first.pk], replaced=[second.pk]))]
    # The file of the other version again, which lets it return.
    replace(tmp_path, line("b"))
    assert events() == [("dsr.reverted", "dsp:Spotify", told([second.pk], replaced=[first.pk]))]


def test_a_deletion_tells_of_its_dsr(tmp_path):
    dsr = import_report(tmp_path, NO_JANUARY, line("a"))
    events()
    dsr_delete(dsr_number=dsr.pk)
    assert events() == [("dsr.deleted", "dsp:Spotify", told([dsr.pk]))]


def test_a_message_tells_of_all_of_its_dsrs_in_one_event(tmp_path):
    message = import_message(tmp_path)
    numbers = list(message.dsrs.order_by("pk").values_list("pk", flat=True))
    data = {"dsrs": numbers, "name": MESSAGE, "dsp": "Tonbank", "message": message.pk}
    assert len(numbers) == 5
    assert events() == [("dsr.ingested", "dsp:Tonbank", data)]
    message_delete(message_number=message.pk)
    assert events() == [("dsr.deleted", "dsp:Tonbank", data)]


def test_contexts_that_a_new_message_lacks_are_told_as_deleted(tmp_path):
    old = {dsr.summary_id: dsr.pk for dsr in import_message(tmp_path).dsrs.all()}
    events()
    without_the_last = "\n".join(SUMMARIES.strip().splitlines()[:-1])
    path = write_message(tmp_path, summaries=without_the_last)
    choices = Choices(replace=True, drop_missing=True)
    report = delivery_import(files=[DeliveredFile(path, MESSAGE)], choices=choices)
    (kind, _, replaced), (other_kind, _, deleted) = events()
    assert (kind, other_kind) == ("dsr.replaced", "dsr.deleted")
    assert replaced["dsrs"] == [one.dsr.pk for one in report.imported]
    assert replaced["replaced"] == sorted(old[number] for number in "1234")
    assert deleted["dsrs"] == [old["5"]]


def test_a_failure_tells_of_the_failed_dsr_and_of_no_cell(tmp_path):
    with pytest.raises(ReportRefused):
        import_report(tmp_path, NO_JANUARY, line("a", usages="secret"), line("", isrc="x"))
    ((kind, subject, data),) = events()
    assert (kind, subject) == ("dsr.failed", "dsp:Spotify")
    assert data == {
        "dsrs": [DSR.objects.get(status="failed").pk],
        "name": NO_JANUARY,
        "dsp": "Spotify",
        "code": "report_refused",
        "error_count": 2,
        "warning_count": 1,
        "problems": ["not_a_number", "dsp_id_missing"],
    }


def test_a_failed_message_has_no_dsr(tmp_path):
    path = write_message(tmp_path, summaries=SUMMARIES.replace("1000;52000.5", "many;52000.5"))
    with pytest.raises(ReportRefused):
        delivery_import(files=[DeliveredFile(path, MESSAGE)], choices=Choices())
    ((kind, subject, data),) = events()
    assert (kind, subject) == ("dsr.failed", f"file:{MESSAGE}")
    assert (data["dsrs"], data["name"], data["dsp"], data["error_count"]) == ([], MESSAGE, None, 1)


def test_a_file_whose_name_says_nothing_has_no_dsr(tmp_path):
    with pytest.raises(InvalidReportName):
        import_report(tmp_path, "report.tsv", line("a"))
    assert events() == [
        (
            "dsr.failed",
            "file:report.tsv",
            {
                "dsrs": [],
                "name": "report.tsv",
                "dsp": None,
                "code": "invalid_report_name",
                "error_count": 1,
                "warning_count": 0,
                "problems": [],
            },
        )
    ]


def test_an_import_that_is_rolled_back_tells_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError

    monkeypatch.setattr("catalogue.imports.services._failure_forget", fail)
    with pytest.raises(RuntimeError):
        import_report(tmp_path, NO_JANUARY, line("a"))
    assert events() == []
