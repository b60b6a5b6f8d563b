"""A new format is a folder and a line in the registry. The command, REST and the admin import its 1 to n DSRs."""

import gzip
import io
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from catalogue.exceptions import DSRExists, ReportRefused
from catalogue.imports.loading.outcome import Outcome
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, ImportJob, RateMethod, RejectedDelivery, ReportProblem, UsageLine
from catalogue.reports.delivery import Delivery
from catalogue.reports.formats import registry
from catalogue.reports.formats.tsv.format import TsvFormat
from tests.catalogue.helpers import ES_JANUARY, line, line_storage, user_with, write_report
from tests.catalogue.reports.formats.toy import ToyFormat

pytestmark = pytest.mark.django_db(transaction=True)

SPAIN, NORWAY = "= Toybox Free ES EUR", "= Toybox Free NO NOK"
# Calculated by hand: 1.50 + 2 in Spain, 20 in Norway.
TWO = ["TOY", SPAIN, "a 5 1.50", "b 1 2", NORWAY, "a 7 20"]


@pytest.fixture(autouse=True)
def _registered(monkeypatch, settings, tmp_path):
    monkeypatch.setattr(registry, "FORMATS", [ToyFormat(), *registry.FORMATS])
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"


@pytest.fixture(params=[0, 1024 * 1024], ids=["own partitions", "shared partition"])
def _either_partition(request, settings):
    settings.DSRHUB_SHARED_PARTITION_BYTES = request.param


def toy_file(folder, *lines, name="january.toy"):
    content = "".join(one + "\n" for one in lines).encode()
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def imported(path, **options):
    return dsr_import(path=path, name=path.name, **options)


def replacing(job):
    """The fields of the page of a job, with “Replace” ticked."""
    return {"replace": job.pk, f"seen-{job.pk}": job.changed_at.isoformat()}


def ingested():
    """The territory, the totals and the lines of each ingested DSR."""
    return {
        dsr.territory_id: (
            dsr.line_count,
            dsr.total_usages,
            dsr.total_revenue,
            list(UsageLine.objects.of([dsr]).order_by("line_number").values_list("dsp_id", "usages", "revenue")),
        )
        for dsr in DSR.objects.ingested()
    }


BOTH = {
    "ES": (2, 6, Decimal("3.50"), [("a", 5, Decimal("1.50")), ("b", 1, Decimal(2))]),
    "NO": (1, 7, Decimal(20), [("a", 7, Decimal(20))]),
}


# --- Which format ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["january.toy", "january.toy.gz", ES_JANUARY, f"{ES_JANUARY}.gz"])
def test_the_content_of_a_file_decides_before_its_name(tmp_path, name):
    assert isinstance(registry.format_of(Delivery(toy_file(tmp_path, *TWO, name=name), name)), ToyFormat)
    assert isinstance(registry.format_of(Delivery(write_report(tmp_path, name, line("a")), name)), TsvFormat)


@pytest.mark.parametrize("content", [b"", b"TO", b"\x1f\x8b\x08", b"\x1f\x8b\x08\x00 no gzip", b"\xff\xfe"])
def test_the_name_decides_for_a_file_that_cannot_be_unpacked(tmp_path, content):
    path = tmp_path / f"{ES_JANUARY}.gz"
    path.write_bytes(content)
    assert isinstance(registry.format_of(Delivery(path, path.name)), TsvFormat)


def test_a_format_explains_its_own_codes():
    explained = registry.explanation("toy_not_three_words")
    assert (explained.sentence, explained.remedy) == ("The toy is broken.", "Mend it.")
    assert registry.explanation("not_a_number").sentence == "The cell must have a number, and has something else."
    assert registry.explanation("of_an_earlier_release").sentence == "An earlier release found this problem."


