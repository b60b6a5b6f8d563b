"""Times as texts: RFC 3339, and its usual variations. Knows no Django."""

import re
from datetime import datetime

# The seconds and the zone are optional. The zone may have a colon, and `T` and `Z` may be in lower case.
TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?"
)


def parsed_time(text: str) -> datetime | None:
    """The time that a text such as `2026-01-31T23:59:59.123456789Z` is, without a zone if it has none.

    Digits after the microseconds are cut off, so that a time never moves to the next day. None if the text is no time.
    """
    if TIME.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:  # such as 30 February
        return None
