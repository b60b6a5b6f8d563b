import django.contrib.postgres.fields
from django.db import migrations, models

import dsrhub.values.fields

# Sums whose state is the number itself, and arrays that are put together: with few lines for each of many resources
# they take a third of the memory of `sum` and `array_agg`. Arrays are not combined, so no plan adds up in parts.
AGGREGATES = """
CREATE AGGREGATE catalogue_sum(numeric) (
    SFUNC = numeric_add, STYPE = numeric, COMBINEFUNC = numeric_add, PARALLEL = SAFE
);
CREATE AGGREGATE catalogue_ids(integer[]) (
    SFUNC = array_cat, STYPE = integer[], PARALLEL = SAFE
);
"""
DROP_AGGREGATES = "DROP AGGREGATE catalogue_sum(numeric); DROP AGGREGATE catalogue_ids(integer[])"

# What can be made again is not logged: after a crash of the server it is gone, wholly.
RANKED_RESOURCES = """
ALTER TABLE catalogue_keptranking SET UNLOGGED;
CREATE UNLOGGED TABLE catalogue_rankedresource (
    ranking integer NOT NULL,
    rank bigint NOT NULL,
    dsp text NOT NULL,
    dsp_id text COLLATE "C" NOT NULL,
    title text,
    artists text,
    isrc text,
    usages numeric,
    revenue numeric NOT NULL,
    running numeric NOT NULL,
    dsrs integer[] NOT NULL,
    PRIMARY KEY (ranking, rank)
);
"""


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0004_resources")]

    operations = [
        migrations.RunSQL(AGGREGATES, DROP_AGGREGATES),
        migrations.CreateModel(
            name="KeptRanking",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                (
                    "key",
                    models.CharField(help_text="A hash of the state of the DSRs that it was made from.", max_length=64),
                ),
                (
                    "ends",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(null=True),
                        help_text="The rank with which the top 1, 2, ... per cent end; empty where that is not known.",
                        size=None,
                    ),
                ),
                ("total", dsrhub.values.fields.NumericField(help_text="All revenue in EUR, to 20 digits.")),
                ("row_count", models.BigIntegerField()),
                ("has_own_table", models.BooleanField()),
                ("used_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["key"], name="kept_ranking_key")],
            },
        ),
        migrations.RunSQL(RANKED_RESOURCES, "DROP TABLE catalogue_rankedresource"),
    ]
