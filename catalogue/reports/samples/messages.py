"""Which sample messages there are: of each sender one for a month, with its sales contexts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from catalogue.reports.samples.contexts import SampleContext, contexts_of
from catalogue.reports.samples.markets import MONTHS, YEARS, last_day
from catalogue.reports.samples.senders import SENDERS, Sender

# The other samples in data/ are of the first two months: no context there is reported twice.
FIRST_MONTH = 2
MOST_MESSAGES = len(SENDERS) * (MONTHS - FIRST_MONTH)


@dataclass(frozen=True)
class SampleMessage:
    """A message of a sender for a month. Its contexts are those of the first markets and offers."""

    number: int
    sender: Sender
    month: date
    contexts: Sequence[SampleContext]

    @property
    def message_id(self) -> str:
        return f"{self.sender.dsp}-{self.month:%Y%m}-{self.number:06}"

    @property
    def recipient(self) -> str:
        return self.contexts[0].market.society

    @property
    def created(self) -> str:
        return f"{last_day(self.month) + timedelta(days=12):%Y-%m-%dT08:30:00}"

    @property
    def service(self) -> str:
        offers = list(dict.fromkeys(context.sales.offer for context in self.contexts))
        return "-".join(offers) if len(offers) < len(SENDERS) else "all"

    def file_name(self, file: int, files: int) -> str:
        territories = {context.market.territory for context in self.contexts}
        territory = territories.pop() if len(territories) == 1 else "multi"
        created = self.created.replace("-", "").replace(":", "")
        return (
            f"DSR_{self.recipient}_{self.sender.dsp}_{self.service}_{self.month:%Y-%m}_{territory}"
            f"_{file}of{files}_{created}.tsv.gz"
        )


def message_list(messages: int, *, dsrs: int) -> list[SampleMessage]:
    """The first `messages` samples, of `dsrs` sales contexts each. No two have the same sender and month.

    Raises ValueError for fewer than one, and for more than MOST_MESSAGES.
    """
    if not 1 <= messages <= MOST_MESSAGES:
        raise ValueError(f"There are senders and months for 1 to {MOST_MESSAGES} messages, not for {messages}.")
    if dsrs < 1:
        raise ValueError("A message has at least 1 DSR.")
    found = []
    for number in range(messages):
        month, place = divmod(number, len(SENDERS))
        year, month_of_year = divmod(FIRST_MONTH + month, 12)
        sender = SENDERS[place]
        contexts = contexts_of(sender, dsrs)
        found.append(SampleMessage(number + 1, sender, date(YEARS[year], month_of_year + 1, 1), contexts))
    return found
