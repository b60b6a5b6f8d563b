from typing import Any

from catalogue.dsrs.versions.superseding import versions_drop_surplus
from catalogue.resources.services import catalogue_refresh, catalogue_state
from catalogue.resources.words import words_index_build
from dsrhub.commands import DsrhubCommand


class Command(DsrhubCommand):
    help = (
        "Drop earlier versions that are kept for too long, register the resources of DSRs that are not catalogued yet, "
        "remove the lines of deleted DSRs, and build the index of words if an earlier release has filled the database."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        versions_drop_surplus()
        before = catalogue_state()
        catalogue_refresh()
        words_index_build()
        after = catalogue_state()
        self.stdout.write(
            f"{before.uncatalogued_count - after.uncatalogued_count} DSRs catalogued, "
            f"{before.leftover_count - after.leftover_count} deleted ones cleared up; "
            f"{after.uncatalogued_count} and {after.leftover_count} still to be done."
        )
