"""The senders of sample messages in the flat-file format of DDEX.

Each has habits of its own: the version of the profile, escapes, line ends, comments, and cells that are left out or
added.
"""

from dataclasses import dataclass
from typing import NamedTuple


class Records(NamedTuple):
    """The record types of a version of the profile, each with the number of its cells."""

    basic_summary: tuple[str, int]
    ad_funded_summary: tuple[str, int]
    release: tuple[str, int]
    part: tuple[str, int]
    recording: tuple[str, int]
    recording_with_work: tuple[str, int]
    work: tuple[str, int]
    download: tuple[str, int]
    stream: tuple[str, int]


VERSIONS = {
    "1.1": Records(
        *(("SY01", 13), ("SY02.01", 18), ("RE01", 15), ("RE02", 6), ("AS01", 11), ("AS02.01", 21), ("MW01.01", 16)),
        *(("SU01", 12), ("SU02", 10)),
    ),
    "1.2": Records(
        *(("SY01.01", 15), ("SY02.02", 22), ("RE01", 15), ("RE02", 6), ("AS01.01", 12), ("AS02.02", 22)),
        *(("MW01.01", 16), ("SU01", 12), ("SU02", 10)),
    ),
    "1.3": Records(
        *(("SY01.02", 15), ("SY02.03", 22), ("RE01.02", 16), ("RE02", 6), ("AS01.02", 14), ("AS02.03", 24)),
        *(("MW01.02", 19), ("SU01.02", 13), ("SU02.02", 11)),
    ),
    "1.4": Records(
        *(("SY01.03", 18), ("SY02.04", 22), ("RE01.03", 17), ("RE02", 6), ("AS01.03", 15), ("AS02.04", 25)),
        *(("MW01.03", 19), ("SU01.03", 13), ("SU02.03", 12)),
    ),
}
# In these versions, a sales line may have a use type, usages may be decimal, and unknown artists are left blank.
LATER_VERSIONS = ("1.3", "1.4")
UNKNOWN = "#unknown#"


@dataclass(frozen=True)
class Sender:
    """A DSP and its habits."""

    dsp: str
    party_id: str
    version: str
    architecture: str
    line_end: str
    escaped_pipe: str
    escaped_backslash: str
    # Blank cells at the end of a record are dropped, or added up to a number of cells.
    drops_blank_cells: bool = False
    padded_to: int = 0
    # A comment before the first record of each type in a block.
    has_headings: bool = False
    # Whether works have records of their own.
    has_works: bool = True
    # Whether a sales line names a part of the release, which in turn names the recording.
    names_parts: bool = False
    # Whether block ids are counted up.
    counts_blocks: bool = True
    has_shop: bool = False
    revenue_decimals: int = 2

    @property
    def is_later(self) -> bool:
        return self.version in LATER_VERSIONS

    def cell(self, text: str) -> str:
        """A text as this sender escapes it."""
        if "|" in text or "\\" in text:
            return text.translate({ord("|"): self.escaped_pipe, ord("\\"): self.escaped_backslash})
        return text

    def record(self, kind: tuple[str, int], *cells: object, **later_cells: object) -> str:
        """A record with its line end. The names of `later_cells` end in their numbers, as in `label_13`."""
        name, length = kind
        row = [name, *map(str, cells)]
        for cell, value in later_cells.items():
            number = int(cell.rpartition("_")[2])
            row += [""] * (number - len(row))
            row[number - 1] = str(value)
        row += [""] * (max(length, self.padded_to) - len(row))
        text = "\t".join(row)
        return (text.rstrip("\t") if self.drops_blank_cells else text) + self.line_end


ONE_BACKSLASH, TWO_BACKSLASHES, THREE_BACKSLASHES = "\\", "\\\\", "\\\\\\"
SENDERS = (
    Sender(
        "Spotify",
        "PADPIDA0000000001S",
        version="1.2",
        architecture="1.1/1.2",
        line_end="\n",
        escaped_pipe=TWO_BACKSLASHES + "|",
        escaped_backslash=THREE_BACKSLASHES,
        has_headings=True,
        revenue_decimals=6,
    ),
    Sender(
        "Deezer",
        "PADPIDA0000000002D",
        version="1.4",
        architecture="1.3/1.4.1",
        line_end="\r\n",
        escaped_pipe=ONE_BACKSLASH + "|",
        escaped_backslash=THREE_BACKSLASHES,
        padded_to=26,
        revenue_decimals=4,
    ),
    Sender(
        "AmazonMusic",
        "PADPIDA0000000003A",
        version="1.1",
        architecture="1.0/1.1",
        line_end="\r\n",
        escaped_pipe=ONE_BACKSLASH + "|",
        escaped_backslash=TWO_BACKSLASHES,
        drops_blank_cells=True,
        has_works=False,
        has_shop=True,
    ),
    Sender(
        "YouTube",
        "PADPIDA0000000004Y",
        version="1.3",
        architecture="1.1/1.4.1",
        line_end="\n",
        escaped_pipe=TWO_BACKSLASHES + "|",
        escaped_backslash=THREE_BACKSLASHES,
        names_parts=True,
        revenue_decimals=12,
    ),
    Sender(
        "AppleMusic",
        "PADPIDA0000000005A",
        version="1.3",
        architecture="1.2/1.3",
        line_end="\n",
        escaped_pipe=ONE_BACKSLASH + "|",
        escaped_backslash=TWO_BACKSLASHES,
        drops_blank_cells=True,
        has_headings=True,
        has_shop=True,
    ),
    Sender(
        "Tidal",
        "PADPIDA0000000006T",
        version="1.4",
        architecture="1.4/1.4",
        line_end="\r\n",
        escaped_pipe=TWO_BACKSLASHES + "|",
        escaped_backslash=TWO_BACKSLASHES,
        padded_to=25,
        has_works=False,
        counts_blocks=False,
        revenue_decimals=8,
    ),
)
