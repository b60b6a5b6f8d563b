"""Walks: tasks that people do in the admin, from the start page to the end, by what they see.

Each walk counts its clicks, and no task may need more than six. A button that is pressed with Enter is a click too.
Typing, the keys that lead to a field, and choosing from a list are none.
"""

import gettext
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as product
from openpyxl import load_workbook
from playwright.sync_api import Locator, Page, expect

from catalogue.models import DSR
from catalogue.resources.services import catalogue_refresh
from tests.browser import signed_in
from tests.catalogue.helpers import import_report, line, write_report
from tests.subscriptions.helpers import add, event, forget_everything, subscribe

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MOST_CLICKS = 6
DATA = product.BASE_DIR / "data"


class Person:
    """Somebody who uses a page with a mouse and a keyboard, and counts the clicks."""

    def __init__(self, page: Page) -> None:
        self.page, self.main, self.clicks = page, page.get_by_role("main"), 0

    def click(self, seen: Locator) -> None:
        self.clicks += 1
        seen.click()

    def open_page(self, label: str) -> None:
        """Click a page of the navigation."""
        self.click(self.page.locator("#nav-sidebar").get_by_role("link", name=label, exact=True))

    def follow(self, label: str) -> None:
        """Click the first link with this text in the page."""
        self.click(self.main.get_by_role("link", name=label, exact=True).first)

    def press(self, label: str) -> None:
        self.click(self.main.get_by_role("button", name=label, exact=True))

    def press_enter(self) -> None:
        self.clicks += 1
        self.page.keyboard.press("Enter")

    def tick(self, label: str) -> None:
        self.click(self.main.get_by_role("checkbox", name=label))

    def field(self, label: str) -> Locator:
        """The field with this label, behind which some forms have a colon, and a space before it in French."""
        return self.main.get_by_label(re.compile(rf"^{re.escape(label)}\s?:?$"))

    def choose_files(self, label: str, *paths: Path) -> None:
        with self.page.expect_file_chooser() as chooser:
            self.click(self.field(label))
        chooser.value.set_files(paths)

    def fill(self, label: str, text: str) -> None:
        self.field(label).fill(text)

    def choose(self, label: str, option: str) -> None:
        self.main.get_by_role("combobox", name=label, exact=True).select_option(option)

    def download(self, label: str) -> BytesIO:
        """Click a link to a file. Return what is in the file."""
        with self.page.expect_download() as download:
            self.follow(label)
        return BytesIO(download.value.path().read_bytes())

    def sees(self, *texts: str) -> None:
        for text in texts:
            expect(self.main.get_by_text(text).filter(visible=True).first).to_be_visible()

    def sees_row(self, heading: str, *cells: str) -> None:
        """The page has a row with this heading and these cells."""
        row = self.main.get_by_role("row").filter(has=self.page.get_by_role("rowheader", name=heading, exact=True))
        expect(row.first.get_by_role("cell")).to_have_text(list(cells))


Walk = Callable[..., Any]


@pytest.fixture
def walk(live_server: Any, page: Page, admin_user: Any, settings: Any, tmp_path: Path) -> Walk:
    """A context: a person on the start page, who takes as many clicks as it says."""
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"
    start = f"{live_server.url}/admin/"

    @contextmanager
    def walked(*, clicks: int, title: str = "Digital Sales Reports") -> Iterator[Person]:
        person = Person(signed_in(page, start, title))
        yield person
        assert person.clicks == clicks <= MOST_CLICKS

    return walked


# --- Importing -------------------------------------------------------------------------------------------------

SPAIN, JAPAN = (
    "Spotify_FamilyPlan_ES_EUR_20200101-20200131.tsv.gz",
    "Spotify_AdSupported_JP_JPY_20200201-20200229.tsv.gz",
)
NORWAY = "Spotify_Duo_NO_NOK_20200101-20200131.tsv"
BAD = "Spotify_Free_NO_NOK_20200101-20200131.tsv"
KOSOVO = "Spotify_Duo_XK_ALL_20200101-20200131.tsv"


@pytest.fixture
def _deliveries(tmp_path: Path) -> None:
    """A report of 2 lines that is imported, and three files that wait to be uploaded."""
    import_report(tmp_path, NORWAY, line("a", usages="10", revenue="40"), line("b", usages="5", revenue="20"))
    write_report(tmp_path, NORWAY, line("a", usages="12", revenue="50.5"))
    write_report(tmp_path, BAD, line("a", usages="3", revenue="1"), line("b", usages="many", revenue="2"))
    write_report(tmp_path, KOSOVO, line("a", usages="1", revenue="243"))


