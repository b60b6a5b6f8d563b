import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# It acts in the database, so that servers of the release before can delete users.
CONSTRAINT = """
    ALTER TABLE dsrhub_userlanguage
        ADD CONSTRAINT dsrhub_userlanguage_user FOREIGN KEY (user_id) REFERENCES auth_user ON DELETE CASCADE
"""
DROP_CONSTRAINT = "ALTER TABLE dsrhub_userlanguage DROP CONSTRAINT dsrhub_userlanguage_user"


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("dsrhub", "0004_folded"),
    ]

    operations = [
        migrations.CreateModel(
            name="UserLanguage",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("language", models.CharField(max_length=10)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.RunSQL(CONSTRAINT, DROP_CONSTRAINT),
    ]
