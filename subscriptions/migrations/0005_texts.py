"""Names of models and fields that are shown in pages. Nothing changes in the database."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("subscriptions", "0004_unplain_external_ids"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="datausagerecord",
            options={
                "ordering": ["-id"],
                "permissions": [
                    ("import_datausagerecord", "Can import data usage records in the admin"),
                    ("export_datausagerecord", "Can export data usage records"),
                ],
                "verbose_name": "data usage record",
                "verbose_name_plural": "data usage records",
            },
        ),
        migrations.AlterModelOptions(
            name="sealedday",
            options={
                "ordering": ["-day", "usage_type"],
                "verbose_name": "sealed day",
                "verbose_name_plural": "sealed days",
            },
        ),
        migrations.AlterModelOptions(
            name="subscription",
            options={
                "ordering": ["id"],
                "permissions": [("export_subscription", "Can export subscriptions and their daily usage")],
                "verbose_name": "subscription",
                "verbose_name_plural": "subscriptions",
            },
        ),
        migrations.AlterModelOptions(
            name="voiceusagerecord",
            options={
                "ordering": ["-id"],
                "permissions": [
                    ("import_voiceusagerecord", "Can import voice usage records in the admin"),
                    ("export_voiceusagerecord", "Can export voice usage records"),
                ],
                "verbose_name": "voice usage record",
                "verbose_name_plural": "voice usage records",
            },
        ),
    ]
