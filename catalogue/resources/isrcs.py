"""The ways in which people write the ISRC that they search for."""

import re
from unicodedata import category, normalize

from catalogue.reports.cells import plain_isrc

LABEL = re.compile("isrc:", re.IGNORECASE)
# Dashes, spaces, line breaks and what is invisible, in Unicode's categories; MINUS SIGN and HYPHEN BULLET are symbols.
LEFT_OUT, ALSO_LEFT_OUT = {"Pd", "Zs", "Zl", "Zp", "Cc", "Cf"}, "\u2212\u2043"


def searched_isrcs(text: str) -> list[str]:
    """The texts that a resource may have as its ISRC: a well-formed one without signs, and a wrong one as delivered."""
    signs = LABEL.sub("ISRC", normalize("NFKC", text))
    letters = "".join(sign for sign in signs if category(sign) not in LEFT_OUT and sign not in ALSO_LEFT_OUT)
    return list(dict.fromkeys((plain_isrc(letters), plain_isrc(text), text)))
