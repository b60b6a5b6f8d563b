from itertools import islice

import django.db.models.deletion
from django.db import migrations, models

from dsrhub.texts.spelling import plain_external_id

TABLES = {"data": "subscriptions_datausagerecord", "voice": "subscriptions_voiceusagerecord"}
LONGEST_ID = 255
# The expression leaves out the ids that have only one form: see dsrhub.texts.spelling.PLAIN_ID.
POSSIBLE = """
SELECT subscription_id, external_id FROM {table}
WHERE external_id IS NOT NULL AND external_id !~ '^[!-~]+( [!-~]+)*$'
"""


def list_ids(apps, schema_editor):
    """List the stored ids with another plain form. Reads each raw record once, without locks or much memory."""
    model = apps.get_model("subscriptions", "UnplainExternalId")
    for usage_type, table in TABLES.items():
        with schema_editor.connection.chunked_cursor() as cursor:
            cursor.execute(POSSIBLE.format(table=table))
            found = (
                model(usage_type=usage_type, subscription_id=subscription, plain_id=plain, external_id=external_id)
                for subscription, external_id in cursor
                if external_id != (plain := plain_external_id(external_id)) and len(plain) <= LONGEST_ID
            )
            while some := list(islice(found, 1000)):
                model.objects.bulk_create(some, ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0003_help_texts")]

    operations = [
        migrations.CreateModel(
            name="UnplainExternalId",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "usage_type",
                    models.CharField(
                        choices=[("data", "data"), ("voice", "voice")],
                        db_collation="C",
                        max_length=5,
                        verbose_name="usage type",
                    ),
                ),
                ("plain_id", models.CharField(db_collation="C", max_length=255)),
                ("external_id", models.CharField(db_collation="C", max_length=255)),
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
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("usage_type", "subscription", "plain_id", "external_id"),
                        name="unplain_external_id_once",
                    )
                ],
            },
        ),
        migrations.RunPython(list_ids, migrations.RunPython.noop),
    ]
