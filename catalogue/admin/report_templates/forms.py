"""The form of a template, and the definition that it stands for. A name of a field is its path with hyphens."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.template.defaultfilters import filesizeformat
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalogue.admin.report_templates.fields import LinesField, PairsField
from catalogue.admin.report_templates.labels import FIELD_HELP, FIELD_LABELS, PART_LABELS, SOURCE_LABELS, path_label
from catalogue.reports.formats.templates.definition import (
    DECIMAL_SIGNS,
    DELIMITERS,
    ENCODINGS,
    FIELDS,
    LANGUAGES,
    NUMBER_FIELDS,
    QUOTES,
    REQUIRED_FIELDS,
    THOUSANDS_SIGNS,
    Kind,
    Negative,
)
from catalogue.reports.formats.templates.reading import Fault
from catalogue.reports.formats.templates.validation import LONGEST_NAME

SIGNS = {
    ",": gettext_lazy("comma ,"),
    ";": gettext_lazy("semicolon ;"),
    "\t": gettext_lazy("tab"),
    "|": gettext_lazy("vertical bar |"),
    "^": gettext_lazy("caret ^"),
    "~": gettext_lazy("tilde ~"),
    ".": gettext_lazy("point ."),
    " ": gettext_lazy("space"),
    "'": gettext_lazy("apostrophe '"),
    '"': gettext_lazy('double quotes "'),
    "": gettext_lazy("none"),
}
ENCODING_LABELS = {
    "utf-8": "UTF-8",
    "utf-16": gettext_lazy("UTF-16 with a mark (“Unicode text” of Excel)"),
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
    "cp1252": gettext_lazy("Windows-1252 (Western Europe)"),
    "cp1250": gettext_lazy("Windows-1250 (Central Europe)"),
    "cp1251": gettext_lazy("Windows-1251 (Cyrillic)"),
    "cp1253": gettext_lazy("Windows-1253 (Greek)"),
    "cp1254": gettext_lazy("Windows-1254 (Turkish)"),
    "iso-8859-1": "ISO 8859-1",
    "iso-8859-2": "ISO 8859-2",
    "iso-8859-15": "ISO 8859-15",
    "mac-roman": "Mac Roman",
    "shift_jis": "Shift JIS",
    "gb18030": "GB 18030",
}
KIND_LABELS = {
    Kind.TEXT: gettext_lazy("text (CSV, TSV)"),
    Kind.XLSX: gettext_lazy("Excel workbook (XLSX)"),
    Kind.EITHER: gettext_lazy("text or workbook, as each file is"),
}
NEGATIVE_LABELS = {
    Negative.TRAILING_MINUS: gettext_lazy("a minus behind: 1.50-"),
    Negative.PARENTHESES: gettext_lazy("parentheses: (1.50)"),
}
LANGUAGE_LABELS = {
    "en": "English",
    "es": "español",
    "fr": "français",
    "de": "Deutsch",
    "it": "italiano",
    "pt": "português",
}
# How the heading row is chosen, beside its number.
BY_HEADINGS, NO_HEADINGS = "headings", "0"
MOST_NUMBERED = 10
# A document of JSON is a few kilobytes; with all names of territories in some languages, some hundred.
MOST_DOCUMENT_BYTES = 1024 * 1024
MOST_NUMBER = 2**63 - 1


def field_name(path: str) -> str:
    return path.replace(".", "-")


def _choices(values: Iterable[str], labels: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    return [(value, labels[value]) for value in values]


def _text(path: str, help_text: Any = "", **options: Any) -> forms.CharField:
    return forms.CharField(label=PART_LABELS[path], help_text=help_text, required=False, **options)


def _lines(path: str, help_text: Any = "", **options: Any) -> LinesField:
    return LinesField(label=PART_LABELS[path], help_text=help_text, **options)


def _choice(path: str, values: Iterable[str], labels: Mapping[Any, Any], help_text: Any = "") -> forms.ChoiceField:
    choices = _choices(values, labels)
    return forms.ChoiceField(label=PART_LABELS[path], choices=choices, required=False, help_text=help_text)


class TemplateForm(forms.Form):
    """The name of a template and its definition. Its service checks them: see `add_faults`."""

    def __init__(self, *args: Any, heading_row: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= {field_name(path): field for path, field in _part_fields(heading_row).items()}
        for name in FIELDS:
            self.fields |= {field_name(path): field for path, field in _source_fields(name).items()}

    def at(self, path: str) -> forms.BoundField:
        return self[field_name(path)]

    def definition(self) -> dict[str, Any]:
        """The definition as values of JSON, of a form that is valid."""
        data = {path: self.cleaned_data[field_name(path)] for path in PART_LABELS if path not in ("name", "is_active")}
        row = data["file.heading_row"]
        data["file.heading_row"] = None if row == BY_HEADINGS else int(row)
        data["rows.skip"] = _skips(data["rows.skip"])
        return _nested(data) | {"fields": {name: source for name in FIELDS if (source := self._source(name))}}

    def _source(self, name: str) -> dict[str, Any]:
        parts = {part: self.cleaned_data.get(field_name(f"fields.{name}.{part}")) for part in SOURCE_LABELS}
        parts["values"] = dict(parts["values"] or ())
        source = {part: value for part, value in parts.items() if value}
        return source if source.keys() - {"languages"} else {}

    def add_faults(self, faults: Iterable[Fault]) -> None:
        """Show each fault at its field; those of parts that have none, at the top."""
        for fault in faults:
            name = self._field_of(fault.path)
            is_of_entry = name is not None and field_name(fault.path) != name
            text = f"{_entry(fault.path)}: {fault.message}" if is_of_entry else fault.message
            self.add_error(name, text if name else f"{path_label(fault.path)}: {text}")

    def _field_of(self, path: str) -> str | None:
        """The field of a path, of a path that leads into it, or of the first part of it."""
        name = field_name(path)
        parts = sorted((one for one in self.fields if name == one or name.startswith(f"{one}-")), key=len)
        below = [one for one in self.fields if one.startswith(f"{name}-")]
        return next(iter([*reversed(parts), *below]), None)

    def sections(self) -> dict[str, Any]:
        """The fields as the page groups them."""
        required = [*(name for name in REQUIRED_FIELDS if name not in NUMBER_FIELDS), *NUMBER_FIELDS]
        periods = ["period", "period_start", "period_end"]
        first = [*required[:4], *periods, *required[4:]]
        return {
            "who": [self.at("name"), self.at("sender"), self.at("is_active")],
            "recognition": [self.at(path) for path in PART_LABELS if path.startswith("recognition.")],
            "file": [self.at(path) for path in PART_LABELS if path.startswith(("file.", "rows."))],
            "forms": [self.at(path) for path in PART_LABELS if path.startswith(("numbers.", "dates."))],
            "fields": [self._row(name) for name in first],
            "more_fields": [self._row(name) for name in FIELDS if name not in first],
            "has_more_errors": any(self._row_errors(name) for name in FIELDS if name not in first),
            "artists_separator": self.at("artists_separator"),
        }

    def _row_errors(self, name: str) -> bool:
        return any(one.startswith(f"fields-{name}-") for one in self.errors)

    def _row(self, name: str) -> dict[str, Any]:
        """A field of the files: its label, and where its value comes from."""
        parts = [self[one] for part in SOURCE_LABELS if (one := field_name(f"fields.{name}.{part}")) in self.fields]
        is_required = name in (*REQUIRED_FIELDS, "period")
        label, text = FIELD_LABELS[name], FIELD_HELP.get(name, "")
        return {"name": name, "label": label, "help": text, "parts": parts, "is_required": is_required}


def _entry(path: str) -> str:
    """The last part of a path, which a map or a list has; counted from 1 in a list."""
    names = path.split(".")
    if names[0] == "fields":
        return ".".join(names[3:]) or names[-1]
    return next((str(int(name) + 1) for name in names if name.isascii() and name.isdigit()), names[-1])


def _part_fields(heading_row: int | None) -> dict[str, forms.Field]:
    """The parts of a template beside its columns, in the order of the page."""
    return _recognition_fields() | _file_fields(heading_row) | _value_fields()


def _recognition_fields() -> dict[str, forms.Field]:
    pattern = gettext_lazy(
        "* is any text, ? any character; {period} or another field in braces comes from the name. Blank fits all names."
    )
    return {
        "name": _text("name", gettext_lazy("Such as: Believe, monthly sales"), max_length=200),
        "is_active": forms.BooleanField(
            label=PART_LABELS["is_active"],
            required=False,
            initial=True,
            help_text=gettext_lazy("An inactive template recognises no file, and can still be chosen."),
        ),
        "sender": _text("sender", gettext_lazy("Who sends the files: a store or a distributor.")),
        "recognition.headings": _lines(
            "recognition.headings",
            gettext_lazy("One in a line, in any order. Case does not matter. Remove those that a file may lack."),
            rows=5,
        ),
        "recognition.name_pattern": _text("recognition.name_pattern", pattern),
        "recognition.refused_names": _lines(
            "recognition.refused_names", gettext_lazy("Patterns of summaries and the like, which are refused."), rows=2
        ),
    }


def _file_fields(heading_row: int | None) -> dict[str, forms.Field]:
    numbered = sorted({*range(1, MOST_NUMBERED + 1), heading_row or 1})
    rows = [
        (BY_HEADINGS, gettext_lazy("the first row with the headings above")),
        *((str(number), _("row %(number)s") % {"number": number}) for number in numbered),
        (NO_HEADINGS, gettext_lazy("none: columns are named 1, 2, 3 and so on")),
    ]
    return {
        "file.kind": _choice("file.kind", Kind, KIND_LABELS),
        "file.encoding": _choice("file.encoding", ENCODINGS, ENCODING_LABELS),
        "file.delimiter": _choice("file.delimiter", DELIMITERS, SIGNS),
        "file.quote": _choice("file.quote", QUOTES, SIGNS),
        "file.sheet": _text("file.sheet", gettext_lazy("Of a workbook. Blank is the first one.")),
        "file.heading_row": forms.ChoiceField(
            label=PART_LABELS["file.heading_row"], choices=rows, required=True, initial="1"
        ),
        "rows.ends_at": _lines("rows.ends_at", gettext_lazy("Texts of first cells, such as: Total_Rows"), rows=2),
        "rows.skip": PairsField(
            label=PART_LABELS["rows.skip"],
            help_text=gettext_lazy("By the value of a column, such as: Store => Total"),
            rows=2,
            allow_blank=True,
        ),
    }


def _value_fields() -> dict[str, forms.Field]:
    return {
        "numbers.decimal": _choice("numbers.decimal", DECIMAL_SIGNS, SIGNS),
        "numbers.thousands": _choice("numbers.thousands", THOUSANDS_SIGNS, SIGNS),
        "numbers.negatives": forms.MultipleChoiceField(
            label=PART_LABELS["numbers.negatives"],
            choices=_choices(Negative, NEGATIVE_LABELS),
            required=False,
            widget=forms.CheckboxSelectMultiple,
        ),
        "dates.forms": _lines(
            "dates.forms", gettext_lazy("One in a line: YYYY-MM-DD, DD/MM/YYYY, YYYYMM, MMM-YY, …"), rows=2
        ),
        "dates.whole_months": forms.BooleanField(
            label=PART_LABELS["dates.whole_months"],
            required=False,
            help_text=gettext_lazy("The period of 2020-01-15 is then January 2020."),
        ),
        "artists_separator": _text(
            "artists_separator", gettext_lazy("Such as | or ; . Blank: a cell is one artist."), strip=False
        ),
    }


def _source_fields(name: str) -> dict[str, forms.Field]:
    """The parts of where the value of a field comes from that this field may have."""
    path, label = f"fields.{name}", FIELD_LABELS[name]
    fields: dict[str, forms.Field] = {}
    if name != "society":
        fields[f"{path}.columns"] = LinesField(label=SOURCE_LABELS["columns"], rows=2)
    fields[f"{path}.constant"] = forms.CharField(label=SOURCE_LABELS["constant"], required=False)
    if name not in (*NUMBER_FIELDS, "society"):
        fields[f"{path}.values"] = PairsField(label=SOURCE_LABELS["values"], rows=2)
    if name == "territory":
        fields[f"{path}.languages"] = forms.MultipleChoiceField(
            label=SOURCE_LABELS["languages"],
            choices=_choices(LANGUAGES, LANGUAGE_LABELS),
            required=False,
            widget=forms.CheckboxSelectMultiple,
        )
    for field in fields.values():
        field.widget.attrs["aria-label"] = f"{label}: {field.label}"
    return fields


def _skips(pairs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """The rows to leave out, with all values of a column together."""
    values: dict[str, list[str]] = {}
    for column, value in pairs:
        values.setdefault(column, []).append(value)
    return [{"column": column, "values": those} for column, those in values.items()]


def _nested(data: Mapping[str, Any]) -> dict[str, Any]:
    """Values of JSON by their paths as one object."""
    nested: dict[str, Any] = {}
    for path, value in data.items():
        *names, last = path.split(".")
        part = nested
        for name in names:
            part = part.setdefault(name, {})
        part[last] = value
    return nested


# --- Other forms -----------------------------------------------------------------------------------------------


class SampleForm(forms.Form):
    """A sample for a new template, or for one that is edited."""

    sample = forms.FileField(
        label=gettext_lazy("Sample file"),
        help_text=gettext_lazy("A text of columns (CSV, TSV), packed with gzip or not, or an Excel workbook (XLSX)."),
    )
    template = forms.IntegerField(required=False, min_value=1, max_value=MOST_NUMBER, widget=forms.HiddenInput)

    def clean_sample(self) -> Any:
        file, limit = self.cleaned_data["sample"], settings.DSRHUB_UPLOAD_LIMIT_BYTES
        if file.size > limit:
            text = _("%(name)s is larger than %(limit)s.")
            raise ValidationError(text % {"name": file.name, "limit": filesizeformat(limit)})
        return file


class CloneForm(forms.Form):
    name = forms.CharField(label=PART_LABELS["name"], max_length=LONGEST_NAME)


class DocumentForm(forms.Form):
    """A document of JSON. Its cleaned value is what it says."""

    document = forms.FileField(
        label=gettext_lazy("File"), help_text=gettext_lazy("A template that was exported as JSON.")
    )
    replace = forms.BooleanField(
        label=gettext_lazy("Save it as the next version of the template of this name, if there is one"),
        required=False,
    )

    def clean_document(self) -> Any:
        file = self.cleaned_data["document"]
        if file.size > MOST_DOCUMENT_BYTES:
            text = _("%(name)s is larger than %(limit)s.")
            raise ValidationError(text % {"name": file.name, "limit": filesizeformat(MOST_DOCUMENT_BYTES)})
        try:
            return json.loads(file.read().decode("utf-8-sig"), object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            raise ValidationError(_("This is no document of JSON: %(reason)s") % {"reason": error}) from error


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Of a key that is there twice, nobody knows which one counts: ValueError."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [key for key, _value in pairs]
        raise ValueError(next(f"{key!r} is there twice" for key in names if names.count(key) > 1))
    return found


# --- A form of a definition ------------------------------------------------------------------------------------


def form_of(definition: Mapping[str, Any], *, name: str = "", is_active: bool = True) -> TemplateForm:
    """The form with the values of a definition, as if it was sent: then it can show what is wrong with them."""
    row = definition["file"]["heading_row"]
    form = TemplateForm(heading_row=row)
    values = {path: _value(definition, path) for path in PART_LABELS if "." in path}
    values |= {"name": name, "is_active": is_active, "sender": definition["sender"]}
    values |= {"artists_separator": definition["artists_separator"]}
    values["file.heading_row"] = BY_HEADINGS if row is None else str(row)
    values["rows.skip"] = [(one["column"], value) for one in definition["rows"]["skip"] for value in one["values"]]
    for field, source in definition["fields"].items():
        values |= {f"fields.{field}.{part}": source.get(part) for part in SOURCE_LABELS}
        values[f"fields.{field}.values"] = list((source.get("values") or {}).items())
    data = {field_name(path): value for path, value in values.items() if field_name(path) in form.fields}
    return TemplateForm(_sent(form, data), heading_row=row)


def _value(definition: Mapping[str, Any], path: str) -> Any:
    part, name = path.split(".")
    return definition[part][name]


def _sent(form: TemplateForm, values: Mapping[str, Any]) -> MultiValueDict[str, str]:
    """The values as a browser sends them."""
    sent: MultiValueDict[str, str] = MultiValueDict()
    for name, value in values.items():
        field = form.fields[name]
        if isinstance(field, forms.MultipleChoiceField):
            sent.setlist(name, list(value or ()))
        elif isinstance(field, forms.BooleanField):
            sent.setlist(name, ["on"] if value else [])
        else:
            sent[name] = field.prepare_value(value) or ""
    return sent
