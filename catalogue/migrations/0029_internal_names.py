"""Names of models in the list of permissions. Nothing changes in the database."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0028_texts"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="leftoverlines",
            options={"verbose_name": "leftover lines", "verbose_name_plural": "leftover lines"},
        ),
        migrations.AlterModelOptions(
            name="usageline",
            options={"ordering": ["line_number"], "verbose_name": "usage line"},
        ),
    ]
