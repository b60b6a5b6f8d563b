from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0006_import_jobs")]

    operations = [
        migrations.AddField(
            model_name="importjob",
            name="request_id",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Of the request that asked for the present step: logs are kept under it.",
                max_length=64,
            ),
            preserve_default=False,
        ),
    ]
