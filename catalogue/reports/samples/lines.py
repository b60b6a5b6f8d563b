"""What the lines of samples have: which recordings, how many usages, and which cells are blank."""

from collections.abc import Callable, Iterator
from itertools import count
from math import gcd, sqrt
from typing import NamedTuple

# Shares of the lines with blank cells and other defects.
BLANK_TITLES, BLANK_ARTISTS, BLANK_ISRCS, BLANK_USAGES, BLANK_REVENUES = 0.045, 0.045, 0.04, 0.012, 0.02
OTHER_ISRCS = 0.03
DECIMAL_USAGES = 0.002
# About this many recordings are hits; after them, usages fall.
HITS = 25


class Shape(NamedTuple):
    """Which recordings a DSR has, and how much they are used.

    A rank of the catalogue is drawn as `random ** draw`. The usages of a rank are proportional to 1 / `fall(rank)`.
    """

    name: str
    draw: int
    fall: Callable[[float], float]


def eleven_sixteenths(number: float) -> float:
    """`number` to the power of 1/2 + 1/8 + 1/16 = 0.6875. Square roots have the same bits on every machine."""
    half = sqrt(number)
    eighth = sqrt(sqrt(half))
    return half * eighth * sqrt(eighth)


# Revenue is concentrated in hits, as usages fall as 1 / rank.
CONCENTRATED = Shape("concentrated", 2, float)
# Revenue is spread: it takes far more recordings to reach a share of it. For benchmarks.
EVEN = Shape("even", 3, eleven_sixteenths)


def ranks(random: Callable[[], float], *, lines: int, recordings: int, shape: Shape = CONCENTRATED) -> Iterator[int]:
    """As many ranks as `lines`, each a different one of the first `recordings` (at least `lines`) of a catalogue.

    The ranks are divided into as many ranges as there are lines, from short to long, and each line takes one rank of
    its own range: so hits are in every DSR, and rarely used recordings are in few.
    """
    spare, draw, whole = recordings - lines, shape.draw, lines**shape.draw
    # Steps of about the golden section meet every stretch once, and spread the hits over the file.
    step = next(step for step in count(1 + int(lines * 0.618034)) if gcd(step, lines) == 1)
    stretch = int(random() * lines)
    for _ in range(lines):
        stretch = (stretch + step) % lines
        start = stretch + spare * stretch**draw // whole
        stop = stretch + 1 + spare * (stretch + 1) ** draw // whole
        yield start + int(random() * (stop - start))


def usages_at(random: Callable[[], float], rank: int, *, usages_of_a_hit: int, shape: Shape = CONCENTRATED) -> int:
    return 1 + int(usages_of_a_hit * shape.fall(HITS) / shape.fall(HITS + rank) / sqrt(1 - random()))
