"""Currencies and territories are those of the Unicode CLDR that Babel contains."""

from babel.core import get_cldr_version
from django.conf import settings


def test_a_migration_brings_the_changes_of_the_cldr_into_databases_that_exist():
    """A Babel with another CLDR needs such a migration: the first ones fill only new databases."""
    migrations = settings.BASE_DIR / "catalogue" / "migrations"
    assert len(list(migrations.glob(f"*_cldr_{get_cldr_version()}.py"))) == 1
