"""A definition read of JSON, and all that is wrong with it, by field."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from catalogue.reports.formats.templates.definition import (
    DateForm,
    Definition,
    FileForm,
    NumberForm,
    Recognition,
    Rows,
    Skip,
    Source,
)
from dsrhub.texts.marked import Text, translated
from dsrhub.texts.marked import gettext_lazy as _

LONGEST_TEXT = 255
MOST_TEXTS, MOST_VALUES = 500, 5000
MOST_ROWS = 1_000_000


class FaultCode(StrEnum):
    """Why a definition cannot be used. The codes are stable."""

    REQUIRED = "required"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_KEY = "unknown_key"
    TOO_LONG = "too_long"
    TOO_MANY = "too_many"
    NOT_PRINTABLE = "not_printable"
    NOT_A_CHOICE = "not_a_choice"
    NOT_ALLOWED = "not_allowed"
    COLUMN_REPEATED = "column_repeated"
    FIELD_REPEATED = "field_repeated"
    VALUE_REPEATED = "value_repeated"
    PATTERN_INVALID = "pattern_invalid"
    DATE_FORM_INVALID = "date_form_invalid"
    DATE_FORMS_AMBIGUOUS = "date_forms_ambiguous"
    DATE_INVALID = "date_invalid"
    SIGNS_EQUAL = "signs_equal"
    NUMBER_INVALID = "number_invalid"
    TERRITORY_UNKNOWN = "territory_unknown"
    CURRENCY_UNKNOWN = "currency_unknown"


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field of a definition. `path` leads to it, such as `fields.revenue.columns`."""

    path: str
    code: FaultCode
    text: Text

    @property
    def message(self) -> str:
        """The text in the active language."""
        return translated(self.text)


class JsonObject:
    """An object of JSON, read key by key. For a value of a wrong type, it adds to `faults` and returns the default."""

    def __init__(self, data: object, path: str, faults: list[Fault]) -> None:
        self.path, self.faults = path, faults
        self.data: Mapping[str, Any] = data if isinstance(data, dict) else {}
        if not isinstance(data, dict):
            faults.append(Fault(path, FaultCode.WRONG_TYPE, _("This is no object of JSON.")))
        self._read: set[str] = set()

    def at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def value(self, key: str) -> Any:
        self._read.add(key)
        return self.data.get(key)

    def part(self, key: str) -> "JsonObject":
        """The object under a key; an empty one where it is missing."""
        value = self.value(key)
        return JsonObject({} if value is None else value, self.at(key), self.faults)

    def text(self, key: str, default: str = "") -> str:
        value = self.value(key)
        if value is None:
            return default
        return str(value) if self._is_text(value, self.at(key)) else default

    def texts(self, key: str) -> tuple[str, ...]:
        values = enumerate(self._list(key))
        return tuple(one for place, one in values if self._is_text(one, f"{self.at(key)}.{place}"))

    def parts(self, key: str) -> list["JsonObject"]:
        return [JsonObject(one, f"{self.at(key)}.{place}", self.faults) for place, one in enumerate(self._list(key))]

    def pairs(self, key: str) -> dict[str, str]:
        part = self.part(key)
        if len(part.data) > MOST_VALUES:
            self._add_many(self.at(key), MOST_VALUES)
        return {
            str(name): value
            for name, value in part.data.items()
            if self._is_text(name, self.at(key)) and self._is_text(value, f"{self.at(key)}.{name}")
        }

    def whole_number(self, key: str, default: int | None) -> int | None:
        if key not in self.data:
            return default
        value = self.value(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_ROWS):
            return value
        text = _("This must be a whole number from 0 to %(most)s, or null.") % {"most": MOST_ROWS}
        self.faults.append(Fault(self.at(key), FaultCode.WRONG_TYPE, text))
        return default

    def flag(self, key: str) -> bool:
        value = self.value(key)
        if value is not None and not isinstance(value, bool):
            self.faults.append(Fault(self.at(key), FaultCode.WRONG_TYPE, _("This must be true or false.")))
        return value is True

    def end(self) -> None:
        """All keys are read: others are wrong, as a misspelled key would change nothing."""
        for key in self.data:
            if key not in self._read:
                self.faults.append(Fault(self.at(str(key)), FaultCode.UNKNOWN_KEY, _("There is no such key.")))

    def _list(self, key: str) -> list[Any]:
        value = self.value(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.faults.append(Fault(self.at(key), FaultCode.WRONG_TYPE, _("This must be a list.")))
            return []
        if len(value) > MOST_TEXTS:
            self._add_many(self.at(key), MOST_TEXTS)
        return value[:MOST_TEXTS]

    def _is_text(self, value: object, path: str) -> bool:
        if not isinstance(value, str):
            self.faults.append(Fault(path, FaultCode.WRONG_TYPE, _("This must be a text.")))
        elif len(value) > LONGEST_TEXT:
            text = _("This has more than %(most)s characters.") % {"most": LONGEST_TEXT}
            self.faults.append(Fault(path, FaultCode.TOO_LONG, text))
        elif not value.replace("\t", "").isprintable():
            self.faults.append(Fault(path, FaultCode.NOT_PRINTABLE, _("This has a character that does not print.")))
        else:
            return True
        return False

    def _add_many(self, path: str, most: int) -> None:
        text = _("These are more than %(most)s.") % {"most": most}
        self.faults.append(Fault(path, FaultCode.TOO_MANY, text))


def definition_read(data: object) -> tuple[Definition, list[Fault]]:
    """The definition that a value of JSON is. Where something is of a wrong type, it has the default there."""
    faults: list[Fault] = []
    root = JsonObject(data, "", faults)
    fields = root.part("fields")
    definition = Definition(
        sender=root.text("sender"),
        recognition=_recognition(root.part("recognition")),
        file=_file(root.part("file")),
        rows=_rows(root.part("rows")),
        numbers=_numbers(root.part("numbers")),
        dates=_dates(root.part("dates")),
        fields={str(name): _source(fields.part(name)) for name in fields.data},
        artists_separator=root.text("artists_separator"),
    )
    root.end()
    return definition, faults


def _recognition(part: JsonObject) -> Recognition:
    recognition = Recognition(part.texts("headings"), part.text("name_pattern"), part.texts("refused_names"))
    part.end()
    return recognition


def _file(part: JsonObject) -> FileForm:
    default = FileForm()
    file = FileForm(
        kind=part.text("kind", default.kind),
        encoding=part.text("encoding", default.encoding),
        delimiter=part.text("delimiter", default.delimiter),
        quote=part.text("quote", default.quote),
        sheet=part.text("sheet"),
        heading_row=part.whole_number("heading_row", default.heading_row),
    )
    part.end()
    return file


def _rows(part: JsonObject) -> Rows:
    rows = Rows(part.texts("ends_at"), tuple(_skip(one) for one in part.parts("skip")))
    part.end()
    return rows


def _skip(part: JsonObject) -> Skip:
    skip = Skip(part.text("column"), part.texts("values"))
    part.end()
    return skip


def _numbers(part: JsonObject) -> NumberForm:
    default = NumberForm()
    numbers = NumberForm(part.text("decimal", default.decimal), part.text("thousands"), part.texts("negatives"))
    part.end()
    return numbers


def _dates(part: JsonObject) -> DateForm:
    dates = DateForm(part.texts("forms"), part.flag("whole_months"))
    part.end()
    return dates


def _source(part: JsonObject) -> Source:
    source = Source(part.texts("columns"), part.text("constant"), part.pairs("values"), part.texts("languages"))
    part.end()
    return source
