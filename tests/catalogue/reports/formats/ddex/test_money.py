"""The allocation of revenue: amounts calculated by hand, and what always holds."""

from random import Random

import pytest

from catalogue.reports.cells import CellError
from catalogue.reports.formats.ddex.money import Allocation


def allocated(revenue, declared, *usages, at_once=2):
    """The revenue of each line with the rounding rest, and what is not allocated; as texts.

    `at_once` lines are added at a time.
    """
    allocation = Allocation(revenue, declared)
    found = []
    for first in range(0, len(usages), at_once):
        part = usages[first : first + at_once]
        shares = allocation.shares(part)
        allocation.add(part, shares)
        found += shares
    lines = [text.decode() for _, text in found]
    if usages:
        largest = usages.index(max(usages))
        lines[largest] = allocation.with_rest(found[largest]).decode()
    return lines, None if allocation.unallocated is None else f"{allocation.unallocated:f}"


@pytest.mark.parametrize(
    ("revenue", "declared", "usages", "lines", "unallocated"),
    [
        ("700.00", "1000", [600, 50, 250, -7], ["420", "35", "175", "-4.9"], "74.9"),
        # The last digit goes to the first of the lines with the most usages.
        ("10", "3", [1, 1, 1], ["3.333333333334", "3.333333333333", "3.333333333333"], "0"),
        ("10", "300", [100, 20, 80], ["3.333333333334", "0.666666666666", "2.666666666666"], "3.333333333334"),
        ("1", "7", [1, 2], ["0.142857142857", "0.285714285714"], "0.571428571429"),
        # All usages found: all of the revenue, to its last digit.
        ("0.00000000000001", "3", [1, 1, 1], ["0.00000000000001", "0", "0"], "0"),
        ("1.5", "7.5", [5, 2], ["1", "0.4"], "0.1"),
        # More usages than declared.
        ("10", "2", [1, 4], ["5", "20"], "-15"),
        # Negative amounts are rounded down, too.
        ("-1", "3", [1, 1], ["-0.333333333333", "-0.333333333334"], "-0.333333333333"),
        ("1", "3", [-1], ["-0.333333333334"], "1.333333333334"),
        ("5", "10", [], [], "5"),
        ("5", "0", [2, 3], ["", ""], "5"),
        ("0", "0", [2, 3], ["0", "0"], "0"),
        ("0.00", "10", [2], ["0"], "0"),
        (None, "10", [2], [""], None),
    ],
)
def test_revenue_is_allocated_by_usages(revenue, declared, usages, lines, unallocated):
    assert allocated(revenue, declared, *usages) == (lines, unallocated)


def test_allocated_revenue_is_exact_to_the_last_digit():
    """20,000 cases: lines are rounded down by less than a unit, and together they have their part, rounded down."""
    random = Random(20260930)  # noqa: S311 - the same cases each time
    for _ in range(20_000):
        decimals, shift = random.choice([0, 2, 2, 6, 12, 13, 20]), random.choice([0, 0, 0, 1, 3])
        scale = max(12, decimals)
        revenue, declared = random.randint(-(10**6), 10**14), random.randint(1, 10**9)
        usages = [random.choice([1, 1, 7, -3, 250, 10**12]) for _ in range(random.randint(1, 4))]

        lines, unallocated = allocated(
            written(revenue, decimals), written(declared, shift), *usages, at_once=random.randint(1, 4)
        )

        # All amounts in units of the last decimal; those of `shares` divided by the declared usages.
        whole, lines, rest = (
            revenue * 10 ** (scale - decimals),
            [units(one, scale) for one in lines],
            units(unallocated, scale),
        )
        shares, found = [whole * one * 10**shift for one in usages], whole * sum(usages) * 10**shift
        assert sum(lines) + rest == whole
        assert 0 <= found - sum(lines) * declared < declared
        largest = usages.index(max(usages))
        for at, (share, line) in enumerate(zip(shares, lines, strict=True)):
            assert at == largest or 0 <= share - line * declared < declared
        if 0 <= sum(usages) * 10**shift <= declared and whole >= 0:
            assert rest >= 0
        if sum(usages) * 10**shift == declared:
            assert rest == 0


def written(number, decimals):
    """A number of units as senders write it."""
    digits = f"{abs(number):0{decimals + 1}}"
    whole, part = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    return f"{'-' if number < 0 else ''}{whole}{'.' if part else ''}{part}"


def units(text, decimals):
    """How many units of the last decimal an amount has."""
    whole, _, part = text.partition(".")
    assert len(part) <= decimals
    return int(whole + part.ljust(decimals, "0"))


def test_an_amount_out_of_range_is_refused():
    allocation = Allocation("9" * 30, "1")
    assert allocation.shares([1]) == [(int("9" * 30) * 10**12, b"9" * 30)]
    with pytest.raises(CellError, match="number_out_of_range"):
        allocation.shares([1, 2])


@pytest.mark.parametrize(("declared", "is_more"), [("3", True), ("3.5", True), ("4", False), ("4.5", False)])
def test_more_usages_than_declared_are_noticed(declared, is_more):
    allocation = Allocation("1", declared)
    allocation.add([4], allocation.shares([4]))
    assert allocation.has_more_than_declared is is_more
