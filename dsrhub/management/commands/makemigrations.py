from contextlib import nullcontext
from typing import Any
from unittest.mock import patch

from django.core.management.commands import makemigrations
from django.db.migrations.loader import MigrationLoader


class Command(makemigrations.Command):
    """Django's command, whose `--check` compares the models with the migration files alone.

    Django asks the database for its history on the way, which would start the embedded server.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        without_history = patch.object(MigrationLoader, "check_consistent_history")
        with without_history if options["check_changes"] else nullcontext():
            super().handle(*args, **options)
