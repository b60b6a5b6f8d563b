from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0035_shipped_templates"),
    ]

    operations = [
        migrations.CreateModel(
            name="IncomingLines",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("dsr_number", models.IntegerField(unique=True)),
                ("partition", models.IntegerField()),
                ("load", models.IntegerField(db_index=True)),
            ],
            options={
                "default_permissions": (),
            },
        ),
    ]
