"""What a delivery is about."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal


@dataclass(frozen=True)
class SalesContext:
    """What one DSR is about, and the key under which it is ingested once. Both days belong to the period.

    Only messages of DDEX have a commercial model, a use type and a subscriber type.
    """

    dsp: str
    offer: str
    society: str | None
    territory: str
    currency: str
    period_start: date
    period_end: date
    commercial_model: str | None = None
    use_type: str | None = None
    subscriber_type: str | None = None

    @property
    def beside_period(self) -> "SalesContext":
        """The same context of every period, to be compared with those of others."""
        return replace(self, period_start=date.min, period_end=date.max)

    def __str__(self) -> str:
        names = [name for name in (self.dsp, self.offer, self.society) if name is not None]
        kinds = [f", {kind}" for kind in (self.commercial_model, self.use_type, self.subscriber_type) if kind]
        return (
            f"{' '.join(names)}, {self.territory}, {self.currency}, {self.period_start} to {self.period_end}"
            f"{''.join(kinds)}"
        )


@dataclass(frozen=True)
class Declared:
    """What a message declares for one of its contexts. Unknown values are None.

    `summary_id` is the id of the context in its message.
    """

    summary_id: str
    usages: Decimal | None
    revenue: Decimal | None
    subscribers: Decimal | None


@dataclass(frozen=True)
class Party:
    """A sender or a recipient, by its name and its DDEX party id (DPID) as delivered."""

    name: str
    party_id: str | None


@dataclass(frozen=True)
class DescribedContext:
    """A sales context as a delivery describes it; its names are those that the sender and the recipient use.

    `dsp` is the party whose name the context has as its DSP, and `declared` what its lines can be compared with; both
    are None where the format has neither. `line_count` is the number of its lines, where it is known before they are
    loaded.
    """

    context: SalesContext
    dsp: Party | None = None
    declared: Declared | None = None
    line_count: int | None = None


@dataclass(frozen=True)
class MessageFacts:
    """What a message says about itself. `created` is the text of its time of creation.

    `template_version` is the id of the version of the template that reads it; None for messages of DDEX.
    """

    sender: Party
    recipient: Party
    message_id: str
    created: str
    profile: str
    profile_version: str
    period_start: date
    period_end: date
    file_count: int
    template_version: int | None = None


@dataclass(frozen=True)
class MessagePart:
    """Which file of a message a file is: `number` of `count`, from 1.

    `sender` is the party id of the sender, or its name where it has none. Together with the message id, it identifies
    the message.
    """

    sender: str
    message_id: str
    number: int
    count: int


@dataclass(frozen=True)
class Contents:
    """The sales contexts of a delivery, one or more, no two of them with the same key. Each becomes a DSR.

    `message` is None where the delivery is no message.
    """

    contexts: Sequence[DescribedContext]
    message: MessageFacts | None = None
