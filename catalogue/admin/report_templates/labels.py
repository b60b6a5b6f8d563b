"""What people call the parts of a template, by their paths in its definition, and the values of its choices."""

from collections.abc import Mapping
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from catalogue.reports.formats.templates.definition import Kind, Negative
from catalogue.reports.formats.templates.guessing import Doubt

FIELD_LABELS: Mapping[str, Any] = {
    "dsp": _("DSP (store)"),
    "offer": _("offer"),
    "society": _("society"),
    "territory": _("territory"),
    "currency": _("currency"),
    "period": _("period"),
    "period_start": _("period start"),
    "period_end": _("period end"),
    "dsp_id": _("id of the recording"),
    "title": _("title"),
    "artists": _("artists"),
    "isrc": "ISRC",
    "iswc": "ISWC",
    "composers": _("composers"),
    "label": _("label"),
    "icpn": _("UPC or EAN"),
    "use_type": _("use type"),
    "transaction_id": _("transaction id"),
    "usages": _("usages"),
    "revenue": _("revenue"),
}
FIELD_HELP: Mapping[str, Any] = {
    "dsp": _("Recordings of two stores are never mixed. A sender that is a store itself has a constant."),
    "offer": _("Such as Premium or Family plan. Where the file does not say it, give a constant."),
    "society": _("The recipient of the files. Leave it blank if they are for nobody in particular."),
    "territory": _("ISO codes, or names in the languages that you tick."),
    "period": _(
        "The month of the statement, if there is one: sales of an earlier month may come again in the next statement. "
        "If the file has a start and an end, use the next two fields instead."
    ),
    "dsp_id": _("What tells recordings apart. If there is no id of the store, take the ISRC, then the UPC."),
    "usages": _("Whole numbers. A constant stands for all rows."),
    "revenue": _("Of the row, in its currency: not the price of one unit."),
}
PART_LABELS: Mapping[str, Any] = {
    "name": _("Name of the template"),
    "is_active": _("Active"),
    "sender": _("Sender"),
    "recognition.headings": _("Headings that the file must have"),
    "recognition.name_pattern": _("Pattern of file names"),
    "recognition.refused_names": _("Names of files without sales"),
    "file.kind": _("Kind of file"),
    "file.encoding": _("Encoding"),
    "file.delimiter": _("Delimiter"),
    "file.quote": _("Quotes around cells"),
    "file.sheet": _("Sheet"),
    "file.heading_row": _("Heading row"),
    "rows.ends_at": _("The sales end before a row that begins with"),
    "rows.skip": _("Rows to leave out"),
    "numbers.decimal": _("Decimal sign"),
    "numbers.thousands": _("Sign for thousands"),
    "numbers.negatives": _("Negative numbers are also written with"),
    "dates.forms": _("Forms of dates"),
    "dates.whole_months": _("A day stands for its month"),
    "artists_separator": _("Between artists in a cell"),
}
SOURCE_LABELS: Mapping[str, Any] = {
    "columns": _("column"),
    "constant": _("constant"),
    "values": _("map of values"),
    "languages": _("languages of names"),
}
SIGNS = {
    ",": _("comma ,"),
    ";": _("semicolon ;"),
    "\t": _("tab"),
    "|": _("vertical bar |"),
    "^": _("caret ^"),
    "~": _("tilde ~"),
    ".": _("point ."),
    " ": _("space"),
    "'": _("apostrophe '"),
    '"': _('double quotes "'),
    "": _("none"),
}
ENCODING_LABELS = {
    "utf-8": "UTF-8",
    "utf-16": _("UTF-16 with a mark (“Unicode text” of Excel)"),
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
    "cp1252": _("Windows-1252 (Western Europe)"),
    "cp1250": _("Windows-1250 (Central Europe)"),
    "cp1251": _("Windows-1251 (Cyrillic)"),
    "cp1253": _("Windows-1253 (Greek)"),
    "cp1254": _("Windows-1254 (Turkish)"),
    "iso-8859-1": "ISO 8859-1",
    "iso-8859-2": "ISO 8859-2",
    "iso-8859-15": "ISO 8859-15",
    "mac-roman": "Mac Roman",
    "shift_jis": "Shift JIS",
    "gb18030": "GB 18030",
}
KIND_LABELS = {
    Kind.TEXT: _("text (CSV, TSV)"),
    Kind.XLSX: _("Excel workbook (XLSX)"),
    Kind.EITHER: _("text or workbook, as each file is"),
}
NEGATIVE_LABELS = {
    Negative.TRAILING_MINUS: _("a minus behind: 1.50-"),
    Negative.PARENTHESES: _("parentheses: (1.50)"),
}
LANGUAGE_LABELS = {
    "en": "English",
    "es": "español",
    "fr": "français",
    "de": "Deutsch",
    "it": "italiano",
    "pt": "português",
}
DOUBT_TEXTS: Mapping[str, Any] = {
    Doubt.DECIMAL_SIGN: _("The sample does not tell the decimal sign from the sign for thousands. Compare a total."),
    Doubt.DATE_FORM: _("The dates of the sample can be read in several ways, or in none. Look at the period."),
    Doubt.ENCODING: _("The encoding is guessed. Look at a title with accents."),
    Doubt.DELIMITER: _("Another delimiter may fit as well. Look at the columns."),
    Doubt.HEADING_ROW: _("No row looks like headings. The columns are numbered."),
}
# The part of the form that a doubt is about.
DOUBT_PATHS: Mapping[str, str] = {
    Doubt.DECIMAL_SIGN: "numbers.decimal",
    Doubt.DATE_FORM: "dates.forms",
    Doubt.ENCODING: "file.encoding",
    Doubt.DELIMITER: "file.delimiter",
    Doubt.HEADING_ROW: "file.heading_row",
}


def path_label(path: str) -> str:
    """What people call the part of a definition at a path such as `fields.revenue.columns`, or at a path below it."""
    names = path.split(".")
    if names[0] == "fields" and len(names) > 1:
        label = FIELD_LABELS.get(names[1], names[1])
        part = SOURCE_LABELS.get(names[2]) if len(names) > 2 else None  # noqa: PLR2004 - a field and its part
        return str(format_lazy("{}: {}", label, part) if part else label)
    found = next((one for one in PART_LABELS if path == one or path.startswith(f"{one}.")), None)
    return str(PART_LABELS[found]) if found else path


def path_anchor(path: str) -> str:
    """The name of the form's field that shows the part at a path; blank where none does."""
    names = path.split(".")
    if names[0] == "fields" and len(names) > 1:
        first = "constant" if names[1] == "society" else "columns"
        part = names[2] if len(names) > 2 and names[2] in SOURCE_LABELS else first  # noqa: PLR2004 - a field and its part
        return f"fields-{names[1]}-{part}"
    found = next((one for one in PART_LABELS if path == one or path.startswith(f"{one}.")), "")
    return found.replace(".", "-")
