"""A slow and exact reader of Basic Audio messages, with which tests compare the product.

It imports nothing of the product. It reads whole files, one line and one character at a time, and calculates with
fractions. It expects a message without errors: it says what a correct message means, not what is wrong with others.
"""

import calendar
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from math import floor

# How many cells a record with texts of titles and names has, by its type and version.
WIDTHS = {"RE01": 15, "RE01.02": 16, "RE01.03": 17, "AS01": 11, "AS01.01": 12, "AS01.02": 14, "AS01.03": 15}
WIDTHS |= {"AS02": 20, "AS02.01": 21, "AS02.02": 22, "AS02.03": 24, "AS02.04": 25}
WIDTHS |= {"MW01": 15, "MW01.01": 16, "MW01.02": 19, "MW01.03": 19}
WIDTHS |= {"SR01": 41, "SR01.01": 43, "SR02": 36, "SR02.01": 39}

# The last cell that such a record must have.
LAST_MANDATORY = {"RE01": 10, "AS01": 11, "AS02": 11, "MW01": 5, "SR01": 37, "SR02": 35}

# In this order, an escape and what it stands for.
ESCAPES = [("\\\\\\", "\\"), ("\\\\|", "|"), ("\\\\", "\\"), ("\\|", "|"), ("\\\t", " ")]

# The territories of the tests, as messages write them. The numbers are those of ISO 3166-1 without leading zeros.
TERRITORIES = {"Worldwide": "WW", "2136": "WW", "4": "AF", "752": "SE", "826": "GB", "840": "US"}
TERRITORIES |= {"ES-CE": "ES", "ES-CN": "ES", "ES-ML": "ES"}


@dataclass
class Line:
    """A sales line. `revenue` is None where nothing can be allocated."""

    dsp_id: str
    title: str | None
    # As one text, and as delivered.
    artists: str | None
    display_artist: str | None
    isrcs: list[str]
    usages: int
    use_type: str | None
    is_royalty_bearing: bool | None
    returns: int | None
    transaction_id: str | None
    is_release: bool
    iswc: str | None
    composers: list[str]
    label: str | None
    icpn: str | None
    revenue: Fraction | None = None


@dataclass
class Context:
    """A sales context with its lines, in the order of the message."""

    dsp: str
    offer: str
    society: str | None
    territory: str
    currency: str
    period_start: date
    period_end: date
    commercial_model: str
    use_type: str | None
    subscriber_type: str | None
    declared_usages: Fraction | None
    declared_revenue: Fraction | None
    # The digits behind the decimal point of the declared revenue, as it was delivered.
    decimals: int
    subscribers: Fraction | None
    lines: list[Line] = field(default_factory=list)
    unallocated: Fraction | None = None

    def usages_by_use_type(self) -> dict[str | None, int]:
        sums: dict[str | None, int] = {}
        for line in self.lines:
            use_type = line.use_type or self.use_type
            sums[use_type] = sums.get(use_type, 0) + line.usages
        return sums


def read_message(files: Sequence[bytes]) -> dict[str, Context]:
    """The contexts of a message by their summary ids."""
    records = [_records(content.decode()) for content in files]
    contexts = _contexts(records[0])
    for of_file in records:
        _add_lines(of_file, contexts)
    for context in contexts.values():
        allocate(context)
    return contexts


def _contexts(records: list[list]) -> dict[str, Context]:
    """Of the summaries of one file: all files of a message have the same ones."""
    head = records[0]
    contexts: dict[str, Context] = {}
    for families in (("SY01", "SY02", "SY03", "SY12"), ("SY04",)):
        for record in records:
            if record[1][:4] in families:
                contexts.setdefault(_value(record, 2), _context(head, record))
    return contexts


def _add_lines(records: list[list], contexts: dict[str, Context]) -> None:
    blocks: dict[str, list] = {}
    for record in records:
        if record[1][:2] in ("RE", "AS", "MW", "SU"):
            blocks.setdefault(_value(record, 2), []).append(record)
        elif record[1][:3] == "SR0":
            contexts[_value(record, 2)].lines.append(_single_record_line(record))
    for block in blocks.values():
        for record in block:
            if record[1][:2] == "SU":
                contexts[_value(record, 3)].lines.append(_block_line(record, block))


