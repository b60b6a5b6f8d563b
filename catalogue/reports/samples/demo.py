"""The further reports of the demo: what becomes of good deliveries and of bad ones, and files to try.

They have the recordings of the samples in `data/`, and continue their series. As for all samples, the same files are
written on every machine.
"""

import gzip
from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from random import Random
from typing import NamedTuple

from catalogue.reports.samples.markets import MARKETS, SERVICES
from catalogue.reports.samples.messages import message_list
from catalogue.reports.samples.recordings import recording
from catalogue.reports.samples.reports import Sample, sample_write
from catalogue.reports.samples.senders import SENDERS
from catalogue.reports.samples.writing import message_write

# As in data/: so the DSPs have the same recordings there.
SEED, LINES, RECORDINGS = 1, 700, 1400
# A first delivery that lacks most of its lines.
CUT_LINES = 150
FEBRUARY, MARCH, APRIL = (date(2020, month, 1) for month in (2, 3, 4))

Lines = list[list[str]]


class DemoDelivery(NamedTuple):
    """A file to import. `is_correction`: it replaces an earlier file of its name."""

    path: Path
    is_correction: bool = False


def demo_sample(dsp: str, offer: str, territory: str, month: date) -> Sample:
    service = next(one for one in SERVICES if (one.dsp, one.offer) == (dsp, offer))
    return Sample(service, next(one for one in MARKETS if one.territory == territory), month)


FAMILY_IN_SPAIN = [demo_sample("Spotify", "FamilyPlan", "ES", month) for month in (FEBRUARY, MARCH)]
# February never came: the coverage shows the gap.
PREMIUM_IN_THE_US = demo_sample("Deezer", "Premium", "US", MARCH)
DUO_IN_BRITAIN = demo_sample("Spotify", "Duo", "GB", MARCH)
WITH_ERRORS = demo_sample("Spotify", "Duo", "GB", FEBRUARY)
WITH_WARNINGS = demo_sample("Spotify", "Student", "ES", MARCH)
CORRECTED = demo_sample("YouTube", "MusicPremium", "NO", FEBRUARY)
# What arrives in the drop folder, and what a person may put there.
DROPPED = demo_sample("Deezer", "Family", "NO", MARCH)
TO_DROP = demo_sample("Spotify", "FamilyPlan", "ES", APRIL)
TO_DROP_WITH_ERRORS = demo_sample("YouTube", "AdSupported", "CH", MARCH)

NAMELESS = "february_final_version.tsv"
STATEMENT, STATEMENT_TEMPLATE = "believe_statement_2020-03.csv", "Believe"
UNKNOWN_STATEMENT = "nordklang_2020-01.csv"
MESSAGE_SENDER, MESSAGE_CONTEXTS = "AppleMusic", 8


def demo_deliveries(folder: Path) -> Iterator[DemoDelivery]:
    """Write the files to import to subfolders of `folder`, one at each step, in the order of their import."""
    first, later = folder / "first", folder / "later"
    for subfolder in (first, later):
        subfolder.mkdir(parents=True)
    for sample in (*FAMILY_IN_SPAIN, PREMIUM_IN_THE_US, DUO_IN_BRITAIN):
        yield DemoDelivery(_whole(first, sample))
    yield DemoDelivery(_report(first, WITH_WARNINGS, change=_doubt))
    yield DemoDelivery(_report(first, WITH_ERRORS, change=_spoil))
    yield DemoDelivery(_nameless(first))
    yield DemoDelivery(_report(first, CORRECTED, lines=CUT_LINES))
    yield DemoDelivery(_whole(later, CORRECTED), is_correction=True)
    yield DemoDelivery(_message(first))
    yield DemoDelivery(_statement(first / STATEMENT))


