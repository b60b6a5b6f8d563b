"""A file that a template reads becomes a message of several DSRs, with the same guarantees as any other delivery."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.exceptions import (
    DSRExists,
    DSRSuperseded,
    FileNotRecognised,
    InvalidReportName,
    MessageIdReused,
    ReportRefused,
    TemplateAmbiguous,
    TemplateInUse,
)
from catalogue.imports.loading.earlier import Earlier
from catalogue.imports.loading.outcome import Outcome
from catalogue.imports.services import dsr_import
from catalogue.models import (
    DSR,
    RejectedDelivery,
    ReportMessage,
    ReportProblem,
    Resource,
    SupersededMessage,
    UsageLine,
)
from catalogue.report_templates.services import template_activate, template_delete, template_save
from dsrhub.exceptions import ConfirmationOutdated
from tests.catalogue import recipes
from tests.catalogue.helpers import NO_JANUARY, import_report, line
from tests.catalogue.report_templates.helpers import HEADINGS, csv_file, sale
from tests.catalogue.reports.formats.templates.definitions import TONBANK, changed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tonbank():
    return template_save(name="Tonbank", definition=TONBANK)


def imported(path, **options):
    return dsr_import(path=path, name=path.name, **options)


def test_each_store_territory_currency_and_month_becomes_a_dsr(tmp_path, tonbank):
    path = csv_file(
        tmp_path,
        sale(quantity="10", net="1.25"),
        sale("Deezer", "FR", net="0.1"),
        sale(isrc="", upc="5012345678900", title="Two", quantity="2.0", net="0.000001"),
        sale(currency="USD", net="-3"),
        sale(month="2020-02"),
    )

    report = imported(path)

    found = {
        (dsr.dsp, dsr.territory_id, dsr.currency_id, str(dsr.period_end)): (dsr.total_usages, dsr.total_revenue)
        for dsr in DSR.objects.ingested()
    }
    assert found == {
        ("Spotify", "ES", "EUR", "2020-01-31"): (12, Decimal("1.250001")),
        ("Deezer", "FR", "EUR", "2020-01-31"): (1, Decimal("0.1")),
        ("Spotify", "ES", "USD", "2020-01-31"): (1, Decimal(-3)),
        ("Spotify", "ES", "EUR", "2020-02-29"): (1, Decimal("0.5")),
    }
    message = ReportMessage.objects.get()
    assert (message.sender_name, message.profile, message.profile_version) == ("Tonbank", "Tonbank", "1")
    spain = report.imported[0].dsr
    assert (message.template_version, message.message_id) == (tonbank, f"tonbank.csv {spain.sha256[:12]}")
    assert list(UsageLine.objects.of([spain]).values_list("line_number", "dsp_id", "title", "usages", "revenue")) == [
        (2, "ESABC2000001", "One", 10, Decimal("1.25")),
        (3, "5012345678900", "Two", 2, Decimal("0.000001")),
    ]


def totals():
    """The revenue of each ingested DSR, by store and territory."""
    return {(dsr.dsp, dsr.territory_id): dsr.total_revenue for dsr in DSR.objects.ingested()}


SPAIN, FRANCE = sale(net="1"), sale(country="FR", net="2")


def test_the_same_content_again_changes_nothing(tmp_path, tonbank):
    first = imported(csv_file(tmp_path, SPAIN, FRANCE))
    again = imported(csv_file(tmp_path, SPAIN, FRANCE, name="other.csv"))
    assert (first.outcome, again.outcome) == (Outcome.LOADED, Outcome.UNCHANGED)
    assert [one.dsr.pk for one in again.imported] == [one.dsr.pk for one in first.imported]


def test_other_content_under_the_same_keys_replaces_only_if_asked(tmp_path, tonbank):
    imported(csv_file(tmp_path, SPAIN, FRANCE))
    corrected = csv_file(tmp_path, sale(net="1.5"), name="corrected.csv")
    with pytest.raises(DSRExists):
        imported(corrected)
    assert totals() == {("Spotify", "ES"): 1, ("Spotify", "FR"): 2}

    report = imported(corrected, replace=True)

    assert totals() == {("Spotify", "ES"): Decimal("1.5"), ("Spotify", "FR"): 2}
    assert [dsr.territory_id for dsr in report.missing] == ["FR"]
    report = imported(csv_file(tmp_path, sale(net="3")), replace=True, drop_missing=True)
    assert totals() == {("Spotify", "ES"): 3, ("Spotify", "FR"): 2}
    assert (report.outcome, report.missing) == (Outcome.REPLACED, [])


def test_a_context_that_a_replacement_lacks_goes_if_asked(tmp_path, tonbank):
    imported(csv_file(tmp_path, SPAIN, FRANCE))
    imported(csv_file(tmp_path, sale(net="3")), replace=True, drop_missing=True)
    assert totals() == {("Spotify", "ES"): 3}
    assert ReportMessage.objects.count() == 1


def test_another_version_reads_the_same_file_anew_if_asked(tmp_path, tonbank):
    path = csv_file(tmp_path, [*SPAIN[:7], "5", "1"])
    imported(path)
    # The first version took the wrong column for the revenue.
    mended = changed("fields.revenue.columns", ["Quantity"], changed("fields.usages", {"constant": "0"}))
    second = template_save(name="Tonbank", definition=mended, template_number=tonbank.template_id)

    with pytest.raises(MessageIdReused, match="version 1 of template 'Tonbank'"):
        imported(path)
    assert totals() == {("Spotify", "ES"): 1}
    report = imported(path, replace=True)

    assert (report.outcome, totals()) == (Outcome.REPLACED, {("Spotify", "ES"): 5})
    assert ReportMessage.objects.get().template_version == second
    assert SupersededMessage.objects.get().template_version == tonbank
    assert imported(path).outcome == Outcome.UNCHANGED
    # What the first version made of it returns only for that version.
    with pytest.raises(DSRSuperseded):
        imported(path, template=tonbank)
    assert imported(path, template=tonbank, replace=True).outcome == Outcome.REVERTED
    assert totals() == {("Spotify", "ES"): 1}
    with pytest.raises(TemplateInUse):
        template_delete(template_number=tonbank.template_id)


def test_an_error_keeps_everything_out_and_is_told_by_line_and_column(tmp_path, tonbank):
    path = csv_file(tmp_path, SPAIN, sale("Deezer", quantity="1.5"), sale(country="Spain", net="1,5"))
    with pytest.raises(ReportRefused) as refusal:
        imported(path)

    assert not DSR.objects.exists()
    assert not ReportMessage.objects.exists()
    assert [(one.code, one.line, one.column, one.value) for one in refusal.value.extra["problems"]] == [
        ("not_an_integer", 3, "Quantity", "1.5"),
        ("territory_unknown", 4, "Country", "Spain"),
        ("number_form_differs", 4, "Net", "1,5"),
    ]
    kept = ReportProblem.objects.order_by("id").last()
    assert (RejectedDelivery.objects.get().name, kept.rejection.name) == ("tonbank.csv", "tonbank.csv")
    assert kept.excerpt[1] == "1,5"
    imported(csv_file(tmp_path, SPAIN))
    assert not RejectedDelivery.objects.exists()


def test_warnings_stay_with_their_dsrs(tmp_path, tonbank):
    report = imported(csv_file(tmp_path, SPAIN, sale(country="FR", isrc="bad"), sale(isrc="worse")))
    counts = {one.dsr.territory_id: one.dsr.warning_count for one in report.imported}
    assert counts == {"ES": 1, "FR": 1}
    found = ReportProblem.objects.filter(dsr__isnull=False).order_by("id")
    assert [(one.dsr.territory_id, one.code, one.line) for one in found] == [
        ("ES", "isrc_invalid", 4),
        ("FR", "isrc_invalid", 3),
    ]
    alone = imported(csv_file(tmp_path, sale(month="2020-03", isrc="bad"), name="march.csv")).imported[0].dsr
    assert alone.warning_count == len(alone.problems.all())


def test_recordings_of_two_stores_never_mix(tmp_path, tonbank):
    imported(csv_file(tmp_path, sale(title="One"), sale("Deezer", title="Uno")))
    assert set(Resource.objects.values_list("dsp", "dsp_id", "title")) == {
        ("Spotify", "ESABC2000001", "One"),
        ("Deezer", "ESABC2000001", "Uno"),
    }


def test_stores_are_known_under_their_aliases(tmp_path, tonbank):
    recipes.party_alias.make(party_name="Spotify AB", known_as="Spotify")
    report = imported(csv_file(tmp_path, sale("Spotify AB")))
    assert ({*totals()}, [one.code for one in report.problems.kept]) == ({("Spotify", "ES")}, [])
    both = csv_file(tmp_path, sale("Spotify AB", month="2020-02"), sale("Spotify", month="2020-02"))
    with pytest.raises(InvalidReportName, match="two reports of Spotify Tonbank, ES, EUR, 2020-02-01"):
        imported(both)


def test_all_missing_rates_are_told_at_once(tmp_path, tonbank):
    rows = [sale(currency=currency, country=country) for currency in ("XAU", "VED") for country in ("ES", "FR")]
    with pytest.raises(ReportRefused) as refusal:
        imported(csv_file(tmp_path, *rows))
    assert [one.value for one in refusal.value.extra["problems"] if one.is_error] == ["XAU", "VED"]


def test_a_dry_run_keeps_nothing(tmp_path, tonbank):
    report = imported(csv_file(tmp_path, SPAIN, FRANCE), dry_run=True)
    assert (report.outcome, len(report.imported)) == (Outcome.CHECKED, 2)
    assert not DSR.objects.exists()
    assert not ReportMessage.objects.exists()


def test_a_file_that_two_templates_recognise_asks_which(tmp_path, tonbank):
    other = template_save(name="Tonbank 2", definition=changed("fields.offer.constant", "Other"))
    path = csv_file(tmp_path, SPAIN)
    with pytest.raises(TemplateAmbiguous) as error:
        imported(path)
    assert error.value.extra == {"templates": ["Tonbank", "Tonbank 2"]}
    assert not RejectedDelivery.objects.exists()
    assert imported(path, template=other).dsr.offer == "Other"
    # The other template would count the same file once more.
    template_activate(template_number=other.template_id, is_active=False)
    with pytest.raises(MessageIdReused):
        imported(path)


def test_a_file_that_no_template_recognises_is_kept_as_rejected(tmp_path):
    path = tmp_path / "unknown.csv"
    path.write_text("Shop,Amount\na,1\n")
    with pytest.raises(FileNotRecognised, match="no template recognises this file") as error:
        imported(path)
    assert (error.value.code, error.value.extra) == (
        "file_not_recognised",
        {"name": "unknown.csv", "template": None, "missing_columns": []},
    )
    rejected = RejectedDelivery.objects.get()
    assert (rejected.name, rejected.reason) == ("unknown.csv", error.value.text)


def refusal(folder, text, name="unknown.csv"):
    path = folder / name
    path.write_text(text)
    with pytest.raises(FileNotRecognised) as error:
        imported(path)
    extra = error.value.extra
    return str(error.value), extra["template"], extra["missing_columns"]


def test_the_nearest_template_is_named_with_the_columns_that_the_file_has_not(tmp_path, tonbank):
    """It is the one of which the smallest share is missing: neither the first one, nor one that is not active."""
    template_save(name="A far one", definition=changed("recognition.headings", ["Store", "Country", "Month", *"wxyz"]))
    inactive = template_save(name="Inactive", definition=changed("recognition.headings", ["Store", "Quantity"]))
    template_activate(template_number=inactive.template_id, is_active=False)
    headings = TONBANK["recognition"]["headings"]
    kept = headings[:-2]
    text, template, missing = refusal(tmp_path, ",".join([*map(str.upper, kept), "More"]) + "\n")
    assert (template, missing) == ("Tonbank", headings[-2:])
    assert text == (
        "unknown.csv: no template recognises this file. The nearest one is Tonbank, of which these columns are "
        f"missing: {headings[-2]}, {headings[-1]}. Make a template for its sender, or choose one."
    )


def test_a_file_with_all_columns_whose_name_does_not_fit_is_told_the_name(tmp_path):
    template_save(name="Tonbank", definition=changed("recognition.name_pattern", "tonbank_*.csv"))
    assert refusal(tmp_path, ",".join(HEADINGS) + "\n") == (
        "unknown.csv: no template recognises this file. It has the columns of the nearest one, Tonbank, whose files "
        "are named tonbank_*.csv. Choose this template, or make one for the sender.",
        "Tonbank",
        [],
    )


def test_of_two_templates_that_are_as_near_the_one_whose_name_fits_is_named(tmp_path):
    for name, pattern in (("A", "other*"), ("B", "unknown*"), ("C", "other*")):
        data = changed("recognition.headings", ["Store", "Sold"])
        template_save(name=name, definition=data | {"recognition": data["recognition"] | {"name_pattern": pattern}})
    assert refusal(tmp_path, "Store,Net\n")[1:] == ("B", ["Sold"])


def test_the_headings_are_looked_for_in_the_row_that_the_template_says(tmp_path):
    data = changed("recognition.headings", ["Store", "Sold"])
    template_save(name="Third row", definition=data | {"file": {"heading_row": 3}})
    assert refusal(tmp_path, "Sold,Store\n\nStore,Net\n")[1:] == ("Third row", ["Sold"])
    template_save(name="Any row", definition=data | {"file": {"heading_row": None}})
    assert refusal(tmp_path, "Letter\nStore\n\nStore,Net\n")[1:] == ("Any row", ["Sold"])
    assert refusal(tmp_path, "Letter\n")[1:] == (None, [])


def test_a_tsv_of_other_columns_that_is_not_named_like_a_report_is_a_file_of_columns(tmp_path, tonbank):
    assert refusal(tmp_path, "Shop\tAmount\n", "sales.tsv")[1:] == (None, [])
    # The name of a report: its headings are wrong.
    path = tmp_path / NO_JANUARY
    path.write_text("Shop\tAmount\n")
    with pytest.raises(ReportRefused):
        imported(path)


def test_a_tsv_report_stays_one_whatever_templates_say(tmp_path):
    definition = changed("recognition.headings", ["Title", "ISRC"]) | {"file": {"delimiter": "\t"}}
    template_save(name="Broad", definition=definition)
    assert import_report(tmp_path, NO_JANUARY, line("a", revenue="1")).message is None


@pytest.mark.usefixtures("_own_partitions")
def test_large_contexts_get_tables_of_their_own(tmp_path, tonbank):
    rows = [sale(quantity=str(number)) for number in range(50)]
    report = imported(csv_file(tmp_path, *rows, FRANCE))
    spain = report.imported[0].dsr
    assert (spain.partition, spain.line_count, spain.total_usages) == (spain.pk, 50, 1225)
    assert totals()["Spotify", "FR"] == 2


@pytest.fixture
def _own_partitions(settings):
    settings.DSRHUB_SHARED_PARTITION_BYTES = 1000


def test_beyond_so_many_keys_none_is_locked_and_the_database_refuses_a_second_dsr(tmp_path, tonbank, monkeypatch):
    imported(csv_file(tmp_path, SPAIN))
    monkeypatch.setattr("catalogue.imports.loading.keys.MOST_KEYS", 1)
    # As if the other import had ended just now.
    monkeypatch.setattr(
        "catalogue.imports.loading.steps.find_earlier", lambda contexts, message: Earlier([None] * 2, None)
    )
    with pytest.raises(ConfirmationOutdated):
        imported(csv_file(tmp_path, sale(net="9"), FRANCE))
    assert totals() == {("Spotify", "ES"): 1}


def test_the_number_of_queries_does_not_grow_with_the_contexts(tmp_path, tonbank):
    def queries(*rows):
        with CaptureQueriesContext(connection) as captured:
            dsr_import(path=csv_file(tmp_path, *rows), name="a.csv", dry_run=True, and_catalogue=False)
        return len([one for one in captured if "pg_advisory" not in one["sql"]])

    countries = ("ES", "FR", "IT", "PT", "DE", "AT", "BE", "NL", "FI", "IE")
    queries(SPAIN)
    assert queries(*[sale(country=country) for country in countries]) == queries(*[sale()] * 2, FRANCE)