def allocate(context: Context) -> None:
    """Give each line its part of the declared revenue, and the context what is left."""
    revenue, declared = context.declared_revenue, context.declared_usages
    if revenue is None or (revenue and not declared):
        context.unallocated = revenue
        return
    declared = declared or 1  # Nothing is allocated to usages of which none were declared.
    scale = 10 ** max(12, context.decimals)
    for line in context.lines:
        line.revenue = Fraction(floor(revenue * line.usages / declared * scale), scale)
    usages = sum(line.usages for line in context.lines)
    found = Fraction(floor(revenue * usages / declared * scale), scale)
    if context.lines:
        largest = max(context.lines, key=lambda line: line.usages)  # The first of several.
        largest.revenue += found - sum(line.revenue for line in context.lines)
    context.unallocated = revenue - found


# Records


def _records(text: str) -> list[list]:
    """The records of a file. Their cells are lists of values, and count from 1."""
    lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
    return [_record(line) for line in lines if line.strip("\t ") and not line.startswith("#")]


def _record(line: str) -> list:
    """Cells by their numbers: cell 0 is unused, cell 1 is the type, the others are lists of values."""
    cells = _cells(line, tabs_are_escaped=True)
    plain = _cells(line, tabs_are_escaped=False)
    kind = "".join(cells[0]).strip(" ")
    if len(cells) < LAST_MANDATORY.get(kind[:4], 0) or len(plain) == WIDTHS.get(kind):
        cells = plain
    return [None, kind, *cells[1:]]


def _cells(line: str, *, tabs_are_escaped: bool) -> list[list[str]]:
    """The values of each cell of a line, without escapes."""
    cells = [[""]]
    while line:
        for escape, text in ESCAPES:
            if line.startswith(escape) and (tabs_are_escaped or escape != "\\\t"):
                cells[-1][-1] += text
                line = line[len(escape) :]
                break
        else:
            if line[0] == "\t":
                cells.append([""])
            elif line[0] == "|":
                cells[-1].append("")
            else:
                cells[-1][-1] += line[0]
            line = line[1:]
    return cells


def _values(record: list, number: int) -> list[str]:
    """The values of a cell that are not blank."""
    cell = record[number] if number < len(record) else []
    values = [value.strip(" ") for value in cell]
    return [value for value in values if value not in ("", "#unknown#")]


def _value(record: list, number: int) -> str | None:
    """The text of a cell of one value. A separator in it is a character like others."""
    cell = record[number] if number < len(record) else []
    text = "|".join(cell).strip(" ")
    return None if text in ("", "#unknown#") else text


def _number(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text + "0" if text.endswith(".") else text)


def _whole(text: str | None) -> int | None:
    if text is None:
        return None
    number = _number(text)
    assert number.denominator == 1
    return number.numerator


def _boolean(text: str | None) -> bool | None:
    return None if text is None else {"true": True, "false": False}[text.lower()]


# Contexts


def _context(head: list, record: list) -> Context:
    if record[1].startswith("SY04"):
        subscriber_type, subscribers, usages, currency, revenue = 9, 10, 14, 15, 19
    else:
        subscriber_type, subscribers, usages, currency, revenue = None, 10, 9, 11, 12
        if record[1].startswith("SY03"):
            subscriber_type = 23
    territory = _value(record, 7)
    return Context(
        dsp=_value(record, 3) or _value(head, 12),
        offer=_value(record, 8) or _value(head, 13),
        society=_value(head, 15),
        territory=TERRITORIES.get(territory, territory.upper()),
        currency=_value(record, currency).upper(),
        period_start=_first_day(_value(head, 9)),
        period_end=_last_day(_value(head, 10)),
        commercial_model=_value(record, 5),
        use_type=_value(record, 6),
        subscriber_type=subscriber_type and _value(record, subscriber_type),
        declared_usages=_number(_value(record, usages)),
        declared_revenue=_number(_value(record, revenue)),
        decimals=len((_value(record, revenue) or "").partition(".")[2]),
        subscribers=_number(_value(record, subscribers)),
    )


def _first_day(text: str) -> date:
    year, month, day = _date_parts(text)
    return date(year, month or 1, day or 1)


def _last_day(text: str) -> date:
    year, month, day = _date_parts(text)
    return date(year, month or 12, day or calendar.monthrange(year, month or 12)[1])


