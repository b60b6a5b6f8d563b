from typing import Any

from dsrhub.commands import DsrhubCommand
from subscriptions.records.repeats import RepeatedUsage, repeated_usage


class Command(DsrhubCommand):
    help = (
        "List the raw records that an earlier release stored more than once under one external id of a subscription. "
        "Each counts. Change nothing: delete the records that are too many in the admin."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        count = 0
        for repeated in repeated_usage():
            count += 1
            self.stdout.write(_text(repeated))
        self.stdout.write(f"{count:,} external id{'s' * (count != 1)} with more than one record.")


def _text(repeated: RepeatedUsage) -> str:
    records = ", ".join(f"{number} ({day})" for number, day in zip(repeated.record_ids, repeated.days, strict=True))
    return (
        f"{repeated.usage_type}: subscription {repeated.subscription}, external id {repeated.external_id!r}: "
        f"records {records}"
    )
