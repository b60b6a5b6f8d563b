"""Patterns of file names: `*` is any text, `?` any character, and a field in braces takes its value from the name."""

import re
from collections.abc import Iterable
from functools import cache

PATTERN_PART = re.compile(r"\*|\?|\{([a-z_]*)\}|[{}]|[^*?{}]+")
PACKED = ".gz"


def pattern_fields(pattern: str) -> list[str]:
    """The fields in braces."""
    return re.findall(r"\{([a-z_]+)\}", pattern)


def is_valid_pattern(pattern: str, fields: Iterable[str]) -> bool:
    """Whether the braces have only these fields, each once, and no two of them stand side by side."""
    found = pattern_fields(pattern)
    rest = re.sub(r"\{[a-z_]+\}", "", pattern)
    is_known = set(found) <= set(fields) and len(set(found)) == len(found)
    return is_known and not re.search("[{}/\\\\]", rest) and "}{" not in pattern


def name_fits(pattern: str, name: str) -> bool:
    """Whether a file name, in any case and with or without `.gz`, fits a valid pattern. A blank one fits all."""
    return not pattern or name_fields(pattern, name) is not None


def name_fields(pattern: str, name: str) -> dict[str, str] | None:
    """What a name says of the fields of its pattern; None where it does not fit."""
    name = name[: -len(PACKED)] if name.lower().endswith(PACKED) and not pattern.lower().endswith(PACKED) else name
    match = _expression(pattern).fullmatch(name)
    return None if match is None else match.groupdict()


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    parts = (_part(match) for match in PATTERN_PART.finditer(pattern))
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def _part(match: re.Match[str]) -> str:
    if match[1]:
        return f"(?P<{match[1]}>.+?)"
    return {"*": ".*?", "?": "."}.get(match[0]) or re.escape(match[0])
