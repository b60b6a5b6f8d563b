"""A first definition for a file that no template recognises, for people to complete."""

from dataclasses import dataclass
from enum import StrEnum

from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.templates.definition import Definition


class Doubt(StrEnum):
    """What a sample does not decide: people look at it. The codes are stable."""

    # `1,234` may be a thousand or one: all numbers with this sign have three digits behind it.
    DECIMAL_SIGN = "decimal_sign"
    # `01/02/2020` may be in January or in February.
    DATE_FORM = "date_form"
    ENCODING = "encoding"
    DELIMITER = "delimiter"
    HEADING_ROW = "heading_row"


@dataclass(frozen=True)
class Guess:
    """What a sample looks like. The definition may lack required fields, so it may not be valid yet.

    `headings` are the cells of the heading row, `first_line` is the line of the file behind it, and `rows` are the
    first rows from there on, cell by cell. `doubts` are sure to be looked at. `sheets` are the names of the sheets of a
    workbook, in their order.
    """

    definition: Definition
    headings: tuple[str, ...]
    first_line: int
    rows: tuple[tuple[str, ...], ...]
    doubts: tuple[Doubt, ...] = ()
    sheets: tuple[str, ...] = ()


def guess(sample: Delivery, *, row_limit: int = 20) -> Guess:
    """What the sample looks like, by its name and its first bytes; of a workbook, by its first rows.

    Raises DamagedDelivery for what is neither text nor a workbook.
    """
    raise NotImplementedError