@pytest.mark.usefixtures("_deliveries")
def test_people_import_files(walk: Walk, tmp_path: Path) -> None:
    def upload(person: Person, *paths: Path) -> None:
        person.open_page("Import reports")
        person.choose_files("Files", *paths)
        person.press("Upload and check")

    with walk(clicks=4) as person:  # Two files
        upload(person, DATA / SPAIN, DATA / JAPAN)
        person.sees("To be confirmed", SPAIN, JAPAN, "349,182.43")
        person.press("Confirm import")
        expect(person.page.get_by_role("link", name="Show DSR")).to_have_count(2)
        person.sees("Done")

    with walk(clicks=3) as person:  # A file with an error
        upload(person, tmp_path / BAD)
        person.sees("Refused", "The cell must have a number, and has something else.", "1 error")
        expect(person.page.get_by_role("mark")).to_have_text("many")

    with walk(clicks=5) as person:  # A replacement
        upload(person, tmp_path / NORWAY)
        person.sees(f"An earlier delivery of this report exists: {NORWAY}")
        person.sees_row("lines", "2", "1", "-1")
        person.sees_row("usages", "15", "12", "-3")
        person.sees_row("revenue", "60.00 NOK", "50.50 NOK", "-9.50 NOK")
        person.tick("Replace DSR")
        person.press("Confirm import")
        person.sees("Done")

    with walk(clicks=6) as person:  # A missing rate
        upload(person, tmp_path / KOSOVO)
        person.follow("Enter the rate of ALL from 2020-01-01 to 2020-01-31")
        expect(person.page.get_by_role("combobox", name="ALL – ")).to_be_visible()
        expect(person.field("Period start")).to_have_value("2020-01-01")
        expect(person.field("Period end")).to_have_value("2020-01-31")
        person.fill("Rate", "121.5")
        person.press_enter()
        person.sees("To be confirmed", "121.500000")
        person.press("Confirm import")
        person.sees("Done")


# --- Recordings and questions ----------------------------------------------------------------------------------

ES_JANUARY, ES_FEBRUARY = (f"Spotify_Duo_ES_EUR_{days}.tsv" for days in ("20200101-20200131", "20200201-20200229"))
ISRC = "ESABC2000001"
KEYS = ("dsp", "dsp_id", "title", "artists", "isrc")


@pytest.fixture
def reports(tmp_path: Path) -> tuple[DSR, DSR]:
    """The DSRs of Spain, in which a earns 40, b 10 + 25, and c 25 of 100 euros.

    In France, a earns 15 at Spotify, and the same recording 5 at Deezer, whose February is missing.
    """
    heart = {"title": "Cœur brisé", "artists": "Zoé", "isrc": ISRC}
    january = import_report(
        tmp_path,
        ES_JANUARY,
        line("a", **heart, usages="4", revenue="40"),
        line("b", "Dawn", usages="1", revenue="10"),
        line("c", "Sol", usages="2", revenue="25"),
    )
    february = import_report(tmp_path, ES_FEBRUARY, line("b", "Dawn", usages="3", revenue="25"))
    import_report(tmp_path, "Spotify_Duo_FR_EUR_20200101-20200131.tsv", line("a", **heart, usages="2", revenue="15"))
    for days, revenue in (("20200101-20200131", "5"), ("20200301-20200331", "")):
        import_report(tmp_path, f"Deezer_Free_FR_EUR_{days}.tsv", line("d", **heart, usages="1", revenue=revenue))
    catalogue_refresh()
    return january, february


