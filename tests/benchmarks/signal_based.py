"""The usual way to keep daily sums: a signal for each saved record reads the sum of the day, adds to it and writes it.

It serves as a reference in benchmarks. It loses usage: bulk inserts send no signal, and two writers that read the same
sum overwrite each other.
"""

from django.db import connection, models, transaction
from django.db.models.signals import post_save  # noqa: TID251 - this is what the benchmark measures


class SignalRecord(models.Model):
    subscription_number = models.BigIntegerField(db_index=True)
    usage_date = models.DateTimeField()
    day = models.DateField()
    price = models.DecimalField(max_digits=20, decimal_places=6)
    kilobytes_used = models.BigIntegerField()

    class Meta:
        app_label = "benchmarks"

    def __str__(self):
        return str(self.pk)


class SignalDailyUsage(models.Model):
    subscription_number = models.BigIntegerField()
    day = models.DateField()
    price = models.DecimalField(max_digits=20, decimal_places=6, default=0)
    kilobytes_used = models.BigIntegerField(default=0)

    class Meta:
        app_label = "benchmarks"
        constraints = [models.UniqueConstraint(fields=["subscription_number", "day"], name="signal_daily_usage_once")]

    def __str__(self):
        return str(self.pk)


def add_to_day(sender, instance, created, **kwargs):
    daily, _ = SignalDailyUsage.objects.get_or_create(
        subscription_number=instance.subscription_number, day=instance.day
    )
    daily.price += instance.price
    daily.kilobytes_used += instance.kilobytes_used
    daily.save()


def create_tables():
    with connection.schema_editor() as editor:
        editor.create_model(SignalRecord)
        editor.create_model(SignalDailyUsage)
    post_save.connect(add_to_day, SignalRecord)


def add(event):
    with transaction.atomic():
        SignalRecord.objects.create(
            subscription_number=event.subscription,
            usage_date=event.usage_date,
            day=event.usage_date.date(),
            price=event.price,
            kilobytes_used=event.amount,
        )
