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

# How many cells a record has, by its type and version. Other versions are not in use in Basic Audio.
WIDTHS = {
    **{"HEAD": 16, "FOOT": 6, "SRFO": 3},
    **{"SY01": 13, "SY01.01": 15, "SY01.02": 15, "SY01.03": 18},
    **{"SY02": 17, "SY02.01": 18, "SY02.02": 22, "SY02.03": 22},
    **{"SY03": 22, "SY03.01": 23, "SY03.02": 23, "SY12": 17, "SY12.01": 17},
    **{"SY04": 19, "SY04.01": 20, "SY04.02": 20, "SY04.03": 20},
    **{"RE01": 15, "RE01.02": 16, "RE01.03": 17, "RE02": 6},
    **{"AS01": 11, "AS01.01": 12, "AS01.02": 14, "AS01.03": 15},
    **{"AS02": 20, "AS02.01": 21, "AS02.02": 22, "AS02.03": 24, "AS02.04": 25},
    **{"MW01": 15, "MW01.01": 16, "MW01.02": 19, "MW01.03": 19},
    **{"SU01": 12, "SU01.02": 13, "SU01.03": 13, "SU02": 10, "SU02.02": 11, "SU02.03": 12},
    **{"SR01": 41, "SR01.01": 43, "SR01.02": 43, "SR02": 36, "SR02.01": 39, "SR02.02": 39},
}

# The cell that a record must have at least, by its type.
LAST_MANDATORY = {"HEAD": 12, "SY01": 12, "SY02": 12, "SY03": 12, "SY12": 12, "SY04": 19, "RE01": 4, "RE02": 6}
LAST_MANDATORY |= {"AS01": 6, "AS02": 6, "MW01": 3, "SU01": 9, "SU02": 8, "SR01": 37, "SR02": 35}

# The territories of the tests, as messages write them. The numbers are those of ISO 3166-1 without leading zeros.
TERRITORIES = {"Worldwide": "WW", "2136": "WW", "4": "AF", "752": "SE", "826": "GB", "840": "US"}
TERRITORIES |= {"ES-CE": "ES", "ES-CN": "ES", "ES-ML": "ES"}


@dataclass
class Line:
    """A sales line. `revenue` is None where nothing can be allocated."""

    dsp_id: str
    title: str | None
    artists: str | None
    isrcs: list[str]
    usages: int
    use_type: str | None
    is_royalty_bearing: bool | None
    returns: int | None
    transaction_id: str | None
    is_release: bool
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
            sums[line.use_type] = sums.get(line.use_type, 0) + line.usages
        return sums


def read_message(files: Sequence[bytes]) -> dict[str, Context]:
    """The contexts of a message by their summary ids, in the order of the first file's summaries."""
    records = [_records(content.decode()) for content in files]
    head = records[0][0]
    contexts: dict[str, Context] = {}
    for record in records[0]:
        if record[1][:4] in ("SY01", "SY02", "SY03", "SY12"):
            contexts[_value(record, 2)] = _context(head, record)
    for record in records[0]:
        if record[1][:4] == "SY04" and _value(record, 2) not in contexts:
            contexts[_value(record, 2)] = _context(head, record)
    for of_file in records:
        blocks: dict[str, list] = {}
        for record in of_file:
            kind = record[1][:4]
            if kind in ("RE01", "RE02", "AS01", "AS02", "SU01", "SU02"):
                blocks.setdefault(_value(record, 2), []).append(record)
            elif kind in ("SR01", "SR02"):
                contexts[_value(record, 2)].lines.append(_single_record_line(record, contexts))
        for block in blocks.values():
            for record in block:
                if record[1][:2] == "SU":
                    contexts[_value(record, 3)].lines.append(_block_line(record, block, contexts))
    for context in contexts.values():
        allocate(context)
    return contexts


def allocate(context: Context) -> None:
    """Give each line its part of the declared revenue, and the context what is left."""
    revenue, declared = context.declared_revenue, context.declared_usages
    if revenue is None or not declared:
        context.unallocated = revenue
        return
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
    text = text.removeprefix("\ufeff")
    records = []
    for line in text.split("\n"):
        line = line.removesuffix("\r")
        if line.strip("\t ") and not line.startswith("#"):
            records.append(_record(line))
    return records


def _record(line: str) -> list:
    """Cells by their numbers: cell 0 is unused, cell 1 is the type, the others are pairs of values and whole text."""
    kind = line.split("\t")[0]
    cells = _cells(line, tabs_are_escaped=True)
    plain = _cells(line, tabs_are_escaped=False)
    width = WIDTHS.get(kind)
    if len(cells) < LAST_MANDATORY.get(kind[:4], 0) or (len(cells) != width and len(plain) == width):
        cells = plain
    return [None, kind, *cells[1:]]


