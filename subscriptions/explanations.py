"""What each code of a usage record's problem means, for people who know no programs."""

from collections.abc import Mapping

from dsrhub.texts.marked import Text
from dsrhub.texts.marked import gettext_lazy as _

SENTENCES: Mapping[str, Text] = {
    "column_missing": _("The header lacks a column that a file must have."),
    "column_unknown": _("The header has a column that no file has."),
    "column_repeated": _("The header has this column twice."),
    "exactly_one_needed": _("The header must have exactly one of these columns."),
    "wrong_separator": _("The headings are separated in another way."),
    "quoted_headings": _("The headings have quotes, which belong to them in a file with tabs."),
    "misspelled_headings": _("The headings have spaces or other characters that do not belong there."),
    "wrong_file_kind": _("The file is of another kind than its name says."),
    "other_usage_type": _("The file has records of the other usage type."),
    "gzip_damaged": _("The packed file is cut off or damaged."),
    "not_readable": _("The line cannot be read."),
    "wrong_cell_count": _("The line has another number of cells than the header."),
    "line_break_in_a_cell": _("A cell has a line break."),
    "not_a_whole_number": _("The cell must have a whole number without a sign."),
    "not_a_number": _("The cell must have a number, and has something else."),
    "not_a_time": _("The cell must have a day and a time, such as 2026-01-31T23:59:59Z."),
    "time_zone_missing": _("The time has no time zone, so its day is not known."),
    "number_out_of_range": _("The number is too large, too small, or has too many digits."),
    "time_out_of_range": _("The year is before 1970 or after 2999."),
    "time_in_future": _("The day is in the future."),
    "not_printable": _("The external id has characters that nobody sees."),
    "wrong_length": _("The external id is empty or has more than 255 characters."),
    "unknown_subscription": _("No subscription has this id."),
    "day_sealed": _("The raw records of this day were purged."),
    "not_json": _("This is not JSON."),
    "not_an_object": _("A record must be an object with its properties."),
    "property_missing": _("The record lacks this property."),
    "property_unknown": _("No record has this property."),
    "property_repeated": _("The record has a property twice."),
    "one_amount_needed": _("A record must have exactly one of these properties."),
    "not_text": _("The value must be a text."),
    "not_a_cloud_event": _("This attribute of the event is missing or has another value than it must have."),
    "data_not_json": _("The data of the event must be a record as JSON."),
    "usage_conflict": _("Another record with this external id is already stored."),
}
