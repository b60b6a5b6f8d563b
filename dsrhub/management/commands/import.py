"""Closes a command of django-import-export, which writes rows of any model, without a check or an audit entry."""  # noqa: N999 - the name of the command

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from dsrhub.commands import DsrhubCommand


class Command(DsrhubCommand):
    help = "Closed. Use import_dsr or import_usage."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("words", nargs="*")

    def handle(self, *args: Any, **options: Any) -> None:
        raise CommandError("Use import_dsr or import_usage: this command would write rows without any check.")