def _date_parts(text: str) -> tuple[int, int, int]:
    """Year, month and day, with or without hyphens. A month or a day that is not said is 0."""
    digits = text.replace("-", "").ljust(8, "0")
    return int(digits[:4]), int(digits[4:6]), int(digits[6:])


# Lines


def _block_line(record: list, block: list) -> Line:
    is_download = record[1][:4] == "SU01"
    releases, parts, resources = (
        {_value(other, 3): other for other in block if other[1][:4] in families}
        for families in (("RE01", "RE04"), ("RE02",), ("AS01", "AS02", "AS05", "AS06"))
    )
    whole = next(iter(releases.values()), [])
    common = {
        "usages": _whole(_value(record, 9 if is_download else 8)),
        "use_type": _value(record, 13 if is_download else 11),
        "is_royalty_bearing": _boolean(_value(record, 7)),
        "returns": _whole(_value(record, 10)) if is_download else None,
        "transaction_id": _value(record, 4),
        "label": _value(whole, 13),
        "icpn": _value(whole, 7),
    }
    resource, release = _value(record, 6), _value(record, 5)
    if resource is None and release in parts and len(_values(parts[release], 6)) == 1:
        [resource] = _values(parts[release], 6)
    if resource is not None:
        described = resources[resource]
        works = _works(resource, block)
        if described[1][:4] in ("AS02", "AS06"):
            works.insert(0, (_value(described, 12), _names(described, 13)))
        return Line(
            dsp_id=_value(described, 4),
            title=_value(described, 6),
            artists=_artists(_value(described, 8)),
            display_artist=_value(described, 8),
            isrcs=[_isrc(isrc) for isrc in _values(described, 5)],
            is_release=False,
            iswc=next((iswc for iswc, _ in works if iswc), None),
            composers=next((composers for _, composers in works if composers), []),
            **common,
        )
    return Line(
        dsp_id=_value(releases[release] if release in releases else parts[release], 4),
        title=_value(whole, 10),
        artists=_artists(_value(whole, 8)),
        display_artist=_value(whole, 8),
        isrcs=[],
        is_release=True,
        iswc=None,
        composers=[],
        **common,
    )


def _works(resource: str, block: list) -> list[tuple[str | None, list[str]]]:
    """The ISWC and the composers of each work of a resource: it is named, or stands above its works."""
    works, above = [], None
    for record in block:
        if record[1][:2] == "AS":
            above = _value(record, 3)
        elif record[1][:2] == "MW" and (_value(record, 17) or above) == resource:
            works.append((_value(record, 4), _names(record, 7)))
    return works


def _single_record_line(record: list) -> Line:
    is_download = record[1][:4] == "SR01"
    return Line(
        dsp_id=_value(record, 3),
        title=_value(record, 5),
        artists=_artists(_value(record, 7)),
        display_artist=_value(record, 7),
        isrcs=[_isrc(isrc) for isrc in _values(record, 4)],
        usages=_whole(_value(record, 37 if is_download else 35)),
        use_type=_value(record, 43 if is_download else 38),
        is_royalty_bearing=_boolean(_value(record, 35 if is_download else 34)),
        returns=_whole(_value(record, 38)) if is_download else None,
        transaction_id=_value(record, 34 if is_download else 33),
        is_release=False,
        iswc=_value(record, 12),
        composers=_names(record, 13),
        label=_value(record, 30),
        icpn=_value(record, 24),
    )


def _names(record: list, number: int) -> list[str]:
    return [name for name in map(_artists, _values(record, number)) if name]


def _artists(text: str | None) -> str | None:
    """A display artist is one text: its `|` must not look like the separator of several artists."""
    return text and (" / ".join(part.strip() for part in text.split("|") if part.strip()) or None)


def _isrc(text: str) -> str:
    """An ISRC in capitals without hyphens; what is no ISRC, as delivered."""
    plain = text.upper().replace("-", "").replace(" ", "").removeprefix("ISRC")
    return plain if re.fullmatch("[A-Z]{2}[A-Z0-9]{3}[0-9]{7}", plain) else text


def first_isrc(isrcs: Sequence[str]) -> str | None:
    """The first well-formed one, or else the first one."""
    formed = [isrc for isrc in isrcs if re.fullmatch("[A-Z]{2}[A-Z0-9]{3}[0-9]{7}", isrc)]
    return next(iter([*formed, *isrcs]), None)
