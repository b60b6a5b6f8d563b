"""The store of an address. What S3 and SFTP need is imported only if an address needs it."""

from importlib import import_module
from pathlib import Path
from typing import cast

from django.core.exceptions import ImproperlyConfigured

from dsrhub.stores.addresses import Address
from dsrhub.stores.interface import Store
from dsrhub.stores.local import LocalStore

REMOTE = {"s3": ("dsrhub.stores.s3", "S3Store"), "sftp": ("dsrhub.stores.sftp", "SFTPStore")}


def store_of(address: Address) -> Store:
    """Raises ImproperlyConfigured where a package is missing."""
    if address.scheme == "file":
        return LocalStore(Path(address.path))
    module, name = REMOTE[address.scheme]
    try:
        kind = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise ImproperlyConfigured(
            f"{address} needs the packages of docs/requirements-folders.txt, and {error.name} is not installed."
        ) from error
    return cast(Store, kind(address))
