"""What a row is about: its sales context, from its cells, the name of the file and what the template says."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from catalogue.reports.cells import CellError
from catalogue.reports.contexts import SalesContext
from catalogue.reports.formats.templates.cells.dates import DateReader, Days
from catalogue.reports.formats.templates.cells.territories import (
    currency_codes,
    folded,
    territory_codes,
    territory_names,
)
from catalogue.reports.formats.templates.codes import TemplateError
from catalogue.reports.formats.templates.definition import CONTEXT_FIELDS, Definition, Source
from catalogue.reports.problems import CommonError, ErrorCode
from dsrhub.texts.spelling import is_invisible, plain_name

LONGEST_NAME = 100

# The cells of a row that say what it is about.
Key = tuple[str, ...]


class ContextFault(NamedTuple):
    """Why a cell does not say what a row is about. A place of None is the name of the file, or a constant."""

    field: str
    place: int | None
    value: str
    code: ErrorCode


class ContextReader:
    """Reads sales contexts of rows whose columns are known.

    `places` has the place of the column of each field that has one, and `in_name` what the name of the file says.
    """

    def __init__(self, definition: Definition, places: Mapping[str, int], in_name: Mapping[str, str]) -> None:
        self._dates = DateReader(definition.dates.forms, whole_months=definition.dates.whole_months)
        self._columns = [(field, places[field]) for field in CONTEXT_FIELDS if field in places]
        self._given = dict(in_name) | {
            field: source.constant for field, source in definition.fields.items() if source.constant
        }
        self._maps = {field: _ValueMap(source) for field, source in definition.fields.items()}
        self._readers: dict[str, Callable[[str], Any]] = {
            "dsp": _name,
            "offer": _name,
            "society": _name,
            "territory": partial(_code, territory_codes(), CommonError.TERRITORY_UNKNOWN),
            "currency": partial(_code, currency_codes(), CommonError.CURRENCY_UNKNOWN),
            "period": self._days,
            "period_start": self._days,
            "period_end": self._days,
        }
        self.key = _key([place for _, place in self._columns])

    def read(self, key: Key) -> SalesContext | list[ContextFault]:
        """The context of the rows with these cells, or why they have none."""
        values: dict[str, Any] = {}
        faults = []
        texts: list[tuple[str, int | None, str]] = [
            (field, None, text) for field, text in self._given.items() if field in CONTEXT_FIELDS
        ]
        texts += [(field, place, text) for (field, place), text in zip(self._columns, key, strict=True)]
        for field, place, text in texts:
            try:
                values[field] = self._value(field, text.strip())
            except CellError as error:
                faults.append(ContextFault(field, place, text, error.code))
        if not faults:
            start, end = _period(values)
            if start <= end:
                return _context(values, start, end)
            place = dict(self._columns).get("period_end")
            faults = [ContextFault("period_end", place, str(end), TemplateError.PERIOD_REVERSED)]
        return faults

    def text(self, field: str, key: Key) -> str:
        """What the rows with these cells say of a field, as delivered."""
        columns = [name for name, _ in self._columns]
        return key[columns.index(field)].strip() if field in columns else self._given.get(field, "")

    def _value(self, field: str, text: str) -> Any:
        mapped = self._maps[field].mapped(text) if field in self._maps else text
        if not mapped:
            raise CellError(TemplateError.CELL_BLANK)
        if not mapped.isprintable() and any("\udc80" <= one <= "\udcff" for one in mapped):
            raise CellError(TemplateError.ENCODING_DIFFERS)
        return self._readers[field](mapped)

    def _days(self, text: str) -> Days:
        days = self._dates.days(text)
        if days is None:
            raise CellError(TemplateError.DATE_FORM_DIFFERS)
        return days


class _ValueMap:
    """What the cells of a field mean. A name of a territory that no map has stays as it is."""

    def __init__(self, source: Source) -> None:
        own = {folded(key): value.strip() for key, value in source.values.items()}
        self._values = {**territory_names(source.languages), **own} if source.languages else own

    def mapped(self, text: str) -> str:
        return self._values.get(folded(text), text) if self._values else text


def _key(places: Sequence[int]) -> Callable[[Sequence[str]], Key]:
    """A function for the key of the cells of a row."""
    if len(places) > 1:
        getter: Callable[[Sequence[str]], Key] = itemgetter(*places)
        return getter
    return lambda cells: tuple(cells[place] for place in places)


def _name(text: str) -> str:
    name = plain_name(text)
    if is_invisible(name) or len(name) > LONGEST_NAME:
        raise CellError(TemplateError.NAME_UNUSABLE)
    return name


def _code(codes: Collection[str], unknown: ErrorCode, text: str) -> str:
    code = text.upper() if text.isascii() else text  # In capitals, `ß` would be South Sudan.
    if code not in codes:
        raise CellError(unknown)
    return code


def _period(values: Mapping[str, Any]) -> tuple[date, date]:
    if "period" in values:
        return values["period"].start, values["period"].end
    return values["period_start"].start, values["period_end"].end


def _context(values: Mapping[str, Any], start: date, end: date) -> SalesContext:
    return SalesContext(
        dsp=values["dsp"],
        offer=values["offer"],
        society=values.get("society"),
        territory=values["territory"],
        currency=values["currency"],
        period_start=start,
        period_end=end,
    )