def files_to_try(folder: Path) -> None:
    """Write the files that a person may import, and try a template with. Those that are there are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    _whole(folder, TO_DROP)
    _report(folder, TO_DROP_WITH_ERRORS, change=_spoil)
    (folder / UNKNOWN_STATEMENT).write_text(NORDKLANG, "cp1252")


def file_to_drop(folder: Path) -> None:
    """Write a report to a drop folder as programs do: under another name, until it is complete."""
    path = _whole(folder / ".arriving", DROPPED)
    path.rename(folder / path.name)
    path.parent.rmdir()


# --- Reports of one file ---------------------------------------------------------------------------------------


def _whole(folder: Path, sample: Sample) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return sample_write(folder, sample, seed=SEED, lines=LINES, recordings=RECORDINGS)


def _report(
    folder: Path, sample: Sample, *, lines: int = LINES, change: Callable[[Lines], None] = lambda _lines: None
) -> Path:
    """Write the first `lines` lines of a sample, with cells that are changed."""
    path = _whole(folder, sample)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [line.rstrip("\r\n").split("\t") for line in islice(file, lines + 1)]
    change(rows)
    text = "".join("\t".join(row) + "\r\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return path


def _spoil(rows: Lines) -> None:
    """A decimal comma, a word as a number, no id, and a cell too few."""
    rows[12][5] = "42,17"
    rows[345][4] = "unknown"
    rows[402][0] = ""
    del rows[567][5]


def _doubt(rows: Lines) -> None:
    """ISRCs of another form, and the same recording twice: what is imported with a warning."""
    rows[40][3] = "ES-BAD-1"
    rows[41][3] = "unknown"
    rows[101][:4] = rows[100][:4]


def _nameless(folder: Path) -> Path:
    """A report whose name does not say what it is about."""
    path = folder / NAMELESS
    path.write_text("dsp_id\ttitle\tartists\tisrc\tusages\trevenue\r\n")
    return path


# --- A message, and files of columns ---------------------------------------------------------------------------


def _message(folder: Path) -> Path:
    """A DDEX message about several territories and currencies."""
    messages = message_list(len(SENDERS), dsrs=MESSAGE_CONTEXTS)
    message = next(one for one in messages if one.sender.dsp == MESSAGE_SENDER)
    (path,) = message_write(folder, message, seed=SEED, lines=100 * MESSAGE_CONTEXTS)
    return path


HEADINGS = (
    "Reporting month;Sales Month;Platform;Country / Region;Label Name;Artist Name;Release title;Track title;UPC;ISRC;"
    "Sales Type;Quantity;Client Payment Currency;Net Revenue"
)
PLACES = (("Deezer", "Germany"), ("Deezer", "France"), ("YouTube", "Germany"), ("YouTube", "Portugal"))


def _statement(path: Path) -> Path:
    """A statement of a distributor, which a template that ships with dsrhub reads: recordings that Spotify has, too."""
    random = Random(f"{SEED} {path.name}").random  # noqa: S311 - not for security
    month = f"{MARCH:%Y-%m-%d}"
    rows = [HEADINGS]
    for platform, country in PLACES:
        for rank in range(60):
            _dsp_id, title, artists, isrc, _other_isrc = recording(f"{SEED} Spotify", rank)
            quantity = 1 + int(40_000 * random() / (1 + rank))
            cells = (month, month, platform, country, "Harbour Records", artists.replace("|", ", "), title, title, "")
            rows.append(";".join((*cells, isrc, "Streaming", f"{quantity}", "EUR", f"{quantity * 0.0042:.6f}")))
    path.write_text("".join(row + "\n" for row in rows), "utf-8")
    return path


# A statement of a sender that no template knows, with a name that is no territory and a sum at the end.
NORDKLANG = """Verkaufsmonat;Plattform;Land;Währung;Künstler;Titel;ISRC;Anzahl;Netto
2020-01;Spotify;Deutschland;EUR;Björk;Jóga;FRZ039700011;1204;12,345678
2020-01;Spotify;Österreich;EUR;Björk;Hunter;FRZ039700010;80;0,9
2020-01;Deezer;Alpenraum;EUR;Björk;Jóga;FRZ039700011;15;0,07
2020-01;Deezer;Deutschland;EUR;Björk;Bachelorette;FRZ039700013;311;3,02
Summe;;;;;;;1610;16,335678
"""
