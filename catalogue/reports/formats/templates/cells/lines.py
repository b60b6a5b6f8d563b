"""The cells of lines, from those of rows. A batch of rows is read column by column, which is several times faster."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from catalogue.reports.cells import CONTROL_CHARACTER, ISRC, CellError, check_length, id_warning, plain_isrc
from catalogue.reports.formats.templates.cells.numbers import NumberReader
from catalogue.reports.formats.templates.cells.territories import folded
from catalogue.reports.formats.templates.codes import TemplateError
from catalogue.reports.formats.templates.definition import LINE_FIELDS, NUMBER_FIELDS, Definition
from catalogue.reports.problems import CommonError, CommonWarning, WarningCode
from dsrhub.texts.invisible import INVISIBLE, is_blank

# What may be in a cell and is a space in a line: line ends and tabs.
BLANKS = str.maketrans({"\n": " ", "\r": " ", "\t": " ", "\x0b": " ", "\x0c": " "})
# Between artists in a line, and in an artist.
SEPARATOR, NO_SEPARATOR = "|", " / "
# A cell of at most this many characters is never longer than LONGEST_CELL bytes: UTF-8 has at most 4 for each.
SHORT = 1024
# What bytes become that are no characters of the encoding.
SURROGATE = re.compile("[\ud800-\udfff]")
ISRCS = re.compile(rf"(?:(?:{ISRC.pattern}|)\n)*+")

# The cells of a batch of rows, by column; and a function for the cells of one field of its lines.
Columns = Sequence[Sequence[str]]
Read = Callable[[Columns], Sequence[str]]


class CellWarning(NamedTuple):
    """What people should look at in a cell that is loaded all the same. Rows count from 0 in their batch."""

    code: WarningCode
    row: int
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
            fields["artists"] = lambda columns: _artists(delivered(columns), separator)
            fields["artists_delivered"] = lambda columns: _artists_delivered(delivered(columns), separator)
        self.columns = tuple(fields)
        self._readers = tuple(fields.values())

    def read(self, rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
        """The cells of the lines, by column, as COPY reads them. Raises CellError where one of them is wrong."""
        columns = list(zip(*rows, strict=True))
        return [read(columns) for read in self._readers]

    def faults(self, row: Sequence[str]) -> list[tuple[CellError, int | None]]:
        """All that is wrong with the cells of a row, each with the place of its cell; None for a constant."""
        columns = [(cell,) for cell in row]
        found = []
        for field, read in zip(self.columns, self._readers, strict=True):
            try:
                read(columns)
            except CellError as error:
                places = self._places.get(field, ())
                found.append((error, places[0] if places else None))
        return found

    def take_warnings(self) -> list[CellWarning]:
        """The warnings since the last call, in the order of the rows."""
        warnings, self._warnings = self._warnings, []
        return sorted(warnings, key=lambda one: one.row)

    # --- Fields ------------------------------------------------------------------------------------------------

    def _reader(self, field: str) -> Read:
        source, places = self._definition.fields[field], self._places.get(field, ())
        if not places:
            return lambda columns: [source.constant] * len(columns[0])
        if field in NUMBER_FIELDS:
            (place,) = places
            numbers = NumberReader(self._definition.numbers, is_whole=field == "usages")
            return lambda columns: numbers.column(columns[place])
        read = _mapped(_first_filled(places), source.values) if source.values else _first_filled(places)
        if field == "dsp_id":
            return self._dsp_ids(read, places, source.constant)
        return self._isrcs(read, places) if field == "isrc" else read

    def _dsp_ids(self, texts: Read, places: Sequence[int], constant: str) -> Read:
        def read(columns: Columns) -> Sequence[str]:
            ids = texts(columns)
            if not all(ids):
                if not constant:
                    raise CellError(TemplateError.CELL_BLANK)
                ids = [cell or constant for cell in ids]
            joined = "".join(ids)
            if not joined.isascii() or "+" in joined:  # Others neither are rounded nor have invisible characters.
                for row, cell in enumerate(ids):
                    if warning := id_warning(cell):
                        self._warn(warning, row, places, columns)
            return ids

        return read

    def _isrcs(self, texts: Read, places: Sequence[int]) -> Read:
        def read(columns: Columns) -> Sequence[str]:
            isrcs = texts(columns)
            if ISRCS.fullmatch("\n".join(isrcs) + "\n"):
                return isrcs
            plain = [cell if ISRC.fullmatch(isrc := plain_isrc(cell)) is None else isrc for cell in isrcs]
            for row, cell in enumerate(plain):
                if cell and not ISRC.fullmatch(cell):
                    is_invisible = INVISIBLE.search(cell)
                    code = CommonWarning.INVISIBLE_CHARACTER if is_invisible else CommonWarning.ISRC_INVALID
                    self._warn(code, row, places, columns)
            return plain

        return read

    def _warn(self, code: WarningCode, row: int, places: Sequence[int], columns: Columns) -> None:
        filled = (place for place in places if not is_blank(columns[place][row]))
        self._warnings.append(CellWarning(code, row, next(filled, places[0])))


def _first_filled(places: Sequence[int]) -> Read:
    """The texts of the first column, and where they are blank, those of the next ones. It raises CellError."""

    def read(columns: Columns) -> Sequence[str]:
        first, *others = (_texts(columns[place]) for place in places)
        for other in others:
            first = [one or another for one, another in zip(first, other, strict=True)]
        return first

    return read


def _mapped(read: Read, values: Mapping[str, str]) -> Read:
    plain = {folded(key): value for key, value in values.items()}
    return lambda columns: [plain.get(folded(cell), cell) for cell in read(columns)]


def _texts(cells: Sequence[str]) -> Sequence[str]:
    """The cells without outer spaces, each in one line; blank ones are empty. Raises CellError."""
    joined = "".join(cells)
    if joined.isprintable() and (len(joined) <= SHORT or max(map(len, cells)) <= SHORT):
        return [cell.strip(" ") for cell in cells] if " " in joined else cells
    return [_text(cell) for cell in cells]


def _text(cell: str) -> str:
    text = cell.translate(BLANKS).strip(" ")
    if SURROGATE.search(text):
        raise CellError(TemplateError.ENCODING_DIFFERS)
    check_length(text)
    if CONTROL_CHARACTER.search(text):
        raise CellError(CommonError.CONTROL_CHARACTER)
    return "" if is_blank(text) else text


def _artists(cells: Sequence[str], separator: str) -> Sequence[str]:
    """The artists of cells, as lines have them."""
    return [_artists_of(cell, separator) for cell in cells] if _have_signs(cells, separator) else cells


def _artists_delivered(cells: Sequence[str], separator: str) -> Sequence[str]:
    """The cells whose artists are written in another way; blank for others."""
    if not _have_signs(cells, separator):
        return [""] * len(cells)
    return ["" if _artists_of(cell, separator) == cell else cell for cell in cells]


def _have_signs(cells: Sequence[str], separator: str) -> bool:
    joined = "".join(cells)
    return SEPARATOR in joined or (separator != "" and separator in joined)


def _artists_of(cell: str, separator: str) -> str:
    artists = cell.split(separator) if separator else [cell]
    return SEPARATOR.join(artist.strip(" ").replace(SEPARATOR, NO_SEPARATOR) for artist in artists if artist.strip(" "))
