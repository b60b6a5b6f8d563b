from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0008_wanted_rankings")]

    operations = [
        migrations.AddField(
            model_name="importjob",
            name="problems",
            field=models.JSONField(null=True, help_text="All that it kept, as long as the file is there."),
        ),
        migrations.AlterField(
            model_name="importjob",
            name="preview",
            field=models.JSONField(null=True, help_text="What the check found, and the first of its problems."),
        ),
    ]
