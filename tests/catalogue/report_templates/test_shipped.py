"""The templates that ship, each with a file in the manner of its sender, against totals that are worked out apart.

The amounts of a file are whole numbers of its smallest unit. The totals add these up; only the rows of the file have
them as texts.
"""

import csv
import io
import random
from collections import Counter
from importlib import import_module

import pytest
from django.apps import apps
from openpyxl import Workbook

from catalogue.imports.services import dsr_import
from catalogue.models import DSR, ReportMessage, Template
from catalogue.report_templates.services import template_delete, template_import
from catalogue.report_templates.shipped import shipped_documents
from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.templates.definition import definition_json
from catalogue.reports.formats.templates.recognition import FirstRows, is_recognised
from catalogue.reports.formats.templates.validation import definition_checked
from tests.catalogue.reports.formats.templates.reading import read_file

DOCUMENTS = {document["name"]: document["definition"] for document in shipped_documents()}
NAMES = ["Apple", "Believe", "DistroKid", "The Orchard", "The Orchard Europe", "YouTube"]
# Of a random file.
ROWS = 200


def in_units(units, decimals, decimal=".", thousands=""):
    """A whole number of units as a text: 1234567 with 3 decimals is `1234.567`."""
    sign, digits = "-" if units < 0 else "", f"{abs(units):0{decimals + 1}d}"
    whole, part = (digits[:-decimals], digits[-decimals:]) if decimals else (digits, "")
    grouped = f"{int(whole):,}".replace(",", thousands)
    return f"{sign}{grouped}{decimal}{part}" if part else f"{sign}{grouped}"


def text_of(rows, delimiter, quoting=csv.QUOTE_MINIMAL):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=quoting, quotechar='"', escapechar=None).writerows(rows)
    return text.getvalue().encode()


class Sales:
    """Random rows of sales, and their totals by (DSP, territory, currency, first day of the period)."""

    def __init__(self):
        self.random = random.Random(20)  # noqa: S311 - the same rows each time
        self.usages, self.units = Counter(), Counter()

    def row(self, *context, most=10_000):
        usages, units = self.random.randint(-3, 5000), self.random.randint(-10, 1) * most + self.random.randrange(most)
        self.usages[context] += usages
        self.units[context] += units
        return usages, units

    def pick(self, *choices):
        return self.random.choice(choices)

    def isrc(self):
        return f"ESABC20{self.random.randrange(100):05d}"


def apple(folder, sales):
    headings = (
        *("Start Date", "End Date", "UPC", "ISRC/ISBN", "Vendor Identifier", "Quantity", "Partner Share"),
        *("Extended Partner Share", "Partner Share Currency", "Sales or Return", "Apple Identifier"),
        *("Artist/Show/Developer/Author", "Title", "Label/Studio/Network/Developer/Publisher", "Grid"),
        *("Product Type Identifier", "ISAN/Other Identifier", "Country Of Sale", "Customer Price", "Customer Currency"),
    )
    rows = [headings]
    for number in range(ROWS):
        country, currency = sales.pick(("ES", "EUR"), ("FR", "EUR"), ("NO", "NOK"))
        usages, units = sales.row("Apple", country, currency, "2020-01-01", most=100)
        rows.append(
            [
                *("01/01/2020", "01/31/2020", "5012345678900", sales.isrc(), f"V{number}", usages, "0.1"),
                *(in_units(units, 2), currency, "S", number + 1, 'The "Band"', "Song, one", "Label", "", "S", ""),
                *(country, "0.99", currency),
            ]
        )
    rows += [["Total_Rows", ROWS], ["Total_Amount", "1"], ["Total_Units", "1"]]
    rows += [["Country Of Sale", "Partner Share Currency", "Quantity", "Extended Partner Share"], ["ES", "EUR", 1, "1"]]
    path = folder / "S1_0120_ZZ.txt"
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    return path, 2


