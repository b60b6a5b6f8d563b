import django.contrib.auth.models
import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# They act in the database, so that servers of the release before can delete users.
CONSTRAINTS = """
    ALTER TABLE dsrhub_apikey
        ADD CONSTRAINT dsrhub_apikey_user FOREIGN KEY (user_id) REFERENCES auth_user ON DELETE CASCADE,
        ADD CONSTRAINT dsrhub_apikey_created_by FOREIGN KEY (created_by_id) REFERENCES auth_user ON DELETE SET NULL
"""
DROP_CONSTRAINTS = """
    ALTER TABLE dsrhub_apikey DROP CONSTRAINT dsrhub_apikey_user, DROP CONSTRAINT dsrhub_apikey_created_by
"""


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("dsrhub", "0005_userlanguage"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="KeyUser",
            fields=[],
            options={
                "proxy": True,
                "default_permissions": (),
                "indexes": [],
                "constraints": [],
            },
            bases=("auth.user",),
            managers=[
                ("objects", django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(help_text="The program that uses the key.", max_length=100, verbose_name="name"),
                ),
                ("prefix", models.CharField(max_length=20, unique=True, verbose_name="starts with")),
                ("hash", models.CharField(max_length=64)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20), size=None, verbose_name="scopes"
                    ),
                ),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("expires_at", models.DateTimeField(verbose_name="expires at")),
                ("rotated_at", models.DateTimeField(null=True, verbose_name="rotated at")),
                ("last_used_at", models.DateTimeField(null=True, verbose_name="last used at")),
                (
                    "created_by",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="created by",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="api_keys",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
            ],
            options={
                "verbose_name": "API key",
                "verbose_name_plural": "API keys",
                "default_permissions": ("add", "delete", "view"),
            },
        ),
        migrations.RunSQL(CONSTRAINTS, DROP_CONSTRAINTS),
    ]