def test_people_ask_about_recordings(walk: Walk, reports: tuple[DSR, DSR]) -> None:
    january, february = reports
    with walk(clicks=2) as person:  # Find a recording, and its earnings by territory
        person.page.keyboard.press("/")
        person.page.keyboard.type("coeur brise")
        person.press_enter()
        person.follow("Cœur brisé")
        expect(person.page.get_by_role("heading", level=1)).to_have_text("Cœur brisé")
        person.sees_row("ES", "4", "40.00")
        person.sees_row("FR", "2", "15.00")
        person.sees_row("Total", "6", "55.00")
        person.sees_row("Cœur brisé", "Deezer", "2", "5.00")

    with walk(clicks=2) as person:  # January against February
        person.open_page("Comparison")
        person.fill("Month, quarter or year", "2020-02")
        person.fill("Compared with", "2020-01")
        person.press("Show")
        person.sees_row("ES", "7", "3", "-4", "-57.14", "75.00", "25.00", "-50.00", "-66.67", "")

    with walk(clicks=3) as person:  # The top 50 % of Spain as a spreadsheet
        person.open_page("Top recordings")
        person.choose("Territory", "ES")
        person.fill("Top N %", "50")
        person.press("Show")
        person.sees_row("Cœur brisé", "1", "Zoé", ISRC, "Spotify", "4", "40.00", "40.00")
        person.sees_row("Dawn", "2", "–", "–", "Spotify", "4", "35.00", "75.00")
        sheet = load_workbook(person.download("Export XLSX")).worksheets[0]
        assert list(sheet.values) == [
            ("rank", *KEYS, "usages", "revenue_eur", "dsrs", "revenue_eur_exact"),
            (1, "Spotify", "a", "Cœur brisé", "Zoé", ISRC, 4, 40, str(january.pk), "40"),
            (2, "Spotify", "b", "Dawn", None, None, 4, 35, f"{january.pk}|{february.pk}", "35"),
        ]

    with walk(clicks=3) as person:  # A gap
        person.open_page("Coverage")
        person.fill("From", "2020-01")
        person.fill("To (inclusive)", "2020-03")
        person.press("Show")
        person.sees_row("Deezer Free", "FR", "EUR", "ingested", "missing", "ingested")
        person.follow("missing")
        expect(person.field("Files")).to_be_visible()

    with walk(clicks=5) as person:  # Delete a DSR, and take it back
        person.follow(ES_JANUARY)
        person.follow("Delete")
        person.press("Yes, I’m sure")
        person.sees(f"The DSR “{ES_JANUARY}” was deleted successfully.")
        person.follow("Take the DSR back")
        person.sees(ES_JANUARY, "75.00 EUR", "nothing")
        person.press("Revert")
        person.sees("1 DSR has returned.")
        expect(person.page.get_by_role("heading", level=1)).to_have_text("View DSR")


# --- Usage -----------------------------------------------------------------------------------------------------


@pytest.fixture
def subscription(transactional_db: None) -> Iterator[Any]:
    """A subscription with usage on 5 and 6 January, and another with less."""
    someone, other = subscribe(2)
    add(event(someone, 5, "9.25", 2000), event(someone, 6, "1.5", 48), event(other, 6, "3", 1000))
    yield someone
    forget_everything()


def test_people_ask_about_usage(subscription: Any, walk: Walk) -> None:
    with walk(clicks=3) as person:  # Over a limit
        person.open_page("Over a price limit")
        person.fill("Price limit", "10")
        person.fill("From", "2026-01-01")
        person.fill("To (inclusive)", "2026-01-31")
        person.press("Show")
        person.sees_row(str(subscription.pk), "Data", "10.75", "0.75", "7.50")
        person.follow(str(subscription.pk))
        person.sees("the limit of 10 is reached since 2026-01-06")

    with walk(clicks=2) as person:  # Usage by day
        person.open_page("Usage")
        person.fill("From", "2026-01-05")
        person.fill("To (inclusive)", "2026-01-06")
        person.press("Show")
        person.sees_row("2026-01-05", "9.25", "2,000", "1")
        person.sees_row("2026-01-06", "4.50", "1,048", "2")
        person.sees_row("Total", "13.75", "3,048", "")


# --- In other languages ----------------------------------------------------------------------------------------

WORDS = (
    ("Digital Sales Reports", "Informes de ventas digitales", "Rapports de ventes numériques"),
    ("Import reports", "Importar informes", "Importer des rapports"),
    ("Files", "Archivos", "Fichiers"),
    ("Upload and check", "Subir y comprobar", "Téléverser et vérifier"),
    ("Confirm import", "Confirmar la importación", "Confirmer l'importation"),
    ("Done", "Terminado", "Terminé"),
    ("Usage", "Consumo", "Consommation"),
    ("From", "Desde", "Début"),
    ("To (inclusive)", "Hasta (incluido)", "Fin (incluse)"),
    ("Show", "Mostrar", "Afficher"),
    ("Total", "Total", "Total"),
)


@pytest.mark.parametrize(("locale", "column"), [("es-ES", 1), ("fr-FR", 2)])
@pytest.mark.usefixtures("subscription")
def test_people_walk_in_their_language(walk: Walk, locale: str, column: int) -> None:
    words = {row[0]: row[column] for row in WORDS}
    translated = gettext.translation("django", product.BASE_DIR / "dsrhub" / "locale", [locale[:2]]).gettext
    assert words == {english: translated(english) for english in words}

    with walk(clicks=4, title=words["Digital Sales Reports"]) as person:
        person.open_page(words["Import reports"])
        person.choose_files(words["Files"], DATA / SPAIN, DATA / JAPAN)
        person.press(words["Upload and check"])
        person.press(words["Confirm import"])
        person.sees(words["Done"])

    with walk(clicks=2, title=words["Digital Sales Reports"]) as person:
        person.open_page(words["Usage"])
        person.fill(words["From"], "2026-01-05")
        person.fill(words["To (inclusive)"], "2026-01-06")
        person.press(words["Show"])
        person.sees_row("2026-01-06", "4,50", "1 048", "2")
        person.sees_row(words["Total"], "13,75", "3 048", "")
