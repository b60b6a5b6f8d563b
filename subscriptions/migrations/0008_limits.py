import django.db.models.deletion
from django.db import migrations, models

import dsrhub.values.fields


class Migration(migrations.Migration):
    dependencies = [
        ("subscriptions", "0007_ingestion_and_exports"),
    ]

    operations = [
        migrations.CreateModel(
            name="LimitMark",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "usage_type",
                    models.CharField(
                        choices=[("data", "data"), ("voice", "voice")],
                        db_collation="C",
                        max_length=5,
                        verbose_name="usage type",
                    ),
                ),
                ("first", models.BigIntegerField()),
                ("last", models.BigIntegerField()),
                ("month", models.DateField(null=True)),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["usage_type", "first"], name="limit_mark_order")],
            },
        ),
        migrations.CreateModel(
            name="LimitCrossing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "usage_type",
                    models.CharField(
                        choices=[("data", "data"), ("voice", "voice")],
                        db_collation="C",
                        max_length=5,
                        verbose_name="usage type",
                    ),
                ),
                (
                    "span",
                    models.CharField(
                        choices=[("month", "calendar month"), ("total", "total")], max_length=5, verbose_name="span"
                    ),
                ),
                (
                    "month",
                    models.DateField(
                        help_text="Its first day. A limit of the total has none.", null=True, verbose_name="month"
                    ),
                ),
                ("day", models.DateField(verbose_name="reached on")),
                ("price_limit", dsrhub.values.fields.NumericField(verbose_name="price limit")),
                (
                    "scope",
                    models.CharField(
                        choices=[("subscription", "subscription"), ("carrier", "carrier"), ("all", "all")],
                        max_length=12,
                        verbose_name="limit of",
                    ),
                ),
                ("found_at", models.DateTimeField(verbose_name="found at")),
                ("withdrawn_at", models.DateTimeField(null=True, verbose_name="withdrawn at")),
                (
                    "subscription",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="subscriptions.subscription",
                        verbose_name="subscription",
                    ),
                ),
            ],
            options={
                "verbose_name": "reached limit",
                "verbose_name_plural": "reached limits",
                "ordering": ["-id"],
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["subscription", "-id"], name="limit_crossing_of_one"),
                    models.Index(fields=["day"], name="limit_crossing_day"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("withdrawn_at__isnull", True)),
                        fields=("subscription", "usage_type", "span", "month"),
                        name="limit_crossing_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PriceLimit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "carrier",
                    models.CharField(
                        blank=True,
                        choices=[("att", "AT&T"), ("sprint", "Sprint")],
                        max_length=6,
                        null=True,
                        verbose_name="carrier",
                    ),
                ),
                (
                    "usage_type",
                    models.CharField(
                        choices=[("data", "data"), ("voice", "voice")],
                        db_collation="C",
                        max_length=5,
                        verbose_name="usage type",
                    ),
                ),
                (
                    "span",
                    models.CharField(
                        choices=[("month", "calendar month"), ("total", "total")], max_length=5, verbose_name="span"
                    ),
                ),
                (
                    "since",
                    models.DateField(
                        blank=True,
                        help_text="The first day of the first month that has the limit. A limit of the total has none.",
                        null=True,
                        verbose_name="since",
                    ),
                ),
                ("price", dsrhub.values.fields.NumericField(verbose_name="price limit")),
                ("changed_at", models.DateTimeField(auto_now=True, verbose_name="changed at")),
                (
                    "subscription",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="subscriptions.subscription",
                        verbose_name="subscription",
                    ),
                ),
            ],
            options={
                "verbose_name": "price limit",
                "verbose_name_plural": "price limits",
                "ordering": ["id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("subscription", "carrier", "usage_type", "span"),
                        name="price_limit_once",
                        nulls_distinct=False,
                        violation_error_message="There is such a limit already. Change that one.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("subscription__isnull", True), ("carrier__isnull", True), _connector="OR"),
                        name="price_limit_of_one_scope",
                        violation_error_message="A limit is for a subscription or for a carrier, not for both.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("since__isnull", True), ("span", "total")),
                            models.Q(("since__day", 1), ("span", "month")),
                            _connector="OR",
                        ),
                        name="price_limit_since_first_day",
                        violation_error_message="A limit of the total has no month.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("price__gt", 0)),
                        name="price_limit_positive",
                        violation_error_message="A price limit is more than zero.",
                    ),
                ],
            },
        ),
    ]
