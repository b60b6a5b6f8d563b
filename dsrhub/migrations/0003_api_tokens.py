import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# They act in the database, so that servers of the release before can delete users.
CONSTRAINTS = """
    ALTER TABLE dsrhub_apitoken
        ADD CONSTRAINT dsrhub_apitoken_user FOREIGN KEY (user_id) REFERENCES auth_user ON DELETE CASCADE,
        ADD CONSTRAINT dsrhub_apitoken_created_by FOREIGN KEY (created_by_id) REFERENCES auth_user ON DELETE SET NULL
"""
DROP_CONSTRAINTS = """
    ALTER TABLE dsrhub_apitoken DROP CONSTRAINT dsrhub_apitoken_user, DROP CONSTRAINT dsrhub_apitoken_created_by
"""
# A user has at most one token in the old table. Nobody knew until now that tokens expire: they get the whole time.
COPY = """
    INSERT INTO dsrhub_apitoken
        (user_id, name, prefix, hash, fingerprint, created_at, expires_at, in_old_table)
    SELECT user_id, '', left(key, 8), encode(sha256(convert_to(key, 'UTF8')), 'hex'),
        encode(sha256(convert_to(password, 'UTF8')), 'hex'), created, now() + %s * interval '1 day', true
    FROM authtoken_token JOIN auth_user ON auth_user.id = user_id
"""
# Until now the id of a logged token was that of its user. It would be the id of another token now.
LOG = """
    UPDATE django_admin_log SET object_id = NULL FROM django_content_type AS type
    WHERE type.id = content_type_id AND type.app_label = 'dsrhub' AND type.model = 'apitoken'
"""


def copy_tokens(apps, schema_editor):
    schema_editor.execute(COPY, [settings.DSRHUB_TOKEN_DAYS])


class Migration(migrations.Migration):
    dependencies = [
        ("dsrhub", "0002_audit_log"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("authtoken", "0004_alter_tokenproxy_options"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        # The proxy of the old table, which has no table of its own. The permissions on tokens stay.
        migrations.DeleteModel(name="ApiToken"),
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        help_text="The program or the person that uses the token.", max_length=100, verbose_name="name"
                    ),
                ),
                ("prefix", models.CharField(max_length=8, verbose_name="starts with")),
                ("hash", models.CharField(max_length=64, unique=True)),
                ("fingerprint", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("expires_at", models.DateTimeField(verbose_name="expires at")),
                ("last_used_at", models.DateTimeField(null=True, verbose_name="last used at")),
                ("in_old_table", models.BooleanField(default=False)),
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
                        related_name="api_tokens",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "token",
                "verbose_name_plural": "tokens",
                "default_permissions": ("add", "delete", "view"),
            },
        ),
        migrations.RunSQL(CONSTRAINTS, DROP_CONSTRAINTS),
        migrations.RunPython(copy_tokens, migrations.RunPython.noop),
        migrations.RunSQL(LOG, migrations.RunSQL.noop),
    ]
