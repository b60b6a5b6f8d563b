"""The scopes that people asked about. Old servers and workers do not use the table."""

from django.db import migrations, models

# A question writes to it, and must not wait for the disk. After a crash, the next questions fill it again.
UNLOGGED = "ALTER TABLE catalogue_askedscope SET UNLOGGED"


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0029_internal_names"),
    ]

    operations = [
        migrations.CreateModel(
            name="AskedScope",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("territory", models.TextField(null=True)),
                ("period_start", models.DateField(null=True)),
                ("period_end", models.DateField(null=True)),
                ("dsp", models.TextField(null=True)),
                ("asked_at", models.DateTimeField()),
                ("key", models.CharField(blank=True, max_length=64)),
                ("state", models.CharField(blank=True, max_length=64)),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("territory", "period_start", "period_end", "dsp"),
                        name="asked_scope_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.RunSQL(UNLOGGED, migrations.RunSQL.noop),
    ]
