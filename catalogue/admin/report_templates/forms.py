"""The form of a template, and the definition that it stands for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.utils.datastructures import MultiValueDict

from catalogue.admin.report_templates.labels import FIELD_HELP, FIELD_LABELS, PART_LABELS, SOURCE_LABELS, path_label
from catalogue.admin.report_templates.parts import BY_HEADINGS, field_name, part_fields, source_fields
from catalogue.reports.formats.templates.definition import FIELDS, NUMBER_FIELDS, REQUIRED_FIELDS
from catalogue.reports.formats.templates.reading import Fault


class TemplateForm(forms.Form):
    """The name of a template and its definition. Its service checks them: see `add_faults`."""

    def __init__(self, *args: Any, heading_row: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= {field_name(path): field for path, field in part_fields(heading_row).items()}
        for name in FIELDS:
            self.fields |= {field_name(path): field for path, field in source_fields(name).items()}

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
