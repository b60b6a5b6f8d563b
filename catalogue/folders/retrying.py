"""Refused deliveries that are to be tried again: their files move back into the drop folder."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.utils import timezone

from catalogue.exceptions import FileInTheWay, FolderBusy, FolderOutOfReach, RefusedDeliveryNotFound
from catalogue.folders.arriving import is_semaphore
from catalogue.folders.claims import OWN, REFUSED, result_read, result_write
from catalogue.models import DropFolder
from dsrhub.database import locks
from dsrhub.logs.audit import audit
from dsrhub.models import Action
from dsrhub.stores.addresses import Address
from dsrhub.stores.interface import Store, failure_text
from dsrhub.stores.opening import store_of
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.wording import listed, printable

LONGEST_NAME = 255


def delivery_retry(*, address: Address, name: str) -> list[str]:
    """Move the files of a refused delivery back into its folder, and return their names.

    The next look imports them when they have rested. The delivery's folder and its result stay, and say when it was
    tried again. `name` is that of its folder in `refused`.

    Raises RefusedDeliveryNotFound, FolderBusy, FileInTheWay and FolderOutOfReach. Only after FolderOutOfReach may some
    of the files have moved: the same again moves the others.
    """
    row, _is_new = DropFolder.objects.get_or_create(address=address.shown)
    store = store_of(address)
    with _locked(row):
        try:
            with store.opened(), transaction.atomic():
                names = _require_files(store, name)
                audit(Action.DELIVERY_RETRIED, row, details={"delivery": name, "files": names})
                _put_back(store, f"{REFUSED}/{name}", names)
        except store.errors as error:
            text = _("%(folder)s: the folder is out of reach: %(why)s") % {
                "folder": address.shown,
                "why": failure_text(error),
            }
            raise FolderOutOfReach(text) from error
    return names


@contextmanager
def _locked(row: DropFolder) -> Iterator[None]:
    if not locks.DROP_FOLDERS.try_take(row.pk):
        text = _("%(folder)s: deliveries are just being imported there. Try again when it is done.")
        raise FolderBusy(text % {"folder": row.address})
    try:
        yield
    finally:
        locks.DROP_FOLDERS.give_back(row.pk)


def _require_files(store: Store, name: str) -> list[str]:
    """The files of a refused delivery, semaphores last, none of which is in the way of another one."""
    is_name = name not in ("", ".", "..") and len(name) <= LONGEST_NAME and "/" not in name and name.isprintable()
    names = [file.name for file in store.files(f"{REFUSED}/{name}")] if is_name else []
    names = sorted(
        (one for one in names if one not in OWN and not one.startswith(".")), key=lambda one: (is_semaphore(one), one)
    )
    if not names:
        text = _("There is no refused delivery %(name)s with files to try again.")
        raise RefusedDeliveryNotFound(text % {"name": printable(name, LONGEST_NAME)}, name=name)
    present = {file.name for file in store.files("")}
    if in_the_way := [printable(one, LONGEST_NAME) for one in names if one in present]:
        text = _(
            "Files of the same name are in the folder: %(names)s. Nothing was moved. Try again when they are gone."
        )
        raise FileInTheWay(text % {"names": listed(in_the_way)}, names=in_the_way)
    return names


def _put_back(store: Store, folder: str, names: list[str]) -> None:
    for name in names:
        store.put_back(folder, name)
    result = result_read(store, folder) or {"state": REFUSED}
    result["tried_again"] = timezone.now().isoformat(timespec="seconds")
    result_write(store, folder, result)
