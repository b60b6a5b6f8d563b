from django.db import migrations

import dsrhub.values.fields


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0023_versions"),
    ]

    operations = [
        migrations.AddField(
            model_name="importjob",
            name="declared_lines",
            field=dsrhub.values.fields.NumericField(null=True, verbose_name="declared lines"),
        ),
        migrations.AddField(
            model_name="importjob",
            name="declared_revenue",
            field=dsrhub.values.fields.NumericField(
                help_text="In the currency of the file.", null=True, verbose_name="declared revenue"
            ),
        ),
        migrations.AddField(
            model_name="importjob",
            name="declared_usages",
            field=dsrhub.values.fields.NumericField(null=True, verbose_name="declared usages"),
        ),
    ]
