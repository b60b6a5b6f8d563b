from typing import Any

from dsrhub.commands import DsrhubCommand
from dsrhub.webhooks.asyncapi import asyncapi_text


class Command(DsrhubCommand):
    help = "Print the AsyncAPI document of the events of webhooks."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(asyncapi_text(), ending="")
