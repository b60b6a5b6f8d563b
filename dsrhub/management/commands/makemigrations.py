from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from django.core.management.commands import makemigrations
from django.db import connection


class Command(makemigrations.Command):
    """Django's command, whose `--check` compares the models with the migration files and needs no database.

    Django also checks the history of migrations in the database, which would start the embedded server.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        with _without_history() if options["check_changes"] else nullcontext():
            super().handle(*args, **options)


@contextmanager
def _without_history() -> Iterator[None]:
    """Name the dummy backend in the connection's settings: Django skips the history of such a database."""
    settings = connection.settings_dict
    engine = settings["ENGINE"]
    settings["ENGINE"] = "django.db.backends.dummy"
    try:
        yield
    finally:
        settings["ENGINE"] = engine
