from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0025_kept_artists"),
    ]

    operations = [
        # Two columns that may be null: no row is written, and the workers of the version before leave them alone.
        migrations.AddField(
            model_name="importjob",
            name="message_parts",
            field=models.JSONField(help_text="What the message is made of, to say it in any language.", null=True),
        ),
        migrations.AddField(
            model_name="rejecteddelivery",
            name="reason_parts",
            field=models.JSONField(help_text="What the reason is made of, to say it in any language.", null=True),
        ),
        migrations.AlterField(
            model_name="importjob",
            name="message",
            field=models.CharField(blank=True, help_text="In English.", max_length=1000, verbose_name="message"),
        ),
        migrations.AlterField(
            model_name="rejecteddelivery",
            name="reason",
            field=models.CharField(help_text="In English.", max_length=500, verbose_name="reason"),
        ),
    ]
