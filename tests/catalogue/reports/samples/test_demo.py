"""The further samples of the demo are the same on every machine, and are imported once."""

import gzip
import io

import pytest
from django.core.management import call_command

from catalogue.models import DSR, OperatorRate, RejectedDelivery, SupersededDSR, Template
from catalogue.reports.samples.demo import STATEMENT, WITH_WARNINGS, demo_deliveries, file_to_drop, files_to_try


def contents(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        path.relative_to(folder): gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in files
    }


def test_the_same_files_are_written_again(tmp_path):
    for name in ("one", "two"):
        assert len(list(demo_deliveries(tmp_path / name))) == 11
        files_to_try(tmp_path / name / "try")
        file_to_drop(tmp_path / name / "incoming")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    (dropped,) = (tmp_path / "one" / "incoming").iterdir()
    assert dropped.name == "Deezer_Family_NO_NOK_20200301-20200331.tsv.gz"


@pytest.fixture
def add(tmp_path):
    def added():
        out = io.StringIO()
        call_command("add_sample_reports", str(tmp_path / "try"), stdout=out)
        return out.getvalue().strip()

    return added


@pytest.mark.django_db
def test_sample_reports_are_added_once(add):
    Template.objects.all().delete()
    assert add() == "9 reports imported, 2 refused."
    ingested = DSR.objects.ingested()
    assert (ingested.count(), DSR.objects.filter(status="failed").count()) == (18, 1)
    assert ingested.filter(path=STATEMENT).count() == 4
    assert (SupersededDSR.objects.count(), RejectedDelivery.objects.count(), OperatorRate.objects.count()) == (1, 1, 1)
    doubtful = ingested.get(path=WITH_WARNINGS.name)
    assert sorted(doubtful.problems.values_list("code", flat=True)) == [
        "dsp_id_repeated",
        "isrc_invalid",
        "isrc_invalid",
    ]

    numbers = set(DSR.objects.values_list("pk", flat=True))
    assert add() == "0 reports imported, 0 refused."
    assert set(DSR.objects.values_list("pk", flat=True)) == numbers
