from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [("authtoken", "0004_alter_tokenproxy_options")]

    operations = [
        migrations.CreateModel(
            name="Tally",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("count", models.IntegerField()),
                ("ends_at", models.DateTimeField(db_index=True)),
            ],
            options={"default_permissions": ()},
        ),
        migrations.RunSQL("ALTER TABLE dsrhub_tally SET UNLOGGED", "ALTER TABLE dsrhub_tally SET LOGGED"),
        migrations.CreateModel(
            name="ApiToken",
            fields=[],
            options={
                "verbose_name": "token",
                "verbose_name_plural": "tokens",
                "proxy": True,
                "default_permissions": ("add", "delete", "view"),
                "indexes": [],
                "constraints": [],
            },
            bases=("authtoken.tokenproxy",),
        ),
    ]
