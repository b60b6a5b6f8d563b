"""Names of models and fields that are shown in pages. Nothing changes in the database."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0027_problem_excerpt"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="currency",
            options={"ordering": ["code"], "verbose_name": "currency", "verbose_name_plural": "currencies"},
        ),
        migrations.AlterModelOptions(
            name="ecbrate",
            options={"ordering": ["-day", "currency"], "verbose_name": "ECB rate", "verbose_name_plural": "ECB rates"},
        ),
        migrations.AlterModelOptions(
            name="importjob",
            options={
                "default_permissions": (),
                "ordering": ["-id"],
                "verbose_name": "import job",
                "verbose_name_plural": "import jobs",
            },
        ),
        migrations.AlterModelOptions(
            name="operatorrate",
            options={
                "ordering": ["currency", "period_start", "period_end"],
                "verbose_name": "operator rate",
                "verbose_name_plural": "operator rates",
            },
        ),
        migrations.AlterModelOptions(
            name="ratechange",
            options={
                "ordering": ["-changed_at", "-id"],
                "verbose_name": "rate change",
                "verbose_name_plural": "rate changes",
            },
        ),
        migrations.AlterModelOptions(
            name="rejecteddelivery",
            options={
                "ordering": ["-delivered_at"],
                "verbose_name": "rejected delivery",
                "verbose_name_plural": "rejected deliveries",
            },
        ),
        migrations.AlterModelOptions(
            name="reportmessage",
            options={"ordering": ["-id"], "verbose_name": "message", "verbose_name_plural": "messages"},
        ),
        migrations.AlterModelOptions(
            name="reportproblem",
            options={"ordering": ["id"], "verbose_name": "report problem", "verbose_name_plural": "report problems"},
        ),
        migrations.AlterModelOptions(
            name="territory",
            options={"ordering": ["code_2"], "verbose_name": "territory", "verbose_name_plural": "territories"},
        ),
        migrations.AlterField(
            model_name="operatorrate",
            name="entered_by",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="entered by",
            ),
        ),
        migrations.AlterField(
            model_name="ratechange",
            name="dsr",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="rate_changes",
                to="catalogue.dsr",
                verbose_name="DSR",
            ),
        ),
        migrations.AlterField(
            model_name="reportproblem",
            name="dsr",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="problems",
                to="catalogue.dsr",
                verbose_name="DSR",
            ),
        ),
        migrations.AlterField(
            model_name="reportproblem",
            name="message",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="problems",
                to="catalogue.reportmessage",
                verbose_name="message",
            ),
        ),
        migrations.AlterField(
            model_name="reportproblem",
            name="rejection",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="problems",
                to="catalogue.rejecteddelivery",
                verbose_name="rejected delivery",
            ),
        ),
    ]
