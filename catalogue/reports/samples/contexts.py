"""The sales contexts of sample messages: the offers of a sender in the first markets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from catalogue.reports.samples.markets import MARKETS, SERVICES, Market
from catalogue.reports.samples.senders import Sender

STREAMS = ("OnDemandStream", "ConditionalDownload")
AD_FUNDED_STREAMS = ("NonInteractiveStream", "OnDemandStream")
DOWNLOADS = ("PermanentDownload",)
EUR_PER_DOWNLOAD = 0.69
# One context in this many has no sales.
WITHOUT_SALES = 7
# The share of the declared usages that the lines of a context have: all, or those of a repertoire.
REPERTOIRES = (1, 0.62, 0.35, 1, 0.08)


@dataclass(frozen=True)
class Sales:
    """An offer under a commercial model. Sales lines state one of the use types if the summary does not."""

    offer: str
    model: str
    use_types: Sequence[str]
    eur_per_usage: float

    @property
    def is_ad_funded(self) -> bool:
        return self.model == "AdvertisementSupportedModel"

    @property
    def is_shop(self) -> bool:
        return self.model == "PayAsYouGoModel"


@dataclass(frozen=True)
class SampleContext:
    summary_id: int
    sales: Sales
    market: Market
    has_sales: bool


def _sales_of(sender: Sender) -> list[Sales]:
    found = []
    for service in SERVICES:
        if service.dsp == sender.dsp:
            is_ad_funded = service.offer == "AdSupported"
            model = "AdvertisementSupportedModel" if is_ad_funded else "SubscriptionModel"
            found.append(
                Sales(service.offer, model, AD_FUNDED_STREAMS if is_ad_funded else STREAMS, service.eur_per_usage)
            )
    if sender.has_shop:
        found.append(Sales("Shop", "PayAsYouGoModel", DOWNLOADS, EUR_PER_DOWNLOAD))
    if sender.is_later:
        return found
    # Earlier versions have a context for each use type.
    places = max(len(sales.use_types) for sales in found)
    return [
        replace(sales, use_types=sales.use_types[place : place + 1])
        for place in range(places)
        for sales in found
        if place < len(sales.use_types)
    ]


def contexts_of(sender: Sender, dsrs: int) -> list[SampleContext]:
    """The first `dsrs` contexts of a sender."""
    sales_of_sender = _sales_of(sender)
    contexts = []
    for number in range(dsrs):
        turn, place = divmod(number, len(sales_of_sender))
        partner, market = divmod(turn, len(MARKETS))
        sales = sales_of_sender[place]
        if partner:
            # Offers of a phone company or another partner.
            sales = replace(sales, offer=f"{sales.offer}-Partner{partner}")
        contexts.append(SampleContext(number + 1, sales, MARKETS[market], number % WITHOUT_SALES != WITHOUT_SALES - 1))
    return contexts
