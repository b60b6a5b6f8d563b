import django.contrib.postgres.fields
from django.db import migrations, models

import dsrhub.values.fields

# What can be built again is not logged: after a crash of the server it is gone, wholly.
RANKED_ARTISTS = """
ALTER TABLE catalogue_keptartists SET UNLOGGED;
CREATE UNLOGGED TABLE catalogue_rankedartist (
    ranking integer NOT NULL,
    rank bigint NOT NULL,
    artist text COLLATE "C" NOT NULL,
    recording_count bigint NOT NULL,
    usages numeric NOT NULL,
    revenue numeric NOT NULL,
    running numeric NOT NULL,
    PRIMARY KEY (ranking, rank)
);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0024_declared_totals"),
    ]

    operations = [
        migrations.CreateModel(
            name="KeptArtists",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                (
                    "key",
                    models.CharField(
                        help_text="The hash of the state of the DSRs that it was built from.", max_length=64
                    ),
                ),
                ("credit", models.CharField(help_text="Of a line with several artists: full, or split.", max_length=5)),
                ("row_count", models.BigIntegerField()),
                ("revenue", dsrhub.values.fields.NumericField(help_text="Of all artists.")),
                ("top_revenue", dsrhub.values.fields.NumericField(help_text="Of the first ten.")),
                ("squares", dsrhub.values.fields.NumericField(help_text="The sum of the squares of all.")),
                ("without_lines", models.BigIntegerField(help_text="The number of lines without an artist.")),
                ("without_usages", dsrhub.values.fields.NumericField()),
                ("without_revenue", dsrhub.values.fields.NumericField()),
                ("used_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["key"], name="kept_artists_key")],
            },
        ),
        migrations.CreateModel(
            name="WantedArtists",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "key",
                    models.CharField(
                        help_text="The hash of the state of the DSRs when it was requested.", max_length=64
                    ),
                ),
                ("credit", models.CharField(max_length=5)),
                (
                    "dsr_numbers",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.IntegerField(), help_text="The DSRs in scope.", size=None
                    ),
                ),
                ("wanted_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["id"],
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("key", "credit"), name="wanted_artists_once")],
            },
        ),
        migrations.RunSQL(RANKED_ARTISTS, "DROP TABLE catalogue_rankedartist"),
    ]
