"""The README's first command: from a fresh checkout to a running server that shows on samples what dsrhub does.

It uses the embedded PostgreSQL, or the one that DATABASE_URL names, and serves this machine only. Its files are in the
data folder. A second run keeps the existing data.
"""

import argparse
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dsrhub.commands import whole_number
from dsrhub.demo_receiver import SECRETS

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from dsrhub.webhooks.models import Webhook

PROJECT = Path(__file__).resolve().parent.parent
ADMIN, RECEIVER, PROGRAM = "admin", "Receiver of the demo", "Program of the demo"
KEY_SCOPES, KEY_DAYS = ("read_reports", "import", "read_usage", "write_usage"), 30
LOOPBACK, LAST_PORT = "127.0.0.1", 65535
# `timeout` leaves time for a large upload. Without the control socket, only the data folder is written to.
SERVER_OPTIONS = {
    "workers": 2,
    "threads": 4,
    "timeout": 600,
    "control_socket_disable": True,
    # What is wrong is said once, before the addresses.
    "preload_app": True,
}
# These are as in a container.
CONTAINER_OPTIONS = (
    "worker_class",
    "forwarded_allow_ips",
    "forwarder_headers",
    "secure_scheme_headers",
    "header_map",
    "when_ready",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dsrhub.demo", description=__doc__)
    parser.add_argument("--port", type=whole_number, default=8000)
    port = parser.parse_args().port
    require_free(port)
    folder = Path(os.environ.get("DSRHUB_DATA_DIR") or PROJECT / ".dsrhub").resolve()
    prepare_environment(folder)
    credentials = prepare_database(folder)
    serve(port, folder, credentials)


def require_free(port: int) -> None:
    """Stop before anything is done, if the port cannot be listened on."""
    if not 1 <= port <= LAST_PORT:
        sys.exit(f"{port} is not a port: it must be from 1 to {LAST_PORT}.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            sys.exit(
                f"Port {port} cannot be used ({error.strerror}). Is the demo running already? To use another port: "
                f"{sys.executable} -m dsrhub.demo --port {port % LAST_PORT + 1}"
            )


def prepare_environment(folder: Path) -> None:
    """Set defaults, for this machine only, for the settings that an operator chooses."""
    from dsrhub.environment import generated_secret

    for name, value in defaults(folder).items():
        os.environ.setdefault(name, value)
    if os.environ.get("DATABASE_URL") and not os.environ.get("DSRHUB_SECRET_KEY"):
        os.environ["DSRHUB_SECRET_KEY"] = generated_secret(folder / "secret_key")
    # The counts of processes that have ended.
    shutil.rmtree(folder / "metrics", ignore_errors=True)
    for name in ("metrics", "incoming"):
        (folder / name).mkdir(parents=True, exist_ok=True)


def defaults(folder: Path) -> dict[str, str]:
    from dsrhub.environment import generated_secret

    return {
        "DJANGO_SETTINGS_MODULE": "dsrhub.settings",
        "DSRHUB_ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
        "DSRHUB_HTTPS": "false",
        "DSRHUB_KEEP_FILES": str(folder / "kept"),
        # A drop folder, whose files arrive at once. An address with a comma would be two.
        "DSRHUB_FOLDERS": "" if "," in str(folder) else str(folder / "incoming"),
        "DSRHUB_FOLDER_REST_SECONDS": "2",
        "DSRHUB_FOLDER_PAUSE_SECONDS": "2",
        # Nobody awaits the months after the samples, which are of 2020.
        "DSRHUB_LATE_DAYS": "36500",
        # Webhooks may be sent to this machine.
        "DSRHUB_WEBHOOK_HTTP": "true",
        "DSRHUB_WEBHOOK_NETWORKS": "127.0.0.0/8",
        "DSRHUB_METRICS_TOKEN": generated_secret(folder / "metrics_token"),
        "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
    }


def prepare_database(folder: Path) -> list[str]:
    """Migrate, and add the samples and a user for the admin. Return what to say about signing in."""
    import django
    from django.core.management import call_command
    from django.db import OperationalError

    django.setup()
    say("Preparing the database ...")
    try:
        call_command("migrate", verbosity=0)
    except OperationalError as error:
        sys.exit(f"The database cannot be used: {str(error).strip()}")
    call_command("collectstatic", interactive=False, verbosity=0)
    user = new_admin()
    # Before the samples come: a webhook does not hear of the past.
    start_receiver(folder / "events.jsonl", is_first_run=user is not None)
    add_samples(folder)
    return known_credentials() if user is None else new_credentials(user)


def new_admin() -> "User | None":
    """A user that is not saved yet; None if there is one."""
    from django.contrib.auth import get_user_model

    users = get_user_model()
    return None if users.objects.filter(username=ADMIN).exists() else users(username=ADMIN)


def add_samples(folder: Path) -> None:
    """Add what is missing of the samples: reports, usage, and files to try."""
    from django.core.management import CommandError, call_command

    say("Importing the sample DSRs ...")
    with Path(os.devnull).open("w") as nowhere:
        try:
            call_command("import_dsr", str(PROJECT / "data"), jobs=1, stdout=nowhere)
        except CommandError as error:
            # A sample was replaced since the first run: the database keeps the replacement.
            say(str(error))
    drop = [f"--drop-folder={folder / 'incoming'}"] if has_drop_folder(folder) else []
    call_command("add_sample_reports", str(folder / "try"), *drop)
    say("Adding sample usage ...")
    call_command("add_sample_usage")


def has_drop_folder(folder: Path) -> bool:
    from django.conf import settings

    return str(folder / "incoming") in {address.path for address in settings.DSRHUB_FOLDERS}


def known_credentials() -> list[str]:
    return [
        f"The admin's user is {ADMIN!r}. Its password was printed when the user was created. "
        f"To change it: {sys.executable} manage.py changepassword {ADMIN}"
    ]


def new_credentials(user: "User") -> list[str]:
    """Save the user, and create an API key for a program. Return their secrets, as they are said."""
    from django.db import transaction

    from dsrhub.access.keys import key_create
    from dsrhub.logs.audit import audit
    from dsrhub.models import Action

    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        user.is_staff = user.is_superuser = True
        user.set_password(password)
        user.save()
        audit(Action.USER_ADDED, user, details={"changed": {"is_superuser": {"old": None, "new": True}}})
        key = key_create(user=user, name=PROGRAM, scopes=KEY_SCOPES, days=KEY_DAYS, created_by=None)
    return [
        f"The admin's user is {ADMIN!r} with the password {password!r}, which is not shown again.",
        f"The API key of a program is {key.secret!r}, which is not shown again either.",
    ]


# --- The receiver of events ------------------------------------------------------------------------------------


def start_receiver(events: Path, *, is_first_run: bool) -> None:
    """Start the program that receives the events of a webhook. The first run adds the webhook."""
    from django.utils import timezone

    from dsrhub.exceptions import DsrhubError
    from dsrhub.webhooks.models import Webhook
    from dsrhub.webhooks.signing import SecretUnreadable, signing_secrets

    webhook = Webhook.objects.filter(name=RECEIVER).first()
    # Nothing is undone of what somebody did: a webhook that was deleted, or sends to another address.
    if not is_first_run if webhook is None else not webhook.url.startswith(f"http://{LOOPBACK}:"):
        return
    with listening_socket(urlsplit(webhook.url).port if webhook else None) as listening:
        url = f"http://{LOOPBACK}:{listening.getsockname()[1]}/events"
        try:
            webhook = receiver_webhook(webhook, url)
            shared = signing_secrets(webhook, timezone.now())
        except (DsrhubError, SecretUnreadable) as error:
            say(f"Events are not received: {str(error) or 'the secret of the webhook must be rotated.'}")
            return
        events.touch()
        number = listening.fileno()
        command = [
            sys.executable,
            "-m",
            "dsrhub.demo_receiver",
            f"--fd={number}",
            f"--parent={os.getpid()}",
            str(events),
        ]
        environment = os.environ | {SECRETS: " ".join(shared)}
        subprocess.Popen(command, pass_fds=[number], env=environment, cwd=PROJECT)  # noqa: S603


def listening_socket(port: int | None) -> socket.socket:
    """A socket that listens on the port of the last run, or on another one."""
    try:
        return socket.create_server((LOOPBACK, port or 0))
    except OSError:
        return socket.create_server((LOOPBACK, 0))


def receiver_webhook(webhook: "Webhook | None", url: str) -> "Webhook":
    from dsrhub.webhooks.models import EventType
    from dsrhub.webhooks.services import webhook_change, webhook_create

    if webhook is None:
        return webhook_create(name=RECEIVER, url=url, events=EventType.values)[0]
    return webhook if webhook.url == url else webhook_change(webhook_number=webhook.pk, url=url)


# --- The server ------------------------------------------------------------------------------------------------

WELCOME = """
dsrhub runs on sample data. What to look at first:

  {site}/admin/
      the back office: what came in, and what needs somebody
  {site}/admin/catalogue/dsr/coverage/
      the months that came, and one that is missing
  {site}/admin/catalogue/dsr/comparison/
      two months of the same services side by side
  {site}/admin/subscriptions/limitcrossing/
      subscriptions that reached a price limit
  {site}/docs/
      the REST API: try it in the browser
  {site}/graphql
      GraphQL: try it in the browser

{credentials}

{more}
Stop with Ctrl-C. The same command starts again, with the same data.
"""
DROP = """  drop a report:    cp {folder}/try/Spotify* {folder}/incoming/
"""
EVENTS = """  see the events:   tail {folder}/events.jsonl
"""
METRICS = """  see the metrics:  curl -H "Authorization: Bearer $(cat {folder}/metrics_token)" {site}/metrics
"""
VERSIONS = """  use the API key:  curl -H "Authorization: Bearer API_KEY" {site}/versions/
"""


def serve(port: int, folder: Path, credentials: list[str]) -> None:
    from django.db import connections
    from gunicorn.app.base import BaseApplication

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            from dsrhub import gunicorn

            shared = {name: getattr(gunicorn, name) for name in CONTAINER_OPTIONS}
            own = {"bind": f"{LOOPBACK}:{port}", "when_ready": lambda _server: say(welcome(port, folder, credentials))}
            for name, value in (SERVER_OPTIONS | shared | own).items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            from dsrhub.wsgi import application

            return application

    # The workers are forks of this process, and processes cannot share a connection.
    connections.close_all()
    # The import worker handles large uploads of the admin. It ends with this process, even if that is killed.
    command = [sys.executable, str(PROJECT / "manage.py"), "worker", "--parent", str(os.getpid())]
    subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
    Server().run()


def welcome(port: int, folder: Path, credentials: list[str]) -> str:
    """What to look at. Only what is there is said: a variable of the shell may have turned it off."""
    from django.conf import settings

    site = f"http://localhost:{port}"
    has_token = (folder / "metrics_token").read_text() == settings.DSRHUB_METRICS_TOKEN
    has_events = (folder / "events.jsonl").exists()
    there = {DROP: has_drop_folder(folder), EVENTS: has_events, METRICS: has_token, VERSIONS: True}
    more = "".join(text for text, is_there in there.items() if is_there).format(site=site, folder=shown_path(folder))
    return WELCOME.format(site=site, credentials="\n".join(credentials), more=more)


def shown_path(folder: Path) -> str:
    """The folder as a person types it into a shell."""
    here = Path.cwd()
    return shlex.quote(str(folder.relative_to(here) if folder.is_relative_to(here) else folder))


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
