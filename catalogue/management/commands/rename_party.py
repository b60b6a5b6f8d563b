from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from catalogue.models import PartyAlias
from catalogue.resources.renaming import party_rename
from dsrhub.commands import DsrhubCommand


class Command(DsrhubCommand):
    help = "Rename a DSP or a society in all DSRs, in one step. Aliases for later messages do not change."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("role", choices=PartyAlias.Role.values, help="whose name it is")
        parser.add_argument("old", metavar="OLD", help="the present name, such as 'Spotify AB'")
        parser.add_argument("new", metavar="NEW", help="the new name, such as Spotify")

    def handle(self, *args: Any, **options: Any) -> None:
        role, old, new = PartyAlias.Role(options["role"]), options["old"], options["new"]
        count = party_rename(role=role, name=old, known_as=new)
        if not count and old != new:
            raise CommandError(f"No DSR has the {role.label} {old!r}.")
        self.stdout.write(f"DSRs renamed: {count:,}.")
