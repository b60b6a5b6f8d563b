"""Territories of summaries: ISO 3166-1 codes, numbers of countries (TIS), and a few wider or narrower ones."""

from babel.core import get_global

WORLD = "WW"
WORLDWIDE = ("worldwide", "2136")
# Parts of Spain that some senders report apart.
PARTS = {"ES-CE": "ES", "ES-CN": "ES", "ES-ML": "ES"}
# TIS numbers of groups of countries: Africa, Europe, ...
FIRST_GROUP, LAST_GROUP = 2100, 2136
# Numbers of countries that are gone. Some of their numbers are those of a present country with other borders.
PAST_COUNTRIES = {"200", "230", "249", "278", "280", "532", "582", "720", "736", "810", "886", "890", "891"}

# Numbers from this one on are for private use. CLDR has codes for them that are no countries.
FIRST_PRIVATE_USE = "900"


def territory_code(text: str) -> str | None:
    """The two letters of a territory, None where it has none. Whether two letters are a territory is not checked."""
    if text.casefold() in WORLDWIDE:
        return WORLD
    if text.isascii() and text.isdigit():
        return _country(f"{int(text):03}") if len(text) <= len("0276") else None
    code = PARTS.get(text.upper(), text.upper())
    return code if len(code) == len(WORLD) and code.isascii() and code.isalpha() else None


def is_group(text: str) -> bool:
    return text.isascii() and text.isdigit() and FIRST_GROUP <= int(text[:5]) <= LAST_GROUP


def _country(number: str) -> str | None:
    # CLDR lists the ISO numbers of countries as aliases of their codes.
    codes: list[str] = get_global("territory_aliases").get(number, [])
    is_present = number < FIRST_PRIVATE_USE and number not in PAST_COUNTRIES
    return codes[0] if len(codes) == 1 and is_present else None