def test_the_endings_and_name_patterns_are_those_of_all_formats():
    endings = [".toy", ".tsv", ".csv", ".txt", ".xlsx"]
    assert registry.file_endings() == tuple(f"{ending}{packed}" for ending in endings for packed in ("", ".gz"))
    assert registry.name_patterns() == (
        "{anything}.toy[.gz], DSR_{Recipient}_{Sender}_{Service}_{Period}_{Territory}_{X}of{Y}_{Created}.tsv[.gz], "
        "any name that a template recognises, "
        "{DSP}_{Offer}[_{Society}]_{TT}_{CCC}_{yyyymmdd}-{yyyymmdd}.tsv[.gz]"
    )


# --- All DSRs of a delivery, or none ----------------------------------------------------------------------------


@pytest.mark.usefixtures("_either_partition")
@pytest.mark.parametrize("name", ["january.toy", "january.toy.gz"])
def test_each_sales_context_becomes_a_dsr(tmp_path, name):
    report = imported(toy_file(tmp_path, *TWO, name=name))

    assert ingested() == BOTH
    assert [(one.dsr.territory_id, one.outcome) for one in report.imported] == [("ES", "loaded"), ("NO", "loaded")]
    assert report.outcome == Outcome.LOADED
    assert [dsr.rate_method for dsr in DSR.objects.order_by("id")] == [RateMethod.EURO, RateMethod.ECB_MEAN]
    assert set(DSR.objects.values_list("path", "dsp", "offer")) == {(name, "Toybox", "Free")}
    assert len(set(DSR.objects.values_list("sha256", flat=True))) == 1


def test_a_small_context_of_a_large_delivery_lies_in_the_shared_partition(tmp_path, settings):
    # The blocks of Spain have 17 bytes, that of Norway 7.
    settings.DSRHUB_SHARED_PARTITION_BYTES = 7
    imported(toy_file(tmp_path, *TWO))

    spain, norway = DSR.objects.get(territory="ES"), DSR.objects.get(territory="NO")
    assert (spain.partition, norway.partition) == (spain.pk, 0)
    assert ingested() == BOTH


def test_a_report_of_several_dsrs_has_no_single_dsr(tmp_path):
    with pytest.raises(ValueError, match="too many values"):
        _ = imported(toy_file(tmp_path, *TWO)).dsr


def test_a_dry_run_keeps_nothing(tmp_path):
    before = line_storage()
    report = imported(toy_file(tmp_path, *TWO), dry_run=True)

    assert [(one.outcome, one.dsr.total_revenue) for one in report.imported] == [
        ("checked", Decimal("3.50")),
        ("checked", Decimal(20)),
    ]
    assert (DSR.objects.count(), line_storage()) == (0, before)


@pytest.mark.usefixtures("_either_partition")
def test_errors_of_every_context_are_reported_and_nothing_is_loaded(tmp_path):
    before = line_storage()
    path = toy_file(tmp_path, "TOY", SPAIN, "a 5 x", NORWAY, "a 7 20", "b 8", "= Toybox Free FR EUR", "c 1 y")
    with pytest.raises(ReportRefused, match=r"3 errors, .* The first: The cell .* \(line 3") as refusal:
        imported(path)

    assert [(one.code, one.line, one.context_number) for one in refusal.value.extra["problems"]] == [
        ("not_a_number", 3, 1),
        ("toy_not_three_words", 6, 2),
        ("not_a_number", 8, 3),
    ]
    # The contexts fail together: the failure is not kept as a DSR, but as a rejected delivery.
    assert not DSR.objects.exists()
    assert line_storage() == before
    (rejected,) = RejectedDelivery.objects.all()
    assert (rejected.name, "3 errors" in rejected.reason) == ("january.toy", True)

    imported(toy_file(tmp_path, *TWO))
    assert not RejectedDelivery.objects.exists()


