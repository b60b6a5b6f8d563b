"""What keeps a definition from being used, by field, and the definition of JSON that has no such fault."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from catalogue.exceptions import InvalidTemplate
from catalogue.reports.cells import CellError, plain_integer, plain_number
from catalogue.reports.formats.templates.cells.dates import DateReader, InvalidDateForm, forms_alike
from catalogue.reports.formats.templates.cells.territories import currency_codes, folded, territory_codes
from catalogue.reports.formats.templates.definition import (
    CONTEXT_FIELDS,
    DECIMAL_SIGNS,
    DELIMITERS,
    ENCODINGS,
    FIELDS,
    LANGUAGES,
    NUMBER_FIELDS,
    QUOTES,
    REQUIRED_FIELDS,
    TEXT_FIELDS,
    THOUSANDS_SIGNS,
    Definition,
    Kind,
    Negative,
    Source,
)
from catalogue.reports.formats.templates.names import is_valid_pattern, pattern_fields
from catalogue.reports.formats.templates.reading import Fault, FaultCode, definition_read
from dsrhub.texts.marked import Text
from dsrhub.texts.marked import gettext_lazy as _

LONGEST_NAME = 100
PERIOD_FIELDS = ("period", "period_start", "period_end")
# Their values are codes, which a map must lead to.
CODES = {
    "territory": (territory_codes, FaultCode.TERRITORY_UNKNOWN, _("%(code)s is no territory of ISO 3166-1.")),
    "currency": (currency_codes, FaultCode.CURRENCY_UNKNOWN, _("%(code)s is no currency of ISO 4217.")),
}


def definition_checked(data: object) -> Definition:
    """The definition that a value of JSON is. Raises InvalidTemplate with all faults."""
    definition, faults = definition_read(data)
    if not faults:
        faults = definition_faults(definition)
    if faults:
        raise invalid_template(faults)
    return definition


def invalid_template(faults: Sequence[Fault]) -> InvalidTemplate:
    text = _("The template cannot be used: %(path)s: %(fault)s")
    first = faults[0]
    return InvalidTemplate(text % {"path": first.path or "JSON", "fault": first.text}, faults=list(faults))


def definition_faults(definition: Definition) -> list[Fault]:
    """All that keeps a definition from being used; nothing where it can be used."""
    return [
        *_faults_of_sender(definition),
        *_faults_of_recognition(definition),
        *_faults_of_file(definition),
        *_faults_of_rows(definition),
        *_faults_of_numbers(definition),
        *_faults_of_dates(definition),
        *_faults_of_fields(definition),
    ]


def _faults_of_sender(definition: Definition) -> Iterator[Fault]:
    if not definition.sender.strip():
        yield _required("sender")
    elif len(definition.sender) > LONGEST_NAME:
        yield _too_long("sender")


def _faults_of_recognition(definition: Definition) -> Iterator[Fault]:
    recognition = definition.recognition
    has_headings = definition.file.heading_row != 0
    if has_headings and not recognition.headings:
        yield _required("recognition.headings")
    if not has_headings and recognition.headings:
        yield Fault("recognition.headings", FaultCode.NOT_ALLOWED, _("A file without headings is known by its name."))
    if not has_headings and not recognition.name_pattern:
        yield _required("recognition.name_pattern")
    yield from _repeated_columns("recognition.headings", recognition.headings)
    yield from _faults_of_pattern("recognition.name_pattern", recognition.name_pattern, CONTEXT_FIELDS)
    for place, pattern in enumerate(recognition.refused_names):
        path = f"recognition.refused_names.{place}"
        yield from _faults_of_pattern(path, pattern, ()) if pattern.strip("*") else [_required(path)]


def _faults_of_pattern(path: str, pattern: str, fields: Collection[str]) -> Iterator[Fault]:
    if not is_valid_pattern(pattern, fields):
        text = _("In a pattern of names, braces have one of the fields %(fields)s, each once, and something between.")
        yield Fault(path, FaultCode.PATTERN_INVALID, text % {"fields": ", ".join(fields)})


def _faults_of_file(definition: Definition) -> Iterator[Fault]:
    file = definition.file
    for name, value, choices in (
        ("kind", file.kind, tuple(Kind)),
        ("encoding", file.encoding, ENCODINGS),
        ("delimiter", file.delimiter, DELIMITERS),
        ("quote", file.quote, QUOTES),
    ):
        yield from _faults_of_choice(f"file.{name}", value, choices)


def _faults_of_rows(definition: Definition) -> Iterator[Fault]:
    for place, beginning in enumerate(definition.rows.ends_at):
        if not beginning.strip():
            yield _required(f"rows.ends_at.{place}")
    for place, skip in enumerate(definition.rows.skip):
        if not skip.column.strip():
            yield _required(f"rows.skip.{place}.column")
        if not skip.values:
            yield _required(f"rows.skip.{place}.values")


def _faults_of_numbers(definition: Definition) -> Iterator[Fault]:
    numbers, file = definition.numbers, definition.file
    yield from _faults_of_choice("numbers.decimal", numbers.decimal, DECIMAL_SIGNS)
    yield from _faults_of_choice("numbers.thousands", numbers.thousands, THOUSANDS_SIGNS)
    for place, negative in enumerate(numbers.negatives):
        yield from _faults_of_choice(f"numbers.negatives.{place}", negative, tuple(Negative))
    if numbers.decimal == numbers.thousands:
        text = _("The sign for thousands must not be the decimal sign.")
        yield Fault("numbers.thousands", FaultCode.SIGNS_EQUAL, text)
    is_text = file.kind != Kind.XLSX
    for name, sign in (("decimal", numbers.decimal), ("thousands", numbers.thousands)):
        if is_text and not file.quote and sign == file.delimiter:
            text = _("Without quotes, this sign cannot be in a cell: it is the delimiter.")
            yield Fault(f"numbers.{name}", FaultCode.SIGNS_EQUAL, text)


def _faults_of_dates(definition: Definition) -> Iterator[Fault]:
    forms = definition.dates.forms
    valid = []
    for place, form in enumerate(forms):
        if _is_date_form(form):
            valid.append(form)
        else:
            text = _("This is no form of dates: write YYYY-MM-DD, DD/MM/YYYY, YYYYMM or MMM-YY, for example.")
            yield Fault(f"dates.forms.{place}", FaultCode.DATE_FORM_INVALID, text)
    if alike := forms_alike(valid):
        text = _("%(form)s and a form before it read the same cell in two ways.") % {"form": alike}
        yield Fault("dates.forms", FaultCode.DATE_FORMS_AMBIGUOUS, text)
    if not forms:
        yield _required("dates.forms")


def _is_date_form(form: str) -> bool:
    try:
        DateReader([form])
    except InvalidDateForm:
        return False
    return True


def _faults_of_fields(definition: Definition) -> Iterator[Fault]:
    fields = definition.fields
    in_name = pattern_fields(definition.recognition.name_pattern)
    given = {*fields, *in_name}
    yield from (_required(f"fields.{name}") for name in REQUIRED_FIELDS if name not in given)
    yield from _faults_of_period(given)
    for name in fields:
        if name not in FIELDS:
            yield Fault(f"fields.{name}", FaultCode.UNKNOWN_KEY, _("There is no such field."))
        elif name in in_name:
            text = _("The pattern of names has this field already.")
            yield Fault(f"fields.{name}", FaultCode.FIELD_REPEATED, text)
        else:
            yield from _faults_of_source(definition, name, fields[name])
    yield from _columns_of_two_fields(definition)
    if definition.artists_separator and "artists" not in fields:
        text = _("There is no column with artists.")
        yield Fault("artists_separator", FaultCode.NOT_ALLOWED, text)


def _faults_of_period(given: set[str]) -> Iterator[Fault]:
    if "period" in given:
        text = _("There is a period already. Give the period, or its start and its end.")
        yield from (
            Fault(f"fields.{name}", FaultCode.FIELD_REPEATED, text) for name in PERIOD_FIELDS[1:] if name in given
        )
    elif not given & set(PERIOD_FIELDS):
        yield _required("fields.period")
    else:
        yield from (_required(f"fields.{name}") for name in PERIOD_FIELDS[1:] if name not in given)


def _faults_of_source(definition: Definition, name: str, source: Source) -> Iterator[Fault]:
    path = f"fields.{name}"
    if not source.columns and not source.constant:
        yield _required(f"{path}.columns")
    yield from (_required(f"{path}.columns") for column in source.columns if not column.strip())
    yield from _repeated_columns(f"{path}.columns", source.columns)
    for part, is_wrong, text in _rules_of_source(name, source):
        if is_wrong:
            yield Fault(f"{path}.{part}", FaultCode.NOT_ALLOWED, text)
    for place, language in enumerate(source.languages):
        yield from _faults_of_choice(f"{path}.languages.{place}", language, LANGUAGES)
    yield from _faults_of_values(path, name, source)
    if source.constant:
        yield from _faults_of_constant(definition, name, source.constant)


def _rules_of_source(name: str, source: Source) -> list[tuple[str, bool, Text]]:
    """What a source may not have, each with whether it has it."""
    is_number = name in NUMBER_FIELDS
    has_columns, has_constant = bool(source.columns), bool(source.constant)
    has_map, has_languages = bool(source.values), bool(source.languages)
    is_society = name == "society"
    return [
        ("columns", has_columns and is_society, _("A file is for one society: give its name as a constant.")),
        ("constant", has_columns and has_constant and name != "dsp_id", _("This field comes from a column already.")),
        ("values", has_map and not has_columns, _("A constant has no map of values.")),
        ("values", has_map and is_number, _("Numbers have no map of values.")),
        ("languages", has_languages and name != "territory", _("Only territories have names in languages.")),
    ]


def _faults_of_values(path: str, name: str, source: Source) -> Iterator[Fault]:
    keys = Counter(folded(key) for key in source.values)
    for key, value in source.values.items():
        at = f"{path}.values.{key}"
        if not folded(key) or not value.strip():
            yield _required(at)
        elif keys[folded(key)] > 1:
            yield Fault(at, FaultCode.VALUE_REPEATED, _("The map has this value twice. Its case does not matter."))
        elif name in CODES:
            yield from _faults_of_code(at, name, value)
        elif name in ("dsp", "offer") and len(value) > LONGEST_NAME:
            yield _too_long(at)


def _faults_of_constant(definition: Definition, name: str, constant: str) -> Iterator[Fault]:
    path = f"fields.{name}.constant"
    if name in CODES:
        yield from _faults_of_code(path, name, constant)
    elif name in NUMBER_FIELDS:
        try:
            (plain_integer if name == "usages" else plain_number)(constant)
        except CellError:
            yield Fault(path, FaultCode.NUMBER_INVALID, _("This is no number in plain digits."))
    elif name in PERIOD_FIELDS:
        forms = [form for form in definition.dates.forms if _is_date_form(form)]
        if DateReader(forms).days(constant) is None:
            yield Fault(path, FaultCode.DATE_INVALID, _("This is no date of the forms of this template."))
    elif name in CONTEXT_FIELDS and len(constant) > LONGEST_NAME:
        yield _too_long(path)


def _faults_of_code(path: str, name: str, code: str) -> Iterator[Fault]:
    codes, fault, text = CODES[name]
    if code not in codes():
        yield Fault(path, fault, text % {"code": repr(code)})


def _columns_of_two_fields(definition: Definition) -> Iterator[Fault]:
    """Fields that come from a column of another one, though each says something else."""
    taken: dict[str, str] = {}
    for name, source in definition.fields.items():
        if name in TEXT_FIELDS:
            continue
        for column in source.columns:
            other = taken.setdefault(folded(column), name)
            if other != name:
                text = _("Column %(column)s is that of %(field)s already.")
                values = {"column": repr(column), "field": other}
                yield Fault(f"fields.{name}.columns", FaultCode.COLUMN_REPEATED, text % values)


def _repeated_columns(path: str, columns: Sequence[str]) -> Iterator[Fault]:
    counts = Counter(map(folded, columns))
    for column in dict.fromkeys(map(folded, columns)):
        if counts[column] > 1:
            text = _("Column %(column)s is named twice.") % {"column": repr(column)}
            yield Fault(path, FaultCode.COLUMN_REPEATED, text)


def _faults_of_choice(path: str, value: str, choices: Collection[str]) -> Iterator[Fault]:
    if value not in choices:
        text: Text = _("This must be one of %(choices)s.")
        yield Fault(path, FaultCode.NOT_A_CHOICE, text % {"choices": ", ".join(repr(str(one)) for one in choices)})


def _required(path: str) -> Fault:
    return Fault(path, FaultCode.REQUIRED, _("This is required."))


def _too_long(path: str) -> Fault:
    text = _("This has more than %(most)s characters.") % {"most": LONGEST_NAME}
    return Fault(path, FaultCode.TOO_LONG, text)
