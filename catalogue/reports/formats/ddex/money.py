"""The share of a line in the revenue of its summary, in whole numbers.

In Basic Audio only summaries have revenue. A line gets NetRevenue x its usages / the declared usages of the summary,
rounded down. What rounding alone leaves goes to the first of the lines with most usages, so that the lines together
have NetRevenue x their usages / the declared usages, rounded down. The rest of NetRevenue is not allocated: the
declared usages cover all recordings of the context, and a report may list only those of one repertoire.
"""

from collections.abc import Iterable
from decimal import Decimal

from catalogue.reports.cells import CellError
from catalogue.reports.problems import CommonError
from dsrhub.values.numbers import INTEGER_DIGITS

# The decimals of an allocated amount; more where NetRevenue has more.
DECIMALS = 12

# The revenue of a line: in units of the last decimal, and as a plain number, blank where there is none.
Share = tuple[int, bytes]


class Allocation:
    """The allocation of a NetRevenue to lines, which are added in any order.

    Lines have no revenue where NetRevenue is not known, and where there is one but no usages were declared.
    """

    def __init__(self, net_revenue: str | None, declared_usages: str, most_shares: int = 0) -> None:
        """Both amounts are plain numbers (see `plain_number`).

        Most lines have few usages. So the shares of `most_shares` different numbers of usages are remembered.
        """
        decimals = max(DECIMALS, _decimals(net_revenue or ""))
        self._decimals = decimals
        self._limit = 10 ** (INTEGER_DIGITS + decimals)
        shift = _decimals(declared_usages)
        self._shift: int = 10**shift
        self._net = _scaled(net_revenue or "0", decimals)
        # NetRevenue / declared usages, in units of the last decimal.
        self._numerator: int = self._net * self._shift
        self._denominator = _scaled(declared_usages, shift)
        self.is_possible = net_revenue is not None and (self._denominator != 0 or self._net == 0)
        self._is_known = net_revenue is not None
        self.usages = 0
        self._allocated = 0
        self._most_shares = most_shares
        self._shares: dict[int, Share] = {}

    def shares(self, usages: Iterable[int]) -> list[Share]:
        """The shares of lines with these usages. It changes nothing. Raises CellError: number_out_of_range."""
        known = self._shares
        return [known.get(one) or self._share(one) for one in usages]

    def add(self, usages: Iterable[int], shares: Iterable[Share]) -> None:
        """Add lines with these usages and shares."""
        self.usages += sum(usages)
        self._allocated += sum(amount for amount, _ in shares)

    def with_rest(self, share: Share) -> bytes:
        """The revenue of the line with most usages, after all lines are added: its share and what rounding left."""
        if not self.is_possible:
            return b""
        return plain(share[0] + self._floor(self.usages) - self._allocated, self._decimals)

    def _share(self, usages: int) -> Share:
        amount = self._floor(usages)
        if abs(amount) >= self._limit:
            raise CellError(CommonError.NUMBER_OUT_OF_RANGE)
        share = amount, plain(amount, self._decimals) if self.is_possible else b""
        if len(self._shares) < self._most_shares:
            self._shares[usages] = share
        return share

    def _floor(self, usages: int) -> int:
        return self._numerator * usages // self._denominator if self._denominator else 0

    @property
    def unallocated(self) -> Decimal | None:
        """What is left of NetRevenue, None where it is not known. Final after the last line."""
        if not self._is_known:
            return None
        return Decimal(plain(self._net - self._floor(self.usages), self._decimals).decode())

    @property
    def has_more_than_declared(self) -> bool:
        """Whether the lines have more usages than the summary declares."""
        return self.usages * self._shift > self._denominator


def plain(amount: int, decimals: int) -> bytes:
    """The number `amount` / 10 ** `decimals` without trailing zeros."""
    digits = b"%0*d" % (decimals + 1, abs(amount))
    number = (digits[:-decimals] + b"." + digits[-decimals:]).rstrip(b"0").rstrip(b".")
    return b"-" + number if amount < 0 else number


def _decimals(number: str) -> int:
    return len(number.partition(".")[2])


def _scaled(number: str, decimals: int) -> int:
    whole, _, part = number.partition(".")
    return int(whole + part.ljust(decimals, "0"))
