"""Settings from the environment: an invalid value stops the start, and commands start no server without need."""

import os
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings

from tests.waiting import PATIENCE

# No server listens on this port.
DATABASE_URL = "postgres://nobody@127.0.0.1:9/none"
SERVER = {"DATABASE_URL": DATABASE_URL, "DSRHUB_SECRET_KEY": "for tests", "DSRHUB_ALLOWED_HOSTS": "localhost"}


@pytest.fixture
def python(tmp_path):
    """Run Python in the project, with its own data folder and only the given environment."""

    def run(*arguments, **environment):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=settings.BASE_DIR,
            env={"PATH": os.environ["PATH"], "DSRHUB_DATA_DIR": str(tmp_path / "data"), **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    return run


def shown(python, names, **environment):
    """The values of settings, as printed."""
    process = python("-c", f"from dsrhub.settings import *; print({names}, sep='|')", **environment)
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout.removesuffix("\n").split("|")


# --- Invalid values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "environment"),
    [
        ("DSRHUB_SECRET_KEY", {"DSRHUB_ALLOWED_HOSTS": "localhost"}),
        ("DSRHUB_SECRET_KEY", {"DSRHUB_ALLOWED_HOSTS": "localhost", "DSRHUB_SECRET_KEY": ""}),
        ("DSRHUB_ALLOWED_HOSTS", {"DSRHUB_SECRET_KEY": "for tests"}),
        ("DSRHUB_ALLOWED_HOSTS", {"DSRHUB_SECRET_KEY": "for tests", "DSRHUB_ALLOWED_HOSTS": " , "}),
    ],
)
def test_with_a_database_a_missing_secret_or_list_of_hosts_stops_the_start(python, missing, environment):
    process = python("manage.py", "check", DATABASE_URL=DATABASE_URL, **environment)
    assert process.returncode == 1
    assert re.search(rf"ImproperlyConfigured: {missing} is not set: with DATABASE_URL it must .+\n$", process.stderr)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DSRHUB_DEBUG", "maybe"),
        ("DSRHUB_HTTPS", "2"),
        ("DSRHUB_PRIVATE", "ja"),
        ("DSRHUB_BEHIND_PROXY", "tru"),
        ("DSRHUB_UPLOAD_LIMIT_BYTES", "0"),
        ("DSRHUB_UPLOAD_LIMIT_BYTES", "-1"),
        ("DSRHUB_UPLOAD_LIMIT_BYTES", "1e9"),
        ("DSRHUB_PROBLEM_LIMIT", "0"),
        ("DSRHUB_SHARED_PARTITION_BYTES", "٣"),
        ("DATABASE_URL", "sqlite:///db.sqlite3"),
        ("DATABASE_URL", "nonsense"),
    ],
)
def test_a_value_that_makes_no_sense_stops_the_start_and_is_named(python, name, value):
    process = python("-c", "import dsrhub.settings", **(SERVER | {name: value}))
    assert process.returncode == 1
    assert re.search(rf"ImproperlyConfigured: {name}\b.+\n$", process.stderr)


# --- Meaning of values -----------------------------------------------------------------------------------------


def test_without_a_database_it_is_for_this_machine_alone(python, tmp_path):
    names = "DEBUG, DSRHUB_HTTPS, DSRHUB_PRIVATE, *ALLOWED_HOSTS, DATABASES['default']['HOST']"
    folder = tmp_path / "data"
    assert shown(python, names) == ["False", "False", "False", "localhost", "127.0.0.1", "[::1]", f"{folder}/postgres"]


def test_with_a_database_https_is_expected_and_the_embedded_server_is_not_there(python):
    names = (
        "DEBUG, DSRHUB_HTTPS, SECURE_SSL_REDIRECT, SESSION_COOKIE_SECURE, DATABASES['default']['ENGINE'], SECRET_KEY"
    )
    expected = ["False", "True", "True", "True", "django.db.backends.postgresql", "for tests"]
    assert shown(python, names, **SERVER) == expected


@pytest.mark.parametrize(("word", "meaning"), [("1", True), ("TRUE", True), ("On", True), ("no", False), ("0", False)])
def test_a_switch_is_set_by_a_word(python, word, meaning):
    assert shown(python, "DSRHUB_PRIVATE", DSRHUB_PRIVATE=word) == [str(meaning)]


def test_for_debugging_neither_a_secret_nor_hosts_are_needed(python):
    names = "DEBUG, *ALLOWED_HOSTS, len(SECRET_KEY) > 50"
    expected = ["True", "localhost", "127.0.0.1", "[::1]", "True"]
    assert shown(python, names, DATABASE_URL=DATABASE_URL, DSRHUB_DEBUG="true") == expected


def test_without_https_a_server_says_so_when_it_starts(python):
    def said(**environment):
        environment["DJANGO_SETTINGS_MODULE"] = "dsrhub.settings"
        return python("-c", "import dsrhub.wsgi", **SERVER, **environment).stderr

    assert "DSRHUB_HTTPS is off" in said(DSRHUB_HTTPS="no")
    assert "DSRHUB_HTTPS" not in said()


# --- Servers and files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["help"], ["check"], ["makemigrations", "--check"], ["spectacular"]])
def test_what_needs_no_database_starts_none(python, tmp_path, arguments):
    process = python("manage.py", *arguments)
    assert (process.returncode, process.stderr) == (0, "")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret_key"]


def test_processes_that_start_at_once_agree_on_one_secret(python, tmp_path):
    with ThreadPoolExecutor() as threads:
        secrets = list(threads.map(lambda _: shown(python, "SECRET_KEY"), range(4)))
    secrets.append(shown(python, "SECRET_KEY"))
    path = tmp_path / "data" / "secret_key"
    assert [[path.read_text()]] * 5 == secrets
    assert len(path.read_text()) > 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
