"""What version 49 of the Unicode CLDR changed since 47, for databases that were made before it.

Bulgaria's local currency is the euro since 2026. XAD is new in ISO 4217, and CLDR has no name for it yet. Four names
are spelled otherwise. CNX, which ISO 4217 never had, is not in CLDR any more, and stays where it is.
"""

from django.db import migrations

# The code, the name in version 47, and the name now.
TERRITORIES = [
    ("HM", "Heard & McDonald Islands", "Heard Island & McDonald Islands"),
    ("SH", "St. Helena", "St. Helena, Ascension & Tristan da Cunha"),
    ("TF", "French Southern Territories", "French Southern and Antarctic Lands"),
]
CURRENCIES = [("KGS", "Kyrgystani Som", "Kyrgyz Som")]


def renew_currencies_and_territories(apps, schema_editor):
    Currency = apps.get_model("catalogue", "Currency")
    Territory = apps.get_model("catalogue", "Territory")
    Currency.objects.update_or_create(code="XAD", defaults={"name": "Arab Accounting Dinar", "symbol": "XAD"})
    for code, before, now in CURRENCIES:
        Currency.objects.filter(code=code, name=before).update(name=now)
    for code, before, now in TERRITORIES:
        Territory.objects.filter(code_2=code, name=before).update(name=now)
    Territory.objects.filter(code_2="BG", local_currency="BGN").update(local_currency="EUR")


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0036_incoming_lines")]

    operations = [migrations.RunPython(renew_currencies_and_territories, migrations.RunPython.noop)]