def test_a_delivery_whose_contexts_cannot_be_read_is_a_rejected_delivery(tmp_path):
    path = toy_file(tmp_path, *TWO, name="january.toy.gz")
    path.write_bytes(path.read_bytes()[:-5])

    with pytest.raises(ReportRefused, match="The first: The packed file is cut off"):
        imported(path)

    rejected = RejectedDelivery.objects.get()
    assert rejected.reason == "january.toy.gz: 1 error, nothing is loaded. The first: The packed file is cut off."
    assert [problem.code for problem in rejected.problems.all()] == ["gzip_truncated"]
    assert not DSR.objects.exists()


def test_all_missing_exchange_rates_are_in_one_refusal(tmp_path):
    path = toy_file(tmp_path, "TOY", "= Toybox Free AD ADP", "a 1 1", SPAIN, "a 1 1", "= Toybox Free AF AFN", "a 1 1")
    with pytest.raises(ReportRefused) as refusal:
        imported(path)

    assert [(one.code, one.value, one.context_number) for one in refusal.value.extra["problems"]] == [
        ("exchange_rate_missing", "ADP", 1),
        ("exchange_rate_missing", "AFN", 3),
    ]
    assert "Enter a rate of ADP" in refusal.value.message
    assert "Enter a rate of AFN" in refusal.value.message


def test_warnings_belong_to_their_context(tmp_path):
    imported(toy_file(tmp_path, "TOY", SPAIN, "a 5 1", "a 5 1", "? x", NORWAY, "? y", "a 7 20"))

    found = ReportProblem.objects.values_list("dsr__territory", "code", "line")
    assert sorted(found) == [("ES", "dsp_id_repeated", 3), ("ES", "isrc_invalid", 5), ("NO", "isrc_invalid", 7)]
    assert dict(DSR.objects.values_list("territory", "warning_count")) == {"ES": 2, "NO": 1}


# --- The same delivery again, and another one --------------------------------------------------------------------


def test_the_same_content_again_is_a_no_op(tmp_path):
    first = imported(toy_file(tmp_path, *TWO))
    again = imported(toy_file(tmp_path, *TWO, name="again.toy"))

    assert {one.outcome for one in again.imported} == {Outcome.UNCHANGED}
    assert [one.dsr.pk for one in again.imported] == [one.dsr.pk for one in first.imported]
    assert DSR.objects.count() == 2


def test_one_existing_dsr_keeps_the_whole_delivery_out(tmp_path):
    first = imported(toy_file(tmp_path, "TOY", NORWAY, "z 1 1")).dsr
    with pytest.raises(DSRExists, match=f"DSR {first.pk}") as refusal:
        imported(toy_file(tmp_path, *TWO))
    assert refusal.value.extra["id"] == first.pk
    assert set(ingested()) == {"NO"}

    report = imported(toy_file(tmp_path, *TWO), replace=True)

    assert [one.outcome for one in report.imported] == [Outcome.LOADED, Outcome.REPLACED]
    assert report.outcome == Outcome.REPLACED
    assert ingested() == BOTH


# --- The command, REST and the admin ---------------------------------------------------------------------------


