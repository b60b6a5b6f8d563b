"""Labels and help texts in plain words. No SQL."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0011_shared_dsp_id_index"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="resource",
            options={
                "ordering": ["id"],
                "permissions": [("export_resource", "Can export resources")],
                "verbose_name": "recording",
                "verbose_name_plural": "recordings",
            },
        ),
        migrations.AlterField(
            model_name="dsr",
            name="most_repeats",
            field=models.BigIntegerField(
                default=1,
                editable=False,
                help_text="1 where no DSP ID is repeated.",
                verbose_name="most lines of one recording",
            ),
        ),
        migrations.AlterField(
            model_name="dsr",
            name="path",
            field=models.CharField(
                help_text="The name of the file as it was delivered.", max_length=255, verbose_name="file name"
            ),
        ),
        migrations.AlterField(
            model_name="importjob",
            name="file_sha256",
            field=models.CharField(
                blank=True, help_text="The hash of the packed file that was checked.", max_length=64
            ),
        ),
        migrations.AlterField(
            model_name="importjob",
            name="name",
            field=models.CharField(
                help_text="The name of the file as it was uploaded.", max_length=255, verbose_name="name"
            ),
        ),
        migrations.AlterField(
            model_name="importjob",
            name="preview",
            field=models.JSONField(help_text="The findings of the check, with the first problems.", null=True),
        ),
        migrations.AlterField(
            model_name="importjob",
            name="problems",
            field=models.JSONField(help_text="All kept problems, as long as the file exists.", null=True),
        ),
        migrations.AlterField(
            model_name="importjob",
            name="request_id",
            field=models.CharField(
                blank=True, help_text="The id of the request that queued the present step, for the logs.", max_length=64
            ),
        ),
        migrations.AlterField(
            model_name="importjob",
            name="size",
            field=models.BigIntegerField(help_text="The size of the packed file in bytes.", verbose_name="size"),
        ),
        migrations.AlterField(
            model_name="importjob",
            name="started_at",
            field=models.DateTimeField(help_text="When the present step was last started.", null=True),
        ),
        migrations.AlterField(
            model_name="importjob",
            name="state",
            field=models.CharField(
                choices=[
                    ("to_check", "to be checked"),
                    ("checked", "to be confirmed"),
                    ("to_load", "to be loaded"),
                    ("refused", "refused"),
                    ("done", "done"),
                    ("abandoned", "discarded"),
                ],
                default="to_check",
                max_length=9,
                verbose_name="state",
            ),
        ),
        migrations.AlterField(
            model_name="importjob",
            name="stored_name",
            field=models.CharField(help_text="The name of the file in the upload folder.", max_length=64),
        ),
        migrations.AlterField(
            model_name="importjob",
            name="tries",
            field=models.IntegerField(default=0, help_text="How often the present step was started."),
        ),
        migrations.AlterField(
            model_name="importjob",
            name="upload",
            field=models.CharField(
                help_text="The same for all files of one upload.", max_length=32, verbose_name="upload"
            ),
        ),
        migrations.AlterField(
            model_name="keptranking",
            name="ends",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(null=True),
                help_text="The rank with which the top 1, 2, ... per cent end; empty where it is not known.",
                size=None,
            ),
        ),
        migrations.AlterField(
            model_name="keptranking",
            name="key",
            field=models.CharField(
                help_text="The hash of the state of the DSRs that it was built from.", max_length=64
            ),
        ),
        migrations.AlterField(
            model_name="operatorrate",
            name="note",
            field=models.CharField(
                blank=True, help_text="The origin of the rate.", max_length=200, verbose_name="note"
            ),
        ),
        migrations.AlterField(
            model_name="resource",
            name="dsp_id",
            field=models.TextField(db_collation="C", verbose_name="DSP ID"),
        ),
        migrations.AlterField(
            model_name="usageline",
            name="dsp_id",
            field=models.TextField(db_collation="C", verbose_name="DSP ID"),
        ),
        migrations.AlterField(
            model_name="wantedranking",
            name="dsr_numbers",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.IntegerField(), help_text="The DSRs in scope.", size=None
            ),
        ),
        migrations.AlterField(
            model_name="wantedranking",
            name="key",
            field=models.CharField(
                help_text="The hash of the state of the DSRs when it was requested.", max_length=64, unique=True
            ),
        ),
    ]