def believe(folder, sales):
    headings = (
        *("Reporting month", "Sales Month", "Platform", "Country / Region", "Label Name", "Artist Name"),
        *("Release title", "Track title", "UPC", "ISRC", "Release Catalog nb", "Streaming Subscription Type"),
        *("Release type", "Sales Type", "Quantity", "Client Payment Currency", "Unit Price", "Mechanical Fee"),
        *("Gross Revenue", "Client share rate", "Net Revenue"),
    )
    rows = [headings]
    for _ in range(ROWS):
        store, (name, country) = sales.pick("Spotify", "Deezer"), sales.pick(("Spain", "ES"), ("Turkey", "TR"))
        usages, units = sales.row(store, country, "EUR", "2020-02-01", most=10**12)
        month = sales.pick("2020-02-01", "2020/02/01")
        rows.append(
            [
                *(month, "2020-01-01", store, name, "Label; two", "Björk", "Release", "Jóga", "5012345678900"),
                *(sales.isrc(), "C1", "Premium", "Music", "Stream", usages, "EUR", "", "", "", "0.8"),
                in_units(units, 12),
            ]
        )
    path = folder / "1234_2020-02.csv"
    path.write_bytes(text_of(rows, ";", csv.QUOTE_ALL))
    return path, 12


ORCHARD = (
    *("Period", "Activity Period", "DMS", "Territory", "Orchard UPC", "Manufacturer UPC", "Imprint Label"),
    *("Artist Name", "Release Name", "Track Name", "Track Artist", "ISRC", "Trans Type", "Unit Price", "Quantity"),
    *("Label Share Net Receipts", "Preferred Currency"),
)


def orchard_rows(sales, headings, written):
    yield headings
    for _ in range(ROWS):
        store, (name, country) = sales.pick("YouTube", "Spotify"), sales.pick(("Spain", "ES"), ("USA", "US"))
        month, day = sales.pick(("2017M10", "2017-10-01"), ("2017M9", "2017-09-01"))
        usages, units = sales.row(store, country, "EUR", day, most=10**9)
        yield [
            *(month, "2017M8", store, name, "191774000000", "", "Label", "Ana", "Album", "Song", "Ana, Bea"),
            *(sales.isrc(), "S", "", usages, written(units), "EUR"),
        ]


def orchard(folder, sales):
    headings = ["Retailer" if heading == "DMS" else heading for heading in ORCHARD]
    path = folder / "orchard.csv"
    path.write_bytes(text_of(orchard_rows(sales, headings, lambda units: in_units(units, 6)), ","))
    return path, 6


def orchard_workbook(folder, sales):
    book = Workbook()
    # Few digits, so that no double has to be rounded.
    for row in orchard_rows(sales, ORCHARD, lambda units: units / 10**6):
        book.active.append(row)
    path = folder / "orchard.xlsx"
    book.save(path)
    return path, 6


def orchard_europe(folder, sales):
    path = folder / "orchard_europe.csv"
    path.write_bytes(text_of(orchard_rows(sales, ORCHARD, lambda units: in_units(units, 6, ",", ".")), ";"))
    return path, 6


def distrokid(folder, sales):
    headings = (
        *("Reporting Date", "Sale Month", "Store", "Artist", "Title", "ISRC", "UPC", "Quantity", "Team Percentage"),
        *("Song/Album", "Country of Sale", "Songwriter Royalties Withheld", "Earnings (USD)", "Recoup (USD)"),
    )
    rows = [headings]
    for _ in range(ROWS):
        store, country = sales.pick("Spotify", "Apple Music", "Amazon (Streaming)"), sales.pick("US", "GB", "ES")
        usages, units = sales.row(store, country, "USD", "2020-02-01", most=10**10)
        rows.append(
            [
                *("2020-02-14", sales.pick("2020-01", "2019-12"), store, "Ana", '"One"', sales.isrc(), "5012345678900"),
                *(usages, "100", "Song", country, "0", in_units(units, 15), "0"),
            ]
        )
    path = folder / "DistroKid_2020.tsv"
    path.write_text("".join("\t".join(map(str, row)) + "\r\n" for row in rows), newline="")
    return path, 15


def youtube(folder, sales):
    headings = (
        *("Asset ID", "Asset Title", "Asset Labels", "Asset Channel ID", "ISRC", "UPC", "Artist", "Country"),
        *("Owned Views", "Partner Revenue : Auction", "Partner Revenue"),
    )
    rows = [headings]
    for number in range(ROWS):
        country = sales.pick("ES", "US")
        usages, units = sales.row("YouTube", country, "USD", "2020-01-01", most=10**6)
        asset = [f"A{number}", "One", "Label", "", sales.isrc(), "", "Ana|Bea"]
        rows.append([*asset, country, usages, "", in_units(units, 6)])
    path = folder / "YouTube_Tonbank_M_20200101_20200131_music_assets.csv"
    path.write_bytes(text_of(rows, ","))
    return path, 6


