"""Names of models in the list of permissions. Nothing changes in the database."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("subscriptions", "0005_texts"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="dailyusage",
            options={"verbose_name": "daily usage"},
        ),
        migrations.AlterModelOptions(
            name="monthlyusage",
            options={"verbose_name": "monthly usage"},
        ),
        migrations.AlterModelOptions(
            name="purgedusage",
            options={"verbose_name": "purged usage"},
        ),
        migrations.AlterModelOptions(
            name="totalusage",
            options={"verbose_name": "total usage"},
        ),
        migrations.AlterModelOptions(
            name="usagemark",
            options={"verbose_name": "usage mark"},
        ),
    ]
