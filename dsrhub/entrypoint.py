"""The entry point of the container: runs the server (`serve`), or the manage.py command that the arguments name."""

import os
import signal
import sys
from importlib import import_module

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

GUNICORN = [sys.executable, "-m", "gunicorn", "--config", "python:dsrhub.gunicorn", "dsrhub.wsgi"]


def main(arguments: list[str]) -> None:
    check_settings()
    # A signal without a handler does not end the first process of a container, unlike any other process.
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(128 + number))
    match arguments:
        case ["serve"]:
            serve()
        case ["serve", "--migrate"]:
            manage(["migrate"])
            serve()
        case _:
            manage(arguments)


def check_settings() -> None:
    """Stop with a message of one line if the environment lacks or contradicts a setting."""
    if not os.environ.get("DATABASE_URL"):
        sys.exit("DATABASE_URL is not set: it must name a PostgreSQL database: postgres://user:password@host/name.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dsrhub.settings")
    try:
        import_module(os.environ["DJANGO_SETTINGS_MODULE"])
    except ImproperlyConfigured as error:
        sys.exit(str(error))


def manage(arguments: list[str]) -> None:
    execute_from_command_line(["manage.py", *arguments])


def serve() -> None:
    """Replace this process by gunicorn, so that gunicorn receives the signals."""
    os.execv(GUNICORN[0], GUNICORN)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
