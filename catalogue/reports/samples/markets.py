"""Who reports in the samples, from where and when."""

from calendar import monthrange
from datetime import date
from typing import NamedTuple


class Service(NamedTuple):
    dsp: str
    offer: str
    names_society: bool
    eur_per_usage: float


class Market(NamedTuple):
    territory: str
    currency: str
    society: str
    units_per_eur: float
    usages_of_a_hit: int


SERVICES = (
    Service("Spotify", "FamilyPlan", False, 0.0031),
    Service("YouTube", "MusicPremium", True, 0.0052),
    Service("Spotify", "Duo", False, 0.0034),
    Service("Deezer", "Premium", False, 0.0056),
    Service("Spotify", "AdSupported", False, 0.0011),
    Service("YouTube", "AdSupported", True, 0.0006),
    Service("Spotify", "Student", False, 0.0024),
    Service("Deezer", "Family", False, 0.0043),
    Service("AppleMusic", "Individual", False, 0.0058),
    Service("AmazonMusic", "Unlimited", True, 0.0039),
    Service("Tidal", "HiFi", False, 0.0060),
)
# The ECB published rates of all these currencies throughout YEARS. `units_per_eur` is a rough exchange rate.
MARKETS = (
    Market("ES", "EUR", "SGAE", 1, 900_000),
    Market("NO", "NOK", "TONO", 11, 150_000),
    Market("GB", "GBP", "PRS", 0.86, 1_600_000),
    Market("US", "USD", "ASCAP", 1.1, 6_000_000),
    Market("JP", "JPY", "JASRAC", 140, 1_100_000),
    Market("CH", "CHF", "SUISA", 1, 180_000),
    Market("DE", "EUR", "GEMA", 1, 1_800_000),
    Market("FR", "EUR", "SACEM", 1, 1_300_000),
    Market("SE", "SEK", "STIM", 11, 260_000),
    Market("DK", "DKK", "KODA", 7.45, 140_000),
    Market("PL", "PLN", "ZAIKS", 4.5, 500_000),
    Market("BR", "BRL", "UBC", 5.8, 2_600_000),
    Market("IT", "EUR", "SIAE", 1, 1_000_000),
    Market("NL", "EUR", "BUMA", 1, 450_000),
    Market("CZ", "CZK", "OSA", 25, 130_000),
    Market("HU", "HUF", "ARTISJUS", 380, 110_000),
    Market("MX", "MXN", "SACM", 21, 2_200_000),
    Market("CA", "CAD", "SOCAN", 1.47, 800_000),
    Market("PT", "EUR", "SPA", 1, 120_000),
    Market("AU", "AUD", "APRA", 1.63, 600_000),
    Market("KR", "KRW", "KOMCA", 1400, 700_000),
    Market("TR", "TRY", "MESAM", 25, 900_000),
    Market("ZA", "ZAR", "SAMRO", 19, 170_000),
    Market("IN", "INR", "IPRS", 88, 2_000_000),
)
YEARS = range(2020, 2026)
MONTHS = 12 * len(YEARS)


def last_day(month: date) -> date:
    return month.replace(day=monthrange(month.year, month.month)[1])
