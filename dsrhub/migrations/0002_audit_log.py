import django.utils.timezone
from django.db import migrations, models

import dsrhub.models

# TRUNCATE stays possible: only the owner of the table can do it.
APPEND_ONLY = """
CREATE FUNCTION dsrhub_auditentry_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit log can only be appended to.';
END
$$;
CREATE TRIGGER dsrhub_auditentry_append_only BEFORE UPDATE OR DELETE ON dsrhub_auditentry
    FOR EACH ROW EXECUTE FUNCTION dsrhub_auditentry_refuse();
"""
CHANGEABLE = """
DROP TRIGGER dsrhub_auditentry_append_only ON dsrhub_auditentry;
DROP FUNCTION dsrhub_auditentry_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("dsrhub", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="time")),
                ("user_number", models.BigIntegerField(null=True, verbose_name="user id")),
                ("user_name", models.CharField(blank=True, max_length=150, verbose_name="user")),
                ("door", models.CharField(choices=dsrhub.models.door_choices, max_length=10, verbose_name="door")),
                (
                    "address",
                    models.CharField(blank=True, help_text="Of the client.", max_length=45, verbose_name="address"),
                ),
                (
                    "action",
                    models.CharField(choices=dsrhub.models.action_choices, max_length=40, verbose_name="action"),
                ),
                ("object_type", models.CharField(max_length=100, verbose_name="object type")),
                ("object_id", models.CharField(blank=True, max_length=64, verbose_name="object id")),
                ("object_name", models.CharField(blank=True, max_length=255, verbose_name="object")),
                ("details", models.JSONField(default=dict, verbose_name="details")),
                ("request_id", models.CharField(blank=True, max_length=64, verbose_name="request id")),
            ],
            options={
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit entries",
                "ordering": ["-at", "-id"],
                "permissions": [("export_auditentry", "Can export the audit log")],
                "default_permissions": ("view",),
                "indexes": [models.Index(fields=["-at", "-id"], name="audit_entry_order")],
            },
        ),
        migrations.RunSQL(APPEND_ONLY, CHANGEABLE),
    ]
