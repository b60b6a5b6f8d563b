"""Questions about the looks of processes at drop folders: when the last one was, how it went, and whether one works
there now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from catalogue.models import DropFolder
from dsrhub.database import locks
from dsrhub.stores.addresses import Address

# Looks that are missed before nobody looks at a folder any more.
MISSED_LOOKS = 10
# Folders of the command that are not in the settings.
MOST_OTHERS = 50
# A folder counts for this long after its last look, and at most this many folders do.
RECENT, MOST_RECENT = timedelta(days=7), 100


@dataclass(frozen=True)
class Looked:
    """When a process looked at a folder last, how that went, and whether one works there now."""

    row: DropFolder | None
    is_working: bool

    @property
    def is_late(self) -> bool:
        """Whether nobody looks at the folder, as it should be by the settings."""
        if self.is_working:
            return False
        pause = timedelta(seconds=settings.DSRHUB_FOLDER_PAUSE_SECONDS * MISSED_LOOKS)
        return self.row is None or self.row.looked_at is None or self.row.looked_at < timezone.now() - pause


def looks_at(addresses: Sequence[Address]) -> dict[str, Looked]:
    """The last look at each of these folders, by their addresses without passwords."""
    names = [address.shown for address in addresses]
    rows = {row.address: row for row in DropFolder.objects.filter(address__in=names)}
    working = locks.DROP_FOLDERS.held_numbers()
    found = {address: Looked(row, row.pk in working) for address, row in rows.items()}
    return {name: found.get(name, Looked(None, is_working=False)) for name in names}


def other_folders(addresses: Sequence[Address]) -> list[DropFolder]:
    """The first of the folders that processes looked at, and that are none of these."""
    others = DropFolder.objects.exclude(address__in=[address.shown for address in addresses])
    return list(others.order_by("address")[:MOST_OTHERS])


def recent_folders() -> list[DropFolder]:
    """The first of the folders that a process looked at lately."""
    recent = DropFolder.objects.filter(looked_at__gt=timezone.now() - RECENT)
    return list(recent.order_by("address")[:MOST_RECENT])