def test_the_command_imports_it_beside_reports(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    toy_file(folder, *TWO)
    write_report(folder, ES_JANUARY, line("t", revenue="9"))
    out = io.StringIO()
    call_command("import_dsr", folder, jobs=1, stdout=out)

    numbers = list(DSR.objects.filter(dsp="Toybox").order_by("id").values_list("pk", flat=True))
    printed = out.getvalue()
    # Columns that the format does not have are not counted as blank.
    assert f"january.toy: loaded as DSR {numbers[0]}: 2 lines, 3 blank" not in printed
    for number, lines in zip(numbers, ("2 lines", "1 line"), strict=True):
        assert f"january.toy: loaded as DSR {number}: {lines}, " in printed
    assert "2 files imported." in printed
    assert DSR.objects.ingested().count() == 3


def test_the_command_refuses_it_with_its_own_codes(tmp_path):
    err = io.StringIO()
    with pytest.raises(CommandError, match="1 of 1 file refused"):
        call_command("import_dsr", toy_file(tmp_path, "TOY", SPAIN, "a b"), jobs=1, stderr=err)
    assert "line 3: toy_not_three_words" in err.getvalue()


def test_rest_imports_it(client, tmp_path):
    client.force_login(user_with("add_dsr"))
    content = toy_file(tmp_path, *TWO).read_bytes()
    response = client.post("/dsrs/", {"file": SimpleUploadedFile("january.toy", content)})

    assert response.status_code == 201
    answer = response.json()
    assert answer["outcome"] == "loaded"
    assert [(one["outcome"], one["dsr"]["territory"]["code_2"], one["line_count"]) for one in answer["dsrs"]] == [
        ("loaded", "ES", 2),
        ("loaded", "NO", 1),
    ]
    again = client.post("/dsrs/", {"file": SimpleUploadedFile("january.toy", content)})
    assert (again.status_code, again.json()["outcome"]) == (200, "unchanged")

    bad = client.post("/dsrs/", {"file": SimpleUploadedFile("bad.toy", b"TOY\n= T F ES EUR\na\n= T F NO NOK\nb 1 1\n")})
    assert bad.status_code == 400
    (problem,) = bad.json()["problems"]
    assert problem.pop("message") == "The toy is broken. Mend it."
    excerpt = {"before": "", "marked": "a", "after": ""}
    assert problem == {"code": "toy_not_three_words", "line": 3, "context_number": 1, "excerpt": excerpt}


def test_the_admin_previews_it_and_imports_it_after_confirmation(admin_client, tmp_path):
    earlier = imported(toy_file(tmp_path, "TOY", NORWAY, "z 1 1")).dsr
    content = toy_file(tmp_path, *TWO).read_bytes()
    file = SimpleUploadedFile("january.toy", content)
    response = admin_client.post(
        "/admin/catalogue/dsr/import/", {"import_file": file, "format": "0", "resource": "0"}, follow=True
    )
    page = response.content.decode()
    for context in (("Toybox", "Free", "ES", "EUR"), ("Toybox", "Free", "NO", "NOK")):
        key = (*context, "2020-01-01 – 2020-01-31")
        assert "".join(f"<td>{value}</td>" for value in key) in page
    assert f"DSR {earlier.pk}</a>" in page
    assert "Replace the earlier deliveries of these reports" in page
    job = ImportJob.objects.get()
    assert job.state == ImportJob.State.CHECKED

    choice = {"upload": job.upload, "job": job.pk, "confirm": "on"}
    admin_client.post("/admin/catalogue/dsr/process_import/", choice)
    assert ingested()["NO"][0] == 1  # The earlier DSR stays, as “Replace” was not ticked.
    assert set(ingested()) == {"NO"}

    admin_client.post("/admin/catalogue/dsr/process_import/", choice | replacing(job))
    job.refresh_from_db()
    numbers = list(DSR.objects.ingested().order_by("id").values_list("pk", flat=True))
    assert (job.state, job.message) == ("done", f"Replaced as DSRs {numbers[0]}, {numbers[1]}.")
    assert ingested() == BOTH


def test_a_replacement_that_was_not_shown_is_not_made(admin_client, tmp_path):
    imported(toy_file(tmp_path, "TOY", NORWAY, "z 1 1"))
    file = SimpleUploadedFile("january.toy", toy_file(tmp_path, *TWO).read_bytes())
    admin_client.post("/admin/catalogue/dsr/import/", {"import_file": file, "format": "0", "resource": "0"})
    imported(toy_file(tmp_path, "TOY", SPAIN, "y 2 2", name="other.toy"))
    job = ImportJob.objects.get()
    admin_client.post(
        "/admin/catalogue/dsr/process_import/",
        {"upload": job.upload, "job": job.pk, "confirm": "on"} | replacing(job),
    )

    job.refresh_from_db()
    assert (job.state, "not the one that was shown" in job.message) == ("refused", True)
    assert {name: found[3][0][0] for name, found in ingested().items()} == {"ES": "y", "NO": "z"}
