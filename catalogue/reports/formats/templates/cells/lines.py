"""The cells of a line, from those of a row."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from catalogue.reports.cells import ISRC, CellError, check_length, id_warning, plain_isrc
from catalogue.reports.formats.templates.cells.numbers import NumberReader
from catalogue.reports.formats.templates.cells.territories import folded
from catalogue.reports.formats.templates.codes import TemplateError
from catalogue.reports.formats.templates.definition import LINE_FIELDS, NUMBER_FIELDS, Definition, Source
from catalogue.reports.problems import CommonError, CommonWarning, WarningCode
from dsrhub.invisible import INVISIBLE, is_blank

# What may be in a cell and is a space in a line: line ends and tabs.
BLANKS = str.maketrans({"\n": " ", "\r": " ", "\t": " ", "\x0b": " ", "\x0c": " "})
# Between artists in a line, and in an artist.
SEPARATOR, NO_SEPARATOR = "|", " / "
# Most characters have one byte, so that most cells need not be measured.
SHORT = 1024

CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
# What bytes become that are no characters of the encoding.
SURROGATE = re.compile("[\ud800-\udfff]")

Read = Callable[[Sequence[str]], str]


class CellWarning(NamedTuple):
    """What people should look at in a cell that is loaded all the same."""

    code: WarningCode
    place: int


class LineCells:
    """Reads lines of rows whose columns are known.

    `places` has the places of the columns of each field that has some. `columns` are those of UsageLine, in the order
    of the cells of a line.
    """

    def __init__(self, definition: Definition, places: Mapping[str, Sequence[int]]) -> None:
        self._definition, self._places = definition, places
        self._warnings: list[CellWarning] = []
        fields = {field: self._reader(field) for field in LINE_FIELDS if field in definition.fields}
        if "artists" in fields:
            delivered, separator = fields["artists"], definition.artists_separator
            fields["artists"] = lambda row: _artists(delivered(row), separator)
            fields["artists_delivered"] = lambda row: _artists_delivered(delivered(row), separator)
        self.columns = tuple(fields)
        self._readers = tuple(fields.values())

    def cells(self, row: Sequence[str]) -> list[str]:
        """The cells of `columns`, as COPY reads them. Raises CellError: `faults` has all of them."""
        return [read(row) for read in self._readers]

    def faults(self, row: Sequence[str]) -> list[tuple[CellError, int | None]]:
        """All that is wrong with the cells of a row, each with the place of its cell; None for a constant."""
        found = []
        for field, read in zip(self.columns, self._readers, strict=True):
            try:
                read(row)
            except CellError as error:
                places = self._places.get(field, ())
                found.append((error, places[0] if places else None))
        self.take_warnings()
        return found

    def take_warnings(self) -> list[CellWarning]:
        """The warnings since the last call."""
        if not self._warnings:
            return []
        warnings, self._warnings = self._warnings, []
        return warnings

    # --- Fields ------------------------------------------------------------------------------------------------

    def _reader(self, field: str) -> Read:
        source, places = self._definition.fields[field], self._places.get(field, ())
        if field in NUMBER_FIELDS:
            return self._number(field, source, places)
        if not places:
            return lambda row: source.constant
        read = _text(places, source)
        if field == "dsp_id":
            return self._dsp_id(read, places, source.constant)
        return self._isrc(read, places) if field == "isrc" else read

    def _number(self, field: str, source: Source, places: Sequence[int]) -> Read:
        if not places:
            return lambda row: source.constant
        (place,) = places
        plain = NumberReader(self._definition.numbers, is_whole=field == "usages").plain
        return lambda row: plain(row[place])

    def _dsp_id(self, text: Read, places: Sequence[int], constant: str) -> Read:
        def read(row: Sequence[str]) -> str:
            cell = text(row)
            if is_blank(cell):
                if not constant:
                    raise CellError(TemplateError.CELL_BLANK)
                return constant
            if warning := id_warning(cell):
                self._warnings.append(CellWarning(warning, _filled(places, row)))
            return cell

        return read

    def _isrc(self, text: Read, places: Sequence[int]) -> Read:
        def read(row: Sequence[str]) -> str:
            cell = text(row)
            if not cell or ISRC.fullmatch(cell):
                return cell
            isrc = plain_isrc(cell)
            if ISRC.fullmatch(isrc):
                return isrc
            code = CommonWarning.INVISIBLE_CHARACTER if INVISIBLE.search(cell) else CommonWarning.ISRC_INVALID
            self._warnings.append(CellWarning(code, _filled(places, row)))
            return "" if is_blank(cell) else cell

        return read


def _text(places: Sequence[int], source: Source) -> Read:
    """The text of the first cell that is not blank, as the map of the source has it. It raises CellError."""
    values = {folded(key): value for key, value in source.values.items()}
    if len(places) > 1 or values:

        def read_first(row: Sequence[str]) -> str:
            text = _plain(row[_filled(places, row)])
            return values.get(folded(text), text) if values else text

        return read_first
    (place,) = places

    def read(row: Sequence[str]) -> str:
        cell = row[place]
        return cell.strip(" ") if cell.isprintable() and len(cell) <= SHORT else _plain(cell)

    return read


def _filled(places: Sequence[int], row: Sequence[str]) -> int:
    """The first of the places whose cell is not blank; the first of all, where all are."""
    return next((place for place in places if not is_blank(row[place])), places[0])


def _plain(cell: str) -> str:
    """The cell in one line, without outer spaces. Raises CellError."""
    text = cell.translate(BLANKS).strip(" ")
    if SURROGATE.search(text):
        raise CellError(TemplateError.ENCODING_DIFFERS)
    check_length(text)
    if CONTROL_CHARACTER.search(text):
        raise CellError(CommonError.CONTROL_CHARACTER)
    return text


def _artists(cell: str, separator: str) -> str:
    """The artists of a cell, as lines have them."""
    artists = cell.split(separator) if separator else [cell]
    return SEPARATOR.join(artist.strip(" ").replace(SEPARATOR, NO_SEPARATOR) for artist in artists if artist.strip(" "))


def _artists_delivered(cell: str, separator: str) -> str:
    return "" if _artists(cell, separator) == cell else cell
