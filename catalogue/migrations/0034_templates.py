"""Templates. Servers and workers of the release before do not know them, and leave the new columns null."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# It acts in the database, so that servers of the release before, which do not know the table, can delete users.
CONSTRAINT = """
ALTER TABLE catalogue_templateversion ADD CONSTRAINT template_version_user FOREIGN KEY (saved_by_id)
REFERENCES auth_user ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED
"""
DROP_CONSTRAINT = "ALTER TABLE catalogue_templateversion DROP CONSTRAINT template_version_user"


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0033_drop_folders"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Template",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, unique=True, verbose_name="name")),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="An inactive template recognises no file, and can still be chosen.",
                        verbose_name="active",
                    ),
                ),
                (
                    "version_number",
                    models.IntegerField(help_text="The number of the latest version.", verbose_name="version"),
                ),
            ],
            options={
                "verbose_name": "template",
                "verbose_name_plural": "templates",
                "ordering": ["name"],
                "permissions": [("export_template", "Can export templates")],
            },
        ),
        migrations.AddField(
            model_name="importjob",
            name="template",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="catalogue.template",
                verbose_name="template",
            ),
        ),
        migrations.CreateModel(
            name="TemplateVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "number",
                    models.IntegerField(
                        help_text="From 1 on, in the order in which they were saved.", verbose_name="version"
                    ),
                ),
                ("definition", models.JSONField(verbose_name="definition")),
                ("saved_at", models.DateTimeField(auto_now_add=True, verbose_name="saved at")),
                (
                    "saved_by",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="saved by",
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="catalogue.template",
                        verbose_name="template",
                    ),
                ),
            ],
            options={
                "verbose_name": "version of a template",
                "verbose_name_plural": "versions of templates",
                "ordering": ["template", "-number"],
                "default_permissions": (),
            },
        ),
        migrations.AddField(
            model_name="importjob",
            name="template_version",
            field=models.ForeignKey(
                help_text="The version of the template that the check used. The file is loaded with the same one.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="catalogue.templateversion",
            ),
        ),
        migrations.AddField(
            model_name="reportmessage",
            name="template_version",
            field=models.ForeignKey(
                blank=True,
                help_text="The version of the template that read it. Messages of DDEX have none.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="%(class)ss",
                to="catalogue.templateversion",
                verbose_name="template",
            ),
        ),
        migrations.AddField(
            model_name="supersededmessage",
            name="template_version",
            field=models.ForeignKey(
                blank=True,
                help_text="The version of the template that read it. Messages of DDEX have none.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="%(class)ss",
                to="catalogue.templateversion",
                verbose_name="template",
            ),
        ),
        migrations.AddConstraint(
            model_name="templateversion",
            constraint=models.UniqueConstraint(fields=("template", "number"), name="template_version_once"),
        ),
        migrations.RunSQL(CONSTRAINT, DROP_CONSTRAINT),
    ]
