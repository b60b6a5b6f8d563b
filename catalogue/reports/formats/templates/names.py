"""Patterns of file names: `*` is any text, `?` any character, and a field in braces takes its value from the name."""

import re
from collections.abc import Iterable
from functools import cache

PACKED = ".gz"


def pattern_fields(pattern: str) -> list[str]:
    """The fields in braces."""
    return re.findall(r"\{([a-z_]+)\}", pattern)


def is_valid_pattern(pattern: str, fields: Iterable[str]) -> bool:
    """Whether the braces have only these fields, each once, and no two of them, or `*`, stand side by side."""
    found = pattern_fields(pattern)
    rest = re.sub(r"\{[a-z_]+\}", "", pattern)
    is_known = set(found) <= set(fields) and len(set(found)) == len(found)
    return is_known and not re.search("[{}/\\\\]", rest) and not re.search(r"[*}][*{]", pattern)


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
    """Each `*` and each field ends where the text behind it first occurs; the last one goes on to the end of the name.

    What is found is not given back (an atomic group), so that no pattern is slow.
    """
    parts = re.split(r"(\*|\{[a-z_]+\})", pattern)
    texts = ["".join("." if one == "?" else re.escape(one) for one in text) for text in parts[::2]]
    wildcards = [("?:", "*") if one == "*" else (f"?P<{one[1:-1]}>", "+") for one in parts[1::2]]
    found = [f"(?>({group}.{count}?){text})" for (group, count), text in zip(wildcards, texts[1:], strict=True)]
    if wildcards:
        group, count = wildcards[-1]
        found[-1] = f"({group}.{count}){texts[-1]}"
    return re.compile("".join([texts[0], *found]), re.IGNORECASE | re.DOTALL)
