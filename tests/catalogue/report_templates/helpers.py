"""Files of columns for tests."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

HEADINGS = ("Store", "Country", "Month", "Currency", "ISRC", "UPC", "Title", "Quantity", "Net")


def sale(
    store: str = "Spotify",
    country: str = "ES",
    month: str = "2020-01",
    currency: str = "EUR",
    isrc: str = "ESABC2000001",
    upc: str = "",
    title: str = "One",
    quantity: str = "1",
    net: str = "0.5",
) -> list[str]:
    """A row of sales of the sender Tonbank, of HEADINGS."""
    return [store, country, month, currency, isrc, upc, title, quantity, net]


def csv_text(rows: Iterable[Sequence[str]], headings: Sequence[str] = HEADINGS, delimiter: str = ",") -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(headings)
    writer.writerows(rows)
    return text.getvalue()


def csv_file(folder: Path, *rows: Sequence[str], name: str = "tonbank.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(csv_text(rows).encode(encoding))
    return path
