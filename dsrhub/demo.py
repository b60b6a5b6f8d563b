"""The README's first command: from a fresh checkout to a running server with the sample DSRs and sample usage.

It uses the embedded PostgreSQL, or the one that DATABASE_URL names, and serves this machine only. A second run keeps
the existing data.
"""

import argparse
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

from dsrhub.commands import whole_number

PROJECT = Path(__file__).resolve().parent.parent
ADMIN = "admin"
# `timeout` leaves time for a large upload. Without the control socket, only the data folder is written to.
SERVER_OPTIONS = {"workers": 2, "threads": 4, "timeout": 600, "control_socket_disable": True}
# These are as in a container.
CONTAINER_OPTIONS = ("worker_class", "forwarded_allow_ips", "forwarder_headers", "secure_scheme_headers", "header_map")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dsrhub.demo", description=__doc__)
    parser.add_argument("--port", type=whole_number, default=8000)
    port = parser.parse_args().port
    prepare_environment()
    prepare_database()
    serve(port)


def prepare_environment() -> None:
    """Set defaults, for this machine only, for the settings that an operator chooses."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dsrhub.settings")
    os.environ.setdefault("DSRHUB_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
    os.environ.setdefault("DSRHUB_HTTPS", "false")
    if os.environ.get("DATABASE_URL") and not os.environ.get("DSRHUB_SECRET_KEY"):
        from dsrhub.environment import generated_secret

        folder = Path(os.environ.get("DSRHUB_DATA_DIR") or PROJECT / ".dsrhub")
        os.environ["DSRHUB_SECRET_KEY"] = generated_secret(folder / "secret_key")


def prepare_database() -> None:
    """Migrate, import the sample DSRs, add sample usage, and create a user for the admin."""
    import django
    from django.core.management import CommandError, call_command

    django.setup()
    say("Preparing the database ...")
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    say("Importing the sample DSRs ...")
    try:
        call_command("import_dsr", str(PROJECT / "data"))
    except CommandError as error:
        # A sample was replaced since the first run: the database keeps the replacement.
        say(str(error))
    say("Adding sample usage ...")
    call_command("add_sample_usage")
    make_admin()


def make_admin() -> None:
    from django.contrib.auth import get_user_model
    from django.db import transaction

    from dsrhub.logs.audit import audit
    from dsrhub.models import Action

    users = get_user_model().objects
    if users.filter(username=ADMIN).exists():
        say(
            f"The admin's user is {ADMIN!r}. Its password was printed when the user was created. "
            f"To change it: {sys.executable} manage.py changepassword {ADMIN}"
        )
        return
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        user = users.create_superuser(ADMIN, password=password)
        audit(Action.USER_ADDED, user, details={"changed": {"is_superuser": {"old": None, "new": True}}})
    say(f"The admin's user is {ADMIN!r} with the password {password!r}, which is not shown again.")


def serve(port: int) -> None:
    from django.db import connections
    from gunicorn.app.base import BaseApplication

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            from dsrhub import gunicorn

            shared = {name: getattr(gunicorn, name) for name in CONTAINER_OPTIONS}
            for name, value in (SERVER_OPTIONS | shared | {"bind": f"127.0.0.1:{port}"}).items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            from dsrhub.wsgi import application

            return application

    say(f"""
Open
  http://localhost:{port}/docs/      the REST API: try it in the browser
  http://localhost:{port}/graphql    GraphQL: try it in the browser
  http://localhost:{port}/admin/     the admin
  http://localhost:{port}/dsrs/      the DSRs
  http://localhost:{port}/resources/percentile/10
Stop with Ctrl-C.
""")
    # The workers are forks of this process, and processes cannot share a connection.
    connections.close_all()
    # The import worker handles large uploads of the admin. It ends with this process, even if that is killed.
    command = [sys.executable, str(PROJECT / "manage.py"), "worker", "--parent", str(os.getpid())]
    subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
    Server().run()


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
