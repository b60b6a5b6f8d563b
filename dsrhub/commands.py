"""The border of the command line."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dsrhub.exceptions import DsrhubError


class DsrhubCommand(BaseCommand):
    """A command that tells what was refused in a line, and ends with an error."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except DsrhubError as error:
            raise CommandError(error.message) from error
