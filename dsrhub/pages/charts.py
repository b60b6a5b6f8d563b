"""Charts of pages. Each stands beside a table that has the same numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dsrhub.values.cells import plain


@dataclass(frozen=True, kw_only=True)
class Series:
    """One number for each label of a chart; None where there is none. `color` numbers the colours from 1."""

    name: str
    values: Sequence[Decimal | int | None]
    color: int = 0


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Bars, or a line for each series. A click on a label's bar or point opens its address.

    `chart_id` is unique on its page. Across, the bars lie, which long names need. A chart with several series has a
    legend, and a chart whose numbers are far apart has a logarithmic axis on demand. Numbers that hardly differ need an
    axis that is not from zero.
    """

    chart_id: str
    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    addresses: Sequence[str] = ()
    unit: str = ""
    is_line: bool = False
    is_across: bool = False
    is_from_zero: bool = True

    @property
    def data_id(self) -> str:
        return f"{self.chart_id}-data"

    @property
    def may_be_logarithmic(self) -> bool:
        """Whether the largest number makes others invisible. Only positive numbers have a logarithm."""
        positive = [value for value in self._numbers() if value > 0]
        return bool(positive) and max(positive) > 50 * min(positive)

    @property
    def has_nonpositive(self) -> bool:
        """Whether a logarithmic axis leaves out numbers: those that are not positive."""
        return any(value <= 0 for value in self._numbers())

    @property
    def data(self) -> dict[str, Any]:
        """What the script draws. It draws with the precision of a float, and shows the exact texts."""
        return {
            "isLine": self.is_line,
            "isAcross": self.is_across,
            "isFromZero": self.is_from_zero,
            "labels": [str(label) for label in self.labels],
            "addresses": list(self.addresses),
            "series": [
                {
                    "name": one.name,
                    "color": one.color or place,
                    "values": [None if value is None else float(value) for value in one.values],
                    "texts": [self._text(value) for value in one.values],
                }
                for place, one in enumerate(self.series, start=1)
            ],
        }

    def _numbers(self) -> list[Decimal | int]:
        return [value for one in self.series for value in one.values if value is not None]

    def _text(self, value: Decimal | int | None) -> str:
        return "" if value is None else f"{plain(value)} {self.unit}".rstrip()
