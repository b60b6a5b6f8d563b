"""What the columns of a sample look like: which field each one is, and how its numbers and dates are written."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from catalogue.reports.formats.templates.cells.dates import DateReader
from catalogue.reports.formats.templates.cells.territories import (
    currency_codes,
    folded,
    territory_codes,
    territory_names,
)
from catalogue.reports.formats.templates.definition import LANGUAGES, DateForm, Negative, NumberForm, Source

# The headings that senders use, folded, the surest first.
HEADINGS: Mapping[str, tuple[str, ...]] = {
    "dsp": ("store", "platform", "dms/retailer", "dsp", "service", "retailer", "shop", "channel", "partner", "source"),
    "offer": ("offer", "subscription type", "service type", "tier"),
    "territory": ("country of sale", "country / region", "country", "territory", "territory code", "country code"),
    "currency": ("partner share currency", "client payment currency", "currency", "currency code", "payment currency"),
    "period_start": ("start date", "period start", "from", "date from"),
    "period_end": ("end date", "period end", "to", "date to"),
    "period": (
        *("reporting month", "reporting date", "statement period", "period", "month", "sales month", "sale month"),
        *("activity period", "transaction month", "usage month", "date"),
    ),
    "isrc": ("isrc", "isrc/isbn", "isrc code", "track isrc"),
    "icpn": ("upc", "orchard upc", "upc/ean", "ean", "barcode", "icpn", "release upc"),
    "title": ("track title", "track name", "title", "song", "song title", "track", "asset title"),
    "artists": ("artist", "artists", "artist name", "track artist", "artist/show/developer/author", "display artist"),
    "label": ("label", "label name", "asset labels", "label/studio/network/developer/publisher", "imprint"),
    "composers": ("composer", "composers", "writers", "author"),
    "iswc": ("iswc",),
    "use_type": ("sales type", "sale type", "transaction type", "use type", "product type identifier", "format"),
    "transaction_id": ("transaction id", "sale id"),
    "usages": ("quantity", "units", "streams", "plays", "owned views", "views", "usages", "net units", "count"),
    "revenue": (
        *("extended partner share", "label share net receipts", "partner revenue", "net revenue", "net royalty"),
        *("royalty", "earnings", "net receipts", "net amount", "revenue", "amount", "net"),
    ),
}
# Ids of the sender itself, and what stands for one, in this order.
IDS = ("asset id", "apple identifier", "track id", "song id", "resource id", "isrc", "isrc/isbn", "vendor identifier")
IDS_OF_RELEASES = ("upc", "orchard upc", "ean", "barcode")
CURRENCY_IN_HEADING = re.compile(r"\(?\b([A-Z]{3})\b\)?$")
DATE_FORMS = (
    *("YYYY-MM-DD", "YYYYMMDD", "YYYY/MM/DD", "DD/MM/YYYY", "MM/DD/YYYY", "D/M/YYYY", "M/D/YYYY", "DD.MM.YYYY"),
    *("DD-MM-YYYY", "YYYY-MM", "YYYYMM", "YYYY/MM", "MM/YYYY", "MM-YYYY", "MMM-YY", "MMM YYYY", "MMMM YYYY"),
    *("YYYY'M'MM", "YYYY-'Q'Q", "YYYY'Q'Q", "YYYY"),
)
# A number of which the signs are to be found out.
NUMBER = re.compile(r"[-+(−]?[0-9][0-9.,'’ \xa0\u202f]*[0-9]|[-+(−]?[0-9]|[-+(−]?[.,][0-9]+")
GROUP = 3


class Columns:
    """The headings of a sample and the cells under them."""

    def __init__(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.headings = headings
        self._rows = rows

    def cells(self, heading: str) -> list[str]:
        """The cells that are not blank."""
        place = self.headings.index(heading)
        cells = (row[place].strip() for row in self._rows if place < len(row))
        return [cell for cell in cells if cell]

    def named(self, names: Sequence[str]) -> str | None:
        """The heading that is the first of these names, or that is one with a currency behind it."""
        plain = {folded(CURRENCY_IN_HEADING.sub("", heading)): heading for heading in reversed(self.headings)}
        plain |= {folded(heading): heading for heading in reversed(self.headings)}
        return next((plain[name] for name in names if name in plain), None)


def guessed_fields(columns: Columns) -> dict[str, Source]:
    """The fields whose columns have a usual heading."""
    found = {field: heading for field, names in HEADINGS.items() if (heading := columns.named(names)) is not None}
    if {"period_start", "period_end"} <= found.keys():
        found.pop("period", None)
    else:
        found.pop("period_start", None)
        found.pop("period_end", None)
    fields = {field: Source((heading,)) for field, heading in found.items()}
    ids = [columns.named([name]) for name in (*IDS, *IDS_OF_RELEASES)]
    if any(ids):
        fields["dsp_id"] = Source(tuple(dict.fromkeys(heading for heading in ids if heading is not None)))
    if "territory" in fields:
        fields["territory"] = _territory(found["territory"], columns)
    if "currency" not in fields and "revenue" in found and (code := _currency_of(found["revenue"])):
        fields["currency"] = Source(constant=code)
    return fields


def _territory(heading: str, columns: Columns) -> Source:
    """A source of territories with the language in which most of the names are known, unless all are codes."""
    names = {cell for cell in columns.cells(heading) if cell.upper() not in territory_codes()}
    known = {language: len({name for name in names if folded(name) in _names(language)}) for language in LANGUAGES}
    best = max(LANGUAGES, key=lambda language: known[language])
    return Source((heading,), languages=(best,) if known[best] else ())


def _names(language: str) -> Mapping[str, str]:
    return territory_names((language,))


def _currency_of(heading: str) -> str:
    match = CURRENCY_IN_HEADING.search(heading)
    return match[1] if match and match[1] in currency_codes() else ""


class GuessedNumbers(NamedTuple):
    """A form of numbers, and whether the cells leave it open which sign is the decimal one."""

    form: NumberForm
    is_doubtful: bool


def guessed_numbers(cells: Sequence[str]) -> GuessedNumbers:
    """The form in which all of these cells may be numbers."""
    numbers = [match[0] for cell in cells if (match := NUMBER.search(cell))]
    negatives = tuple(
        str(kind)
        for kind, form in ((Negative.TRAILING_MINUS, r"[0-9][-−]"), (Negative.PARENTHESES, r"\([^)]*[0-9]\)"))
        if any(re.fullmatch(f".*{form}", cell) for cell in cells)
    )
    decimal, is_doubtful = _decimal_sign(numbers)
    others = [sign for sign in ".,' " if sign != decimal and any(_is_grouped(number, sign) for number in numbers)]
    return GuessedNumbers(NumberForm(decimal, others[0] if others else "", negatives), is_doubtful)


def _decimal_sign(numbers: Sequence[str]) -> tuple[str, bool]:
    """The decimal sign, and whether it is in doubt: `1,234` may be a thousand, or one and some."""
    votes = {".": 0, ",": 0}
    is_open = False
    for number in numbers:
        signs = re.findall("[.,]", number)
        if not signs:
            continue
        last, behind = signs[-1], len(number) - number.rindex(signs[-1]) - 1
        if len(set(signs)) > 1:
            votes[last] += 1
        elif len(signs) > 1:
            votes["," if last == "." else "."] += 1
        elif behind != GROUP or number.lstrip("-+(−").startswith(("0", ".", ",")):
            votes[last] += 1
        else:
            is_open = True
    if votes["."] == votes[","]:
        return ".", is_open or bool(votes["."])
    return ("," if votes[","] > votes["."] else "."), False


def _is_grouped(number: str, sign: str) -> bool:
    variants = "'’" if sign == "'" else " \xa0\u202f" if sign == " " else sign
    return re.search(rf"[0-9][{re.escape(variants)}][0-9]{{3}}(?![0-9])", number) is not None


class GuessedDates(NamedTuple):
    """Forms of dates, and whether the cells fit others, too, that mean other days."""

    form: DateForm
    is_doubtful: bool


def guessed_dates(cells: Sequence[str], *, is_range: bool) -> GuessedDates:
    """The form that reads all of these cells. Of a single column, a day stands for its month."""
    fitting = [form for form in DATE_FORMS if cells and all(DateReader([form]).days(cell) for cell in cells)]
    if not fitting:
        return GuessedDates(DateForm(), bool(cells))
    meanings = {tuple(DateReader([form]).days(cell) for cell in cells) for form in fitting}
    return GuessedDates(DateForm((fitting[0],), whole_months=not is_range and "D" in fitting[0]), len(meanings) > 1)
