"""What a delivery is about."""

from dataclasses import dataclass, replace
from datetime import date


@dataclass(frozen=True)
class SalesContext:
    """What one DSR is about, and the key under which it is ingested once. Both days belong to the period."""

    dsp: str
    offer: str
    society: str | None
    territory: str
    currency: str
    period_start: date
    period_end: date

    @property
    def beside_period(self) -> "SalesContext":
        """The same context of every period, to be compared with those of others."""
        return replace(self, period_start=date.min, period_end=date.max)

    def __str__(self) -> str:
        names = [name for name in (self.dsp, self.offer, self.society) if name is not None]
        return f"{' '.join(names)}, {self.territory}, {self.currency}, {self.period_start} to {self.period_end}"
