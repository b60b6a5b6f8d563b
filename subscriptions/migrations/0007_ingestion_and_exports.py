import django.db.models.deletion
from django.db import migrations, models

import dsrhub.values.fields

# Exports are read again after a crash. Without a log, they cost half as much to write.
UNLOGGED = """
ALTER TABLE subscriptions_usageexport SET UNLOGGED;
ALTER TABLE subscriptions_exportedusage SET UNLOGGED;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("subscriptions", "0006_internal_names"),
    ]

    operations = [
        migrations.CreateModel(
            name="UsageExport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("question", models.CharField(max_length=64)),
                ("as_of", models.DateTimeField(null=True)),
                ("row_count", models.BigIntegerField(default=0)),
                ("last_place", models.BigIntegerField(default=0)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "verbose_name": "usage export",
                "default_permissions": (),
            },
        ),
        migrations.AlterModelOptions(
            name="subscription",
            options={
                "ordering": ["id"],
                "permissions": [
                    ("export_subscription", "Can export subscriptions and their daily usage"),
                    ("ingest_usage", "Can send usage records over the REST API"),
                ],
                "verbose_name": "subscription",
                "verbose_name_plural": "subscriptions",
            },
        ),
        migrations.CreateModel(
            name="ExportedUsage",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "export", "place", "usage_type", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("place", models.BigIntegerField()),
                (
                    "usage_type",
                    models.CharField(
                        choices=[("data", "data"), ("voice", "voice")],
                        db_collation="C",
                        max_length=5,
                        verbose_name="usage type",
                    ),
                ),
                ("day", models.DateField(null=True)),
                ("price", dsrhub.values.fields.NumericField()),
                ("amount", dsrhub.values.fields.NumericField()),
                (
                    "subscription",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="subscriptions.subscription",
                        verbose_name="subscription",
                    ),
                ),
                (
                    "export",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="subscriptions.usageexport",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.RunSQL(UNLOGGED, migrations.RunSQL.noop),
    ]
