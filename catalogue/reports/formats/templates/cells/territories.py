"""The codes of territories and currencies, and the names of territories in several languages, from the Unicode CLDR."""

import re
from collections.abc import Mapping, Sequence
from functools import cache

from babel import Locale
from babel.core import get_global

# What ISO 3166-1 leaves to its users, as in the table of territories.
OTHER_TERRITORIES = {"WW", "ZZ"}
PSEUDO_TERRITORIES = {"XA", "XB"}
# Names that senders write and CLDR does not have, such as those of ISO 3166-1 itself, or has no more.
OTHER_NAMES = {
    "bolivarian republic of venezuela": "VE",
    "bolivia, plurinational state of": "BO",
    "bosnia and herzegovina": "BA",
    "brunei darussalam": "BN",
    "burma": "MM",
    "cabo verde": "CV",
    "congo, the democratic republic of the": "CD",
    "cote d'ivoire": "CI",
    "czech republic": "CZ",
    "england": "GB",
    "french southern territories": "TF",
    "great britain": "GB",
    "heard and mcdonald islands": "HM",
    "holland": "NL",
    "hong kong": "HK",
    "iran, islamic republic of": "IR",
    "ivory coast": "CI",
    "korea, republic of": "KR",
    "lao people's democratic republic": "LA",
    "macao": "MO",
    "macau": "MO",
    "macedonia": "MK",
    "moldova, republic of": "MD",
    "myanmar": "MM",
    "palestine": "PS",
    "palestine, state of": "PS",
    "republic of korea": "KR",
    "republic of moldova": "MD",
    "russian federation": "RU",
    "région indéterminée": "ZZ",
    "st. helena": "SH",
    "swaziland": "SZ",
    "syrian arab republic": "SY",
    "taiwan, province of china": "TW",
    "tanzania, united republic of": "TZ",
    "the netherlands": "NL",
    "turkey": "TR",
    "uk": "GB",
    "united states of america": "US",
    "usa": "US",
    "venezuela, bolivarian republic of": "VE",
    "viet nam": "VN",
    "world": "WW",
    "worldwide": "WW",
}


@cache
def territory_codes() -> frozenset[str]:
    """ISO 3166-1, `XK`, `WW` and `ZZ`."""
    codes = {str(code) for code in Locale("en").territories if re.fullmatch("[A-Z]{2}", str(code))}
    return frozenset(codes - PSEUDO_TERRITORIES | OTHER_TERRITORIES)


@cache
def currency_codes() -> frozenset[str]:
    """ISO 4217, past currencies included."""
    codes = {str(code) for code in get_global("all_currencies") if re.fullmatch("[A-Z]{3}", str(code))}
    return frozenset(codes | {"EUR"})


def folded(text: str) -> str:
    """The text as maps compare it: in any case, with single spaces, and one kind of apostrophe and of `and`."""
    return " ".join(text.replace("’", "'").replace("&", " and ").casefold().split())


def territory_names(languages: Sequence[str]) -> Mapping[str, str]:
    """The code of each folded name in these languages. A name that several territories share is left out."""
    return _names(tuple(languages))


@cache
def _names(languages: tuple[str, ...]) -> Mapping[str, str]:
    names = dict(OTHER_NAMES) if languages else {}
    ambiguous = set()
    for language in languages:
        for code, name in Locale(language).territories.items():
            if code in territory_codes() and names.setdefault(folded(name), code) != code:
                ambiguous.add(folded(name))
    return {name: code for name, code in names.items() if name not in ambiguous}
