import logging
import signal
import time
from argparse import ArgumentParser, BooleanOptionalAction
from typing import Any

import psycopg2
from django.conf import settings
from django.core.management.base import CommandError
from django.db import Error, connection

from catalogue.folders.watching import FolderOptions, FolderWatch, options_of_settings
from catalogue.resources.services import catalogue_refresh
from dsrhub import __version__
from dsrhub.commands import DsrhubCommand, whole_number
from dsrhub.stores.addresses import Address, parsed_address

logger = logging.getLogger(__name__)

# Seconds between two checks whether it is time to look again, or to end.
PAUSE = 0.5


class Command(DsrhubCommand):
    help = (
        "Import what services put into drop folders, and move it to done or refused with what became of it. Workers do "
        "the same with the folders of DSRHUB_FOLDERS. Any number of both may run."
    )

    is_stopping = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        defaults = options_of_settings()
        parser.add_argument(
            "folders",
            nargs="*",
            metavar="FOLDER",
            help="an absolute path, s3://bucket/path or sftp://user@host/path (default: DSRHUB_FOLDERS)",
        )
        parser.add_argument(
            "--replace",
            action=BooleanOptionalAction,
            default=defaults.replace,
            help="replace an earlier DSR that has the same key and different content",
        )
        parser.add_argument(
            "--drop-missing",
            action=BooleanOptionalAction,
            default=defaults.drop_missing,
            help="with --replace: also delete the DSRs of replaced messages whose contexts the new message lacks",
        )
        parser.add_argument(
            "--rest-seconds",
            type=whole_number,
            default=defaults.rest_seconds,
            metavar="N",
            help="take a file that has not changed for N seconds",
        )
        parser.add_argument(
            "--semaphores-only",
            action=BooleanOptionalAction,
            default=defaults.semaphores_only,
            help="take no file without its semaphore (.ctrl)",
        )
        parser.add_argument(
            "--once", action="store_true", help="take what has arrived by the end of the rest, then exit"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        watches = _watches(options)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(self, "is_stopping", True))
        if options["once"]:
            self._look_once(watches, options["rest_seconds"])
            return
        logger.info("dsrhub %s", __version__)
        self.stdout.write(f"Watching {', '.join(watch.address for watch in watches)}.")
        while not self.is_stopping:
            try:
                self._look(watches)
            except (Error, psycopg2.Error) as error:
                logger.warning("the database is unreachable: %s", error)
                connection.close()
            self._wait(settings.DSRHUB_FOLDER_PAUSE_SECONDS)

    def _look_once(self, watches: list[FolderWatch], rest_seconds: int) -> None:
        self._look(watches)
        if rest_seconds:
            self._wait(rest_seconds)
            self._look(watches)

    def _look(self, watches: list[FolderWatch]) -> None:
        looks = [watch.look(is_alive=self._is_alive) for watch in watches if self._is_alive()]
        if any(look.ended for look in looks):
            catalogue_refresh()

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while self._is_alive() and time.monotonic() < end:
            time.sleep(min(PAUSE, seconds))

    def _is_alive(self) -> bool:
        return not self.is_stopping


def _watches(options: dict[str, Any]) -> list[FolderWatch]:
    addresses = list(map(_address, options["folders"])) or settings.DSRHUB_FOLDERS
    if not addresses:
        raise CommandError("There is no folder to watch: name one, or set DSRHUB_FOLDERS.")
    names = ("replace", "drop_missing", "rest_seconds", "semaphores_only")
    chosen = FolderOptions(**{name: options[name] for name in names})
    return [FolderWatch(address=address, options=chosen) for address in dict.fromkeys(addresses)]


def _address(text: str) -> Address:
    address = parsed_address(text)
    if address.password is not None:
        raise CommandError("A password on the command line can be read by others: put the address into DSRHUB_FOLDERS.")
    return address
