"""The records of the Basic Audio profile: how many cells they have. A record type is a family and perhaps a version.

Senders use many versions of a record. Cells are read by position, and versions only append cells, so the family
decides. Cells count from 1, the record type included.
"""

import re
from typing import NamedTuple

# Profiles that are read, without case and spaces, and their versions.
PROFILES = ("basicaudioprofile", "basicaudioprofilesrb")
VERSION = re.compile(r"1\.[0-4](?:\.[0-9]+)?")

# Families of summaries that state the revenue of a context. SY04 does so where none of the others has its id.
REVENUE_SUMMARIES = ("SY01", "SY02", "SY03", "SY12")
RELEASES = (b"RE01", b"RE04")
RESOURCES = (b"AS01", b"AS02", b"AS05", b"AS06")
# Resources that say of which work they are.
WITH_WORK = (b"AS02", b"AS06")
WORKS = (b"MW01", b"MW02")
# Records that have neither usages nor texts that are read. DExx are records that sender and recipient agreed upon.
WITHOUT_LINES = (b"RC01", b"LC01", b"ST01")
BILATERAL = b"DE"
# Lines of usages or amounts in other profiles. To skip them would lose money.
WITH_USAGES = (b"SU", b"SR", b"LI", b"RU")


class SalesCells(NamedTuple):
    """The numbers of the cells of a sales line; 0 where it has no such cell."""

    summary: int
    transaction_id: int
    royalty_bearing: int
    usages: int
    returns: int
    use_type: int
    is_single_record: bool


SALES_CELLS = {
    b"SU01": SalesCells(3, 4, 7, 9, 10, 13, is_single_record=False),
    b"SU02": SalesCells(3, 4, 7, 8, 0, 11, is_single_record=False),
    b"SR01": SalesCells(2, 34, 35, 37, 38, 43, is_single_record=True),
    b"SR02": SalesCells(2, 33, 34, 35, 0, 38, is_single_record=True),
}

# No summary follows after one of these. Other records, such as bilateral ones, may stand between summaries.
AFTER_SUMMARIES = {*RELEASES, b"RE02", *RESOURCES, *WORKS, *WITHOUT_LINES, *SALES_CELLS, b"FOOT", b"SRFO"}

# The last cell that a record must have, by family.
LAST_MANDATORY = {
    b"HEAD": 12,
    b"SY01": 12,
    b"SY02": 12,
    b"SY03": 12,
    b"SY04": 19,
    b"SY12": 12,
    b"RE01": 10,
    b"RE02": 6,
    b"AS01": 11,
    b"AS02": 11,
    b"MW01": 5,
    b"SU01": 9,
    b"SU02": 8,
    b"SR01": 37,
    b"SR02": 35,
}
# All cells of a record, by type.
ALL_CELLS = {
    b"HEAD": 16,
    b"RE01": 15,
    b"RE01.02": 16,
    b"RE01.03": 17,
    b"RE02": 6,
    b"AS01": 11,
    b"AS01.01": 12,
    b"AS01.02": 14,
    b"AS01.03": 15,
    b"AS02": 20,
    b"AS02.01": 21,
    b"AS02.02": 22,
    b"AS02.03": 24,
    b"AS02.04": 25,
    b"MW01": 15,
    b"MW01.01": 16,
    b"MW01.02": 19,
    b"MW01.03": 19,
    b"SU01": 12,
    b"SU01.02": 13,
    b"SU01.03": 13,
    b"SU02": 10,
    b"SU02.02": 11,
    b"SU02.03": 12,
    b"SR01": 41,
    b"SR01.01": 43,
    b"SR02": 36,
    b"SR02.01": 39,
}


def family_of(record_type: bytes) -> bytes:
    return record_type[:4]