FILES = [
    ("Apple", apple),
    ("Believe", believe),
    ("DistroKid", distrokid),
    ("The Orchard", orchard),
    ("The Orchard", orchard_workbook),
    ("The Orchard Europe", orchard_europe),
    ("YouTube", youtube),
]


@pytest.mark.parametrize(("name", "make"), FILES)
def test_a_file_of_a_sender_is_read_to_the_last_digit(tmp_path, name, make):
    sales = Sales()
    path, decimals = make(tmp_path, sales)

    found = read_file(path, DOCUMENTS[name])

    assert found.problems == []
    keys = [(one.dsp, one.territory, one.currency, str(one.period_start)) for one in found.contexts]
    lines = dict(zip(keys, found.lines.values(), strict=True))
    assert {key: sum(int(line["usages"]) for line in of) for key, of in lines.items()} == sales.usages
    assert {key: sum(as_units(line["revenue"], decimals) for line in of) for key, of in lines.items()} == sales.units
    assert sum(map(len, lines.values())) == ROWS


def as_units(plain, decimals):
    """The whole number of units that plain digits are."""
    sign, digits = (-1, plain[1:]) if plain.startswith("-") else (1, plain)
    whole, _, part = digits.partition(".")
    return sign * int(whole + part.ljust(decimals, "0"))


@pytest.mark.parametrize(("name", "make"), FILES)
def test_only_the_template_of_its_sender_recognises_a_file(tmp_path, name, make):
    path, _decimals = make(tmp_path, Sales())
    file = FirstRows(Delivery(path, path.name))
    assert [one for one in NAMES if is_recognised(definition_checked(DOCUMENTS[one]), file)] == [name]


def test_summaries_of_apple_are_refused(tmp_path):
    path, _decimals = apple(tmp_path, Sales())
    path = path.rename(tmp_path / "S2_0120_ZZ.txt")
    file = FirstRows(Delivery(path, path.name))
    assert is_recognised(definition_checked(DOCUMENTS["Apple"]), file)
    assert read_file(path, DOCUMENTS["Apple"]).problems == [("no_sales_file", None, None, "S2_0120_ZZ.txt")]


def test_the_documents_are_written_out_in_full():
    assert list(DOCUMENTS) == NAMES
    assert {name: definition_json(definition_checked(one)) for name, one in DOCUMENTS.items()} == DOCUMENTS


@pytest.mark.django_db
def test_a_new_database_has_them_and_those_of_people_stay():
    migration = import_module("catalogue.migrations.0035_shipped_templates")
    for template in Template.objects.all():
        template_delete(template_number=template.pk)
    own = template_import(document={"dsrhub_template": 1, "name": "Apple", "definition": DOCUMENTS["Believe"]})

    migration.add_shipped_templates(apps, None)

    assert list(Template.objects.values_list("name", flat=True)) == NAMES
    assert Template.objects.get(name="Apple").versions.get() == own
    assert Template.objects.get(name="YouTube").versions.get().definition == DOCUMENTS["YouTube"]


@pytest.mark.django_db(transaction=True)
def test_files_of_all_senders_are_imported_side_by_side(tmp_path):
    for document in shipped_documents():
        if not Template.objects.filter(name=document["name"]).exists():
            template_import(document=document)
    expected = {}
    for name, make in FILES:
        sales = Sales()
        path, decimals = make(tmp_path, sales)
        dsr_import(path=path, name=path.name, and_catalogue=False, replace=True)
        expected |= {(name, *key): (sales.usages[key], units, decimals) for key, units in sales.units.items()}

    dsrs = DSR.objects.ingested().select_related("message")
    found = {
        (dsr.message.profile, dsr.dsp, dsr.territory_id, dsr.currency_id, str(dsr.period_start)): dsr for dsr in dsrs
    }
    assert found.keys() == expected.keys()
    for key, (usages, units, decimals) in expected.items():
        assert (found[key].total_usages, found[key].total_revenue.scaleb(decimals)) == (usages, units)
    assert ReportMessage.objects.count() == len(NAMES)
