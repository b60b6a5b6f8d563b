from typing import Any

from catalogue.resources.services import catalogue_refresh, catalogue_state
from dsrhub.commands import DsrhubCommand


class Command(DsrhubCommand):
    help = "Register the resources of DSRs that are not catalogued yet, and remove the lines of deleted DSRs."

    def handle(self, *args: Any, **options: Any) -> None:
        before = catalogue_state()
        catalogue_refresh()
        after = catalogue_state()
        self.stdout.write(
            f"{before.uncatalogued_count - after.uncatalogued_count} DSRs catalogued, "
            f"{before.leftover_count - after.leftover_count} deleted ones cleared up; "
            f"{after.uncatalogued_count} and {after.leftover_count} still to be done."
        )
