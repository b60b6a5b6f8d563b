"""What kind of file it is that is no UTF-8 text, by its first bytes. Knows no Django."""

import re

from dsrhub.texts.marked import Text
from dsrhub.texts.marked import gettext_lazy as _

# How far UTF-16 without a byte order mark is looked for: its headings are ASCII.
UTF16_BYTES = 40
# Fewer characters may be text with zeros in it.
FEWEST_UTF16 = 4

UTF8_ADVICE = _("Save it as UTF-8 text.")
SHEET_ADVICE = _("Export the sheet as UTF-8 text.")
UNPACK_ADVICE = _("Unpack it, and deliver the file inside, as it is or compressed with gzip.")

# The files of these beginnings, what they are, and what to do. The first that fits counts.
KINDS: tuple[tuple[re.Pattern[bytes], Text, Text], ...] = tuple(
    (re.compile(start, re.DOTALL | re.IGNORECASE), kind, advice)
    for start, kind, advice in (
        (rb"\xff\xfe\0\0|\0\0\xfe\xff", _("UTF-32 text"), UTF8_ADVICE),
        (rb"\xff\xfe|\xfe\xff", _("UTF-16 text (“Unicode text” of Excel)"), UTF8_ADVICE),
        (rb"PK\x03\x04.{26}(\[Content_Types\]\.xml|_rels/|docProps/|xl/)", _("an Excel workbook (XLSX)"), SHEET_ADVICE),
        (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _("an Excel workbook (XLS)"), SHEET_ADVICE),
        (rb"PK\x03\x04.{26}mimetypeapplication/vnd\.oasis", _("an OpenDocument sheet"), SHEET_ADVICE),
        (rb"PK(\x03\x04|\x05\x06|\x07\x08)", _("a zip archive"), UNPACK_ADVICE),
        (rb"7z\xbc\xaf\x27\x1c", _("a 7-Zip archive"), UNPACK_ADVICE),
        (rb"Rar!\x1a\x07", _("a RAR archive"), UNPACK_ADVICE),
        (rb".{257}ustar", _("a tar archive"), UNPACK_ADVICE),
        (rb"BZh[1-9]1AY&SY", _("a bzip2 file"), UNPACK_ADVICE),
        (rb"\xfd7zXZ\0", _("an xz file"), UNPACK_ADVICE),
        (rb"\x28\xb5\x2f\xfd", _("a Zstandard file"), UNPACK_ADVICE),
        (rb"\x1f\x9d", _("a file of the program compress"), UNPACK_ADVICE),
        (rb"%PDF-", _("a PDF document"), _("Ask the sender for the text file.")),
        (rb"PAR1\x15", _("a Parquet file"), _("Export it as UTF-8 text.")),
        (rb"-----BEGIN PGP", _("an encrypted file (PGP)"), _("Decrypt it first.")),
        (
            rb"(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body)\b",
            _("a web page (HTML)"),
            _("Download the file itself."),
        ),
        (rb"(\xef\xbb\xbf)?\s*<(\?xml|!--|!doctype)", _("an XML document"), _("Export it as UTF-8 text.")),
        (rb'(\xef\xbb\xbf)?\s*(\[\s*)?\{\s*"', _("a JSON document"), _("Export it as UTF-8 text.")),
    )
)


UTF16 = _("UTF-16 text")
THIS_IS = _("This is %(kind)s. %(advice)s")
LINE_ENDS = _("The lines end with a carriage return alone, as on an old Mac. Save the file with other line ends.")
# All of these texts, to recognise those that are stored.
TEXTS = (THIS_IS, LINE_ENDS, UTF16, UTF8_ADVICE, *(text for _start, *texts in KINDS for text in texts))


def foreign_kind(head: bytes) -> Text | None:
    """What a file is that begins with these bytes and has no lines of UTF-8 text, and what to do, in sentences for
    people. None for text, for gzip, and for what is unknown."""
    for start, kind, advice in KINDS:
        if start.match(head):
            return THIS_IS % {"kind": kind, "advice": advice}
    if _is_utf16(head):
        return THIS_IS % {"kind": UTF16, "advice": UTF8_ADVICE}
    return None


def line_end_fault(head: bytes) -> Text | None:
    """What to do about lines that end with carriage returns alone, in a sentence for people; None for other lines."""
    if b"\n" in head or b"\r" not in head.rstrip(b"\r"):
        return None
    return LINE_ENDS


def _is_utf16(head: bytes) -> bool:
    """Whether every other byte is zero, and none between."""
    even, odd = head[0:UTF16_BYTES:2], head[1:UTF16_BYTES:2]
    return len(odd) > FEWEST_UTF16 and any(
        0 not in text and not any(zeros) for text, zeros in ((even, odd), (odd, even))
    )
