"""What kind of file it is that is no UTF-8 text, by its first bytes. Knows no Django."""

import re

# How far UTF-16 without a byte order mark is looked for: its headings are ASCII.
UTF16_BYTES = 40
# Fewer characters may be text with zeros in it.
FEWEST_UTF16 = 4

UTF8_ADVICE = "Save it as UTF-8 text."
SHEET_ADVICE = "Export the sheet as UTF-8 text."
UNPACK_ADVICE = "Unpack it, and deliver the file inside, as it is or compressed with gzip."

# The files of these beginnings, what they are, and what to do. The first that fits counts.
KINDS: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(start, re.DOTALL | re.IGNORECASE), kind, advice)
    for start, kind, advice in (
        (rb"\xff\xfe\0\0|\0\0\xfe\xff", "UTF-32 text", UTF8_ADVICE),
        (rb"\xff\xfe|\xfe\xff", "UTF-16 text (“Unicode text” of Excel)", UTF8_ADVICE),
        (rb"PK\x03\x04.{26}(\[Content_Types\]\.xml|_rels/|docProps/|xl/)", "an Excel workbook (XLSX)", SHEET_ADVICE),
        (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook (XLS)", SHEET_ADVICE),
        (rb"PK\x03\x04.{26}mimetypeapplication/vnd\.oasis", "an OpenDocument sheet", SHEET_ADVICE),
        (rb"PK(\x03\x04|\x05\x06|\x07\x08)", "a zip archive", UNPACK_ADVICE),
        (rb"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK_ADVICE),
        (rb"Rar!\x1a\x07", "a RAR archive", UNPACK_ADVICE),
        (rb".{257}ustar", "a tar archive", UNPACK_ADVICE),
        (rb"BZh[1-9]1AY&SY", "a bzip2 file", UNPACK_ADVICE),
        (rb"\xfd7zXZ\0", "an xz file", UNPACK_ADVICE),
        (rb"\x28\xb5\x2f\xfd", "a Zstandard file", UNPACK_ADVICE),
        (rb"\x1f\x9d", "a file of the program compress", UNPACK_ADVICE),
        (rb"%PDF-", "a PDF document", "Ask the sender for the text file."),
        (rb"PAR1\x15", "a Parquet file", "Export it as UTF-8 text."),
        (rb"-----BEGIN PGP", "an encrypted file (PGP)", "Decrypt it first."),
        (rb"(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body)\b", "a web page (HTML)", "Download the file itself."),
        (rb"(\xef\xbb\xbf)?\s*<(\?xml|!--|!doctype)", "an XML document", "Export it as UTF-8 text."),
        (rb'(\xef\xbb\xbf)?\s*(\[\s*)?\{\s*"', "a JSON document", "Export it as UTF-8 text."),
    )
)


def foreign_kind(head: bytes) -> str | None:
    """What a file is that begins with these bytes and has no lines of UTF-8 text, and what to do, in sentences for
    people. None for text, for gzip, and for what is unknown."""
    for start, kind, advice in KINDS:
        if start.match(head):
            return f"This is {kind}. {advice}"
    if _is_utf16(head):
        return f"This is UTF-16 text. {UTF8_ADVICE}"
    return None


def line_end_fault(head: bytes) -> str | None:
    """What to do about lines that end with carriage returns alone, in a sentence for people; None for other lines."""
    if b"\n" in head or b"\r" not in head.rstrip(b"\r"):
        return None
    return "The lines end with a carriage return alone, as on an old Mac. Save the file with other line ends."


def _is_utf16(head: bytes) -> bool:
    """Whether every other byte is zero, and none between."""
    even, odd = head[0:UTF16_BYTES:2], head[1:UTF16_BYTES:2]
    return len(odd) > FEWEST_UTF16 and any(
        0 not in text and not any(zeros) for text, zeros in ((even, odd), (odd, even))
    )
