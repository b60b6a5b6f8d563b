"""Names of territories and currencies in the active language, from the Unicode CLDR.

In English, and for a code that CLDR does not name, it is the name that the database has. That one is in data, too.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from babel import Locale
from django.db.models import CharField, Func, Lookup, TextField
from django.utils.translation import get_language, to_locale

Names = Mapping[str, str]

# CLDR's code of the whole world.
WORLD = {"WW": "001"}


def territory_names() -> Names:
    """The names that are shown instead of stored ones, by code."""
    return _names(get_language() or "en")[0]


def currency_names() -> Names:
    """The names that are shown instead of stored ones, by code."""
    return _names(get_language() or "en")[1]


@cache
def _names(language: str) -> tuple[Names, Names]:
    if language.partition("-")[0] == "en":
        return {}, {}
    locale = Locale.parse(to_locale(language))
    territories = {**locale.territories}
    return territories | {code: territories[known] for code, known in WORLD.items()}, {**locale.currencies}


# --- In SQL ----------------------------------------------------------------------------------------------------


class ShownName(Func):
    """The shown name of a territory or a currency, folded: the order of a list. It takes the code and the stored name.

    `names` returns what is shown instead of stored names.
    """

    output_field = TextField()

    def __init__(self, code: str, name: str, names: Callable[[], Names]) -> None:
        super().__init__(code, name)
        self.names = names

    def as_sql(self, compiler: Any, connection: Any, *_: Any, **__: Any) -> tuple[str, tuple[Any, ...]]:
        code, name = (compiler.compile(expression) for expression in self.get_source_expressions())
        sql = f"dsrhub_folded(coalesce(%s::jsonb ->> {code[0]}, {name[0]}))"
        return sql, (json.dumps(self.names()), *code[1], *name[1])


class _Named(Lookup):
    """Whether a code has a shown name that contains a text, both folded: see `docs/decisions/search.md`."""

    names: Callable[[], Names]

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        code, code_parameters = self.process_lhs(compiler, connection)
        part, part_parameters = self.process_rhs(compiler, connection)
        sql = (
            f"{code} IN (SELECT key FROM jsonb_each_text(%s::jsonb) "  # noqa: S608 - no value is in it
            f"WHERE strpos(dsrhub_folded(value), dsrhub_folded({part})) > 0)"
        )
        return sql, (*code_parameters, json.dumps(type(self).names()), *part_parameters)


@CharField.register_lookup
class TerritoryNamed(_Named):
    lookup_name, names = "territory_named", staticmethod(territory_names)


@CharField.register_lookup
class CurrencyNamed(_Named):
    lookup_name, names = "currency_named", staticmethod(currency_names)


NAMED = (TerritoryNamed.lookup_name, CurrencyNamed.lookup_name)
