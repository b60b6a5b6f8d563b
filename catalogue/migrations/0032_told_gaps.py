from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0031_units"),
    ]

    operations = [
        migrations.CreateModel(
            name="ToldGap",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("dsp", models.CharField(max_length=100)),
                ("offer", models.CharField(max_length=100)),
                ("society", models.CharField(max_length=100, null=True)),
                ("territory", models.CharField(max_length=2)),
                ("currency", models.CharField(max_length=3)),
                ("month", models.DateField(help_text="Its first day.")),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("dsp", "offer", "society", "territory", "currency", "month"),
                        name="told_gap_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
    ]