def _cells(line: str, *, tabs_are_escaped: bool) -> list[list[str]]:
    """The values of each cell of a line, without escapes."""
    cells, values, value = [], [], ""
    while line:
        if line.startswith("\\\\\\|"):
            # Three backslashes before the separator: a backslash, then the separator.
            value, line = value + "\\", line[3:]
            values, value, line = [*values, value], "", line[1:]
        elif line.startswith("\\\\\\"):
            value, line = value + "\\", line[3:]
        elif line.startswith("\\\\|"):
            value, line = value + "|", line[3:]
        elif line.startswith("\\\\"):
            value, line = value + "\\", line[2:]
        elif line.startswith("\\|"):
            value, line = value + "|", line[2:]
        elif line.startswith("\\\t") and tabs_are_escaped:
            value, line = value + " ", line[2:]
        elif line.startswith("\t"):
            cells, values, value, line = [*cells, [*values, value]], [], "", line[1:]
        elif line.startswith("|"):
            values, value, line = [*values, value], "", line[1:]
        else:
            value, line = value + line[0], line[1:]
    return [*cells, [*values, value]]


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
        if record[1] in ("SY03.01", "SY03.02"):
            subscriber_type = 23
    territory = _value(record, 7)
    return Context(
        dsp=_value(record, 3) or _value(head, 12),
        offer=_value(record, 8) or _value(head, 13),
        society=_value(head, 15),
        territory=TERRITORIES.get(territory, territory),
        currency=_value(record, currency),
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
    year, month, day, *_ = (*map(int, text.split("-")), 1, 1)
    return date(year, month, day)


def _last_day(text: str) -> date:
    parts = list(map(int, text.split("-")))
    year = parts[0]
    month = parts[1] if len(parts) > 1 else 12
    day = parts[2] if len(parts) > 2 else calendar.monthrange(year, month)[1]
    return date(year, month, day)


# Lines


def _block_line(record: list, block: list, contexts: dict[str, Context]) -> Line:
    is_download = record[1][:4] == "SU01"
    context = contexts[_value(record, 3)]
    use_type = _value(record, 13 if is_download else 11) if record[1][4:] in (".02", ".03", ".04") else None
    common = {
        "usages": _whole(_value(record, 9 if is_download else 8)),
        "use_type": None if context.use_type else use_type,
        "is_royalty_bearing": _boolean(_value(record, 7)),
        "returns": _whole(_value(record, 10)) if is_download else None,
        "transaction_id": _value(record, 4),
    }
    releases = {_value(other, 3): other for other in block if other[1][:4] == "RE01"}
    parts = {_value(other, 3): other for other in block if other[1][:4] == "RE02"}
    resources = {_value(other, 3): other for other in block if other[1][:3] == "AS0"}
    resource, release = _value(record, 6), _value(record, 5)
    if resource is None and release in parts and len(set(_values(parts[release], 6))) == 1:
        [resource] = set(_values(parts[release], 6))
    if resource is not None:
        described = resources[resource]
        return Line(
            dsp_id=_value(described, 4),
            title=_value(described, 6),
            artists=_artists(_value(described, 8)),
            isrcs=[_isrc(isrc) for isrc in _values(described, 5)],
            is_release=False,
            **common,
        )
    whole = next(iter(releases.values()), None)
    return Line(
        dsp_id=_value(releases[release] if release in releases else parts[release], 4),
        title=whole and _value(whole, 10),
        artists=whole and _artists(_value(whole, 8)),
        isrcs=[],
        is_release=True,
        **common,
    )


def _single_record_line(record: list, contexts: dict[str, Context]) -> Line:
    is_download = record[1][:4] == "SR01"
    context = contexts[_value(record, 2)]
    use_type = _value(record, 43 if is_download else 38) if record[1][4:] in (".01", ".02") else None
    return Line(
        dsp_id=_value(record, 3),
        title=_value(record, 5),
        artists=_artists(_value(record, 7)),
        isrcs=[_isrc(isrc) for isrc in _values(record, 4)],
        usages=_whole(_value(record, 37 if is_download else 35)),
        use_type=None if context.use_type else use_type,
        is_royalty_bearing=_boolean(_value(record, 35 if is_download else 34)),
        returns=_whole(_value(record, 38)) if is_download else None,
        transaction_id=_value(record, 34 if is_download else 33),
        is_release=False,
    )


def _artists(text: str | None) -> str | None:
    """A display artist is one text: its `|` must not look like the separator of several artists."""
    return text and re.sub(r" *\| *", " / ", text)


def _isrc(text: str) -> str:
    """An ISRC in capitals without hyphens; what is no ISRC, as delivered."""
    plain = text.upper().replace("-", "").replace(" ", "").removeprefix("ISRC")
    return plain if re.fullmatch("[A-Z]{2}[A-Z0-9]{3}[0-9]{7}", plain) else text


def first_isrc(isrcs: Sequence[str]) -> str | None:
    """The first well-formed one, or else the first one."""
    formed = [isrc for isrc in isrcs if re.fullmatch("[A-Z]{2}[A-Z0-9]{3}[0-9]{7}", isrc)]
    return next(iter([*formed, *isrcs]), None)
