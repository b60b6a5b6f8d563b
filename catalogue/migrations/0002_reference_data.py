from datetime import date

from babel import Locale
from babel.core import get_global
from babel.numbers import get_currency_name, get_currency_symbol, get_territory_currencies
from django.db import migrations

# The day whose local currencies these are: a migration gives the same answer whenever it runs.
AS_OF = date(2026, 11, 1)

# Codes that ISO 3166-1 leaves to its users, and what DSPs mean by them.
OTHER_TERRITORIES = {"WW": "Worldwide", "ZZ": "Unknown or unspecified"}
# Babel's own codes for testing translations.
PSEUDO_TERRITORIES = {"XA", "XB"}


def add_currencies_and_territories(apps, schema_editor):
    """All of ISO 4217, past currencies included, and all of ISO 3166-1, as Babel knows them, in English."""
    Currency = apps.get_model("catalogue", "Currency")
    Territory = apps.get_model("catalogue", "Territory")
    english = Locale("en")

    codes = sorted({code for code in get_global("all_currencies") if len(code) == 3 and code.isalpha()} | {"EUR"})
    Currency.objects.bulk_create(
        Currency(code=code, name=get_currency_name(code, locale=english), symbol=get_currency_symbol(code, english))
        for code in codes
    )
    names = {
        code: name
        for code, name in english.territories.items()
        if len(code) == 2 and code.isalpha() and code not in PSEUDO_TERRITORIES
    } | OTHER_TERRITORIES
    Territory.objects.bulk_create(
        Territory(code_2=code, name=name, local_currency_id=_local_currency(code))
        for code, name in sorted(names.items())
    )


def _local_currency(territory):
    current = get_territory_currencies(territory, start_date=AS_OF, tender=True)
    return current[0] if current else None


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0001_initial")]

    operations = [migrations.RunPython(add_currencies_and_territories, migrations.RunPython.noop)]
