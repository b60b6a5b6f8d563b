"""Names and ids that look the same to people, though their bytes differ. Knows no Django.

One text can be written in several ways: as composed characters (NFC) or with combining marks (NFD), with other spaces,
with characters that nobody sees, in compatibility forms such as full-width digits, or with letters of another script.
"""

import re
import unicodedata
from functools import lru_cache

from dsrhub.texts.invisible import IGNORABLE, SPACES

# Control characters are no spaces: they are refused.
SPACE_RUN = re.compile(f"[ {SPACES}]+")
# U+1D159 is a note without a head.
IGNORED = re.compile(f"[{IGNORABLE}\U0001d159]")
# Characters of which one form, small or capital, looks like an ASCII character (UTS #39, confusables). They are applied
# after folding the case, so both forms map.
LOOKS_LIKE = str.maketrans(
    "авеѕіјкмнорстухһԁԛԝӏ" + "αβεζηικμνορτυχ" + "ı" + "‐‒–−˗" + "’ʼ‘",
    "abesijkmhopctyxhdqwl" + "abezhikmnoptyx" + "i" + "-----" + "'''",
)
# Texts that most ids are: they have only one spelling.
PLAIN_ID = re.compile("[!-~]+(?: [!-~]+)*")


def plain_name(text: str) -> str:
    """The text in NFC, with single spaces inside and none around it. Two such names may still look alike."""
    return SPACE_RUN.sub(" ", unicodedata.normalize("NFC", text)).strip(" ")


def spellings(text: str) -> list[str]:
    """The text as it is, composed and decomposed: a file system may have changed the name of a file."""
    return list(dict.fromkeys([text, *(unicodedata.normalize(form, text) for form in ("NFC", "NFD"))]))


def plain_external_id(text: str) -> str:
    """The text in NFKC, with single spaces inside and none around it. The case of letters stays."""
    if PLAIN_ID.fullmatch(text):
        return text
    return SPACE_RUN.sub(" ", unicodedata.normalize("NFKC", text)).strip(" ")


def is_invisible(text: str) -> bool:
    """Whether a part of the text cannot be seen: control characters and ignorable characters, but not spaces."""
    return not text.isprintable() or IGNORED.search(text) is not None


@lru_cache(maxsize=10_000)  # An import asks for the keys of all known names.
def look_alike_key(text: str) -> str:
    """The same for all names that look the same to people: in any case, composition, width, script and spacing."""
    visible = IGNORED.sub("", text)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())
    # A mapped letter may compose with the mark behind it.
    mapped = unicodedata.normalize("NFKC", folded.translate(LOOKS_LIKE))
    return SPACE_RUN.sub(" ", mapped).strip(" ")


def spelled_apart(*names: str) -> list[str]:
    """The names in quotes. Where people could not tell them apart, other characters than ASCII are escaped."""
    is_told_by_case = len({name.casefold() for name in names}) == 1
    return [repr(name) if is_told_by_case else ascii(name) for name in names]
