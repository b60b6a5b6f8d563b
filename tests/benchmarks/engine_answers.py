"""Compare the lists of resources of two engines, place by place. Without Django, and one resource at a time."""

import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple


class Listed(NamedTuple):
    """A resource in an answer: its key, what describes it, and its exact revenue in EUR."""

    key: tuple[str, str]
    description: tuple[Any, ...]
    revenue: Decimal


class Differences(NamedTuple):
    """How many resources the reference has, and the other answer; how many places have another resource; how many of
    the other places have other usages, texts or DSRs; and the largest difference of revenue there, in EUR."""

    expected: int
    count: int
    places: int
    descriptions: int
    revenue: Decimal

    def __str__(self) -> str:
        if self.expected != self.count or self.places or self.descriptions:
            text = (
                f"DIFFERENT: {self.places:,} places of {self.expected:,} have another resource ({self.count:,} are "
                f"listed), {self.descriptions:,} other usages, texts or DSRs"
            )
        else:
            text = f"the same {self.expected:,} resources in the same order"
        return f"{text}; revenue differs by {self.revenue:.0e} EUR at most" if self.revenue else text


def listed(row: Mapping[str, Any], dsp: str) -> Listed:
    """A blank text is None or "", and a number may be text."""
    texts = (row.get(name) or None for name in ("title", "artists", "isrc"))
    usages = row.get("usages")
    description = (*texts, None if usages is None else int(usages), tuple(row["dsrs"]))
    return Listed((dsp, row["dsp_id"]), description, Decimal(row["revenue"]))


def answer_of_dsrhub(pieces: Iterable[bytes], dsps: Mapping[int, str]) -> Iterator[Listed]:
    """The resources of an answer with `exact=true`, whose pieces have whole objects. The DSRs tell the DSP."""
    for piece in pieces:
        for row in json.loads(b"[%b]" % piece.strip(b"[,]")):
            yield listed(row, dsps[row["dsrs"][0]])


def answer_of_engine(path: Path) -> Iterator[Listed]:
    """The resources of a file with a JSON object on each line."""
    with path.open("rb") as file:
        for line in file:
            row = json.loads(line)
            yield listed(row, row["dsp"])


def differences(expected: Iterable[Listed], found: Iterable[Listed]) -> Differences:
    counts, places, descriptions, revenue = [0, 0], 0, 0, Decimal()
    for pair in zip_longest(expected, found):
        ours, theirs = pair
        counts = [count + (one is not None) for count, one in zip(counts, pair, strict=True)]
        if ours is None or theirs is None or ours.key != theirs.key:
            places += 1
        else:
            descriptions += ours.description != theirs.description
            revenue = max(revenue, abs(ours.revenue - theirs.revenue))
    return Differences(*counts, places, descriptions, revenue)
