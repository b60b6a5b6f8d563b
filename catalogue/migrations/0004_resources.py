from django.db import migrations, models

# Real columns, as the database answers from an index alone only where the index has columns: what a new DSR does not
# change is told without reading a resource. Together they are 128 bits of the key and all that is described.
HASHES = """
ALTER TABLE catalogue_resource
    ADD dsp_id_hash bigint GENERATED ALWAYS AS (hashtextextended(dsp_id, 0)) STORED,
    ADD fingerprint bigint GENERATED ALWAYS AS (
        hash_record_extended(ROW(dsp::text, dsp_id, title, artists, isrc), 1)
    ) STORED;
CREATE INDEX catalogue_resource_known ON catalogue_resource (dsp_id_hash, fingerprint);
"""

# To browse and to search. Delivered texts have no length bound, and what an index holds has.
SEARCH = """
CREATE INDEX catalogue_resource_title ON catalogue_resource
    ((title IS NULL), (lower(left(coalesce(title, ''), 100)) COLLATE "C"), id);
CREATE INDEX catalogue_resource_dsp_id ON catalogue_resource (left(dsp_id, 100), id);
CREATE INDEX catalogue_resource_isrc ON catalogue_resource (left(isrc, 15)) WHERE isrc IS NOT NULL;
CREATE INDEX catalogue_resource_words ON catalogue_resource USING gin
    (to_tsvector('simple', coalesce(title, '') || ' ' || coalesce(artists, '')));
"""


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0003_ecb_rates")]

    operations = [
        migrations.CreateModel(
            name="Resource",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("dsp", models.CharField(max_length=100, verbose_name="DSP")),
                ("dsp_id", models.TextField(db_collation="C", verbose_name="dsp_id")),
                ("title", models.TextField(null=True, verbose_name="title")),
                ("artists", models.TextField(help_text="Separated by |.", null=True, verbose_name="artists")),
                ("isrc", models.TextField(null=True, verbose_name="ISRC")),
            ],
            options={"ordering": ["id"]},
        ),
        migrations.RunSQL(HASHES, migrations.RunSQL.noop),
        migrations.RunSQL(SEARCH, migrations.RunSQL.noop),
        migrations.AddField(
            model_name="dsr",
            name="is_catalogued",
            field=models.BooleanField(
                default=False, editable=False, help_text="Its resources are registered.", verbose_name="catalogued"
            ),
        ),
        migrations.AddField(
            model_name="leftoverlines",
            name="dsp",
            field=models.CharField(default="", max_length=100, verbose_name="DSP"),
        ),
        migrations.AddField(
            model_name="leftoverlines",
            name="is_catalogued",
            field=models.BooleanField(default=False),
        ),
    ]
