"""Settings from the environment: an invalid value stops the start, and the database server starts only if needed."""

import json
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


INVALID = [
    ("DSRHUB_DEBUG", "maybe"),
    ("DSRHUB_HTTPS", "2"),
    ("DSRHUB_PRIVATE", "ja"),
    ("DSRHUB_BEHIND_PROXY", "tru"),
    ("DSRHUB_UPLOAD_LIMIT_BYTES", "0"),
    ("DSRHUB_UPLOAD_LIMIT_BYTES", "-1"),
    ("DSRHUB_UPLOAD_LIMIT_BYTES", "1e9"),
    ("DSRHUB_PROBLEM_LIMIT", "0"),
    ("DSRHUB_TOKEN_DAYS", "0"),
    ("DSRHUB_TOKEN_DAYS", "36501"),
    ("DSRHUB_SHARED_PARTITION_BYTES", "٣"),
    ("DSRHUB_FORWARDED_HOST", "true"),  # it needs DSRHUB_BEHIND_PROXY
    ("DSRHUB_FORWARDED_PREFIX", "true"),
    ("DSRHUB_WEBHOOK_NETWORKS", "10.0.0.1/8"),
    ("DSRHUB_WEBHOOK_NETWORKS", "10.0.0.0/8,localhost"),
    ("DSRHUB_WEBHOOK_DAYS", "0"),
    ("DSRHUB_CORS_ORIGINS", "app.example"),
    ("DSRHUB_CORS_ORIGINS", "https://app.example/"),
    ("DSRHUB_CORS_ORIGINS", "https://app.example,null"),
    ("DSRHUB_USAGE_FUTURE_DAYS", "-1"),
    ("DSRHUB_FOLDERS", "incoming"),
    ("DSRHUB_FOLDERS", "/in,sftp://me:a-secret@host"),
    ("DSRHUB_FOLDERS", "/in,/in/"),
    ("DSRHUB_FOLDER_PAUSE_SECONDS", "0"),
    ("DSRHUB_FOLDER_DROP_MISSING", "yes"),
    ("DSRHUB_METRICS_TOKEN", "a-secret"),
    ("DSRHUB_METRICS_TOKEN", "a-secret of several words"),
    ("DSRHUB_UNLIKE_USAGES_FACTOR", "1"),
    ("DSRHUB_UNLIKE_REVENUE_FACTOR", "0.5"),
    ("DSRHUB_UNLIKE_PRICE_FACTOR", "-2"),
    ("DSRHUB_UNLIKE_PRICE_FACTOR", "1e1"),
    ("DATABASE_URL", "sqlite:///db.sqlite3"),
    ("DATABASE_URL", "nonsense"),
]
# Reads the settings once for each variable and value, in one process, and prints what is wrong.
READ_EACH = """
import json, os, runpy, sys
from django.core.exceptions import ImproperlyConfigured

given, found = dict(os.environ), []
for name, value in json.loads(sys.argv[1]):
    os.environ[name] = value
    try:
        runpy.run_module("dsrhub.settings")
        found.append("nothing")
    except ImproperlyConfigured as error:
        found.append(str(error))
    os.environ.clear()
    os.environ.update(given)
print(json.dumps(found))
"""


def test_an_invalid_value_stops_the_start_and_is_named(python):
    process = python("-c", READ_EACH, json.dumps(INVALID), **SERVER)
    assert process.stderr == ""
    assert "a-secret" not in process.stdout
    said = zip(INVALID, json.loads(process.stdout), strict=True)
    assert [(*case, text) for case, text in said if not re.match(rf"{case[0]}\b.+$", text)] == []


# --- Meaning of values -----------------------------------------------------------------------------------------


def test_without_a_database_the_settings_are_for_this_machine_only(python, tmp_path):
    names = "DEBUG, DSRHUB_HTTPS, DSRHUB_PRIVATE, *ALLOWED_HOSTS, DATABASES['default']['HOST']"
    folder = tmp_path / "data"
    assert shown(python, names) == ["False", "False", "False", "localhost", "127.0.0.1", "[::1]", f"{folder}/postgres"]


def test_with_a_database_https_is_on_and_there_is_no_embedded_server(python):
    names = (
        "DEBUG, DSRHUB_HTTPS, SECURE_SSL_REDIRECT, SESSION_COOKIE_SECURE, DATABASES['default']['ENGINE'], SECRET_KEY"
    )
    expected = ["False", "True", "True", "True", "django.db.backends.postgresql", "for tests"]
    assert shown(python, names, **SERVER) == expected


def test_booleans_are_set_by_words(python):
    words = {"DSRHUB_PRIVATE": "1", "DSRHUB_LOG_JSON": "TRUE", "DSRHUB_DEBUG": "On", "DSRHUB_HTTPS": "no"}
    assert shown(python, "DSRHUB_PRIVATE, DSRHUB_LOG_JSON, DEBUG, DSRHUB_HTTPS", **words) == [*["True"] * 3, "False"]
    assert shown(python, "DSRHUB_PRIVATE", DSRHUB_PRIVATE="0") == ["False"]


def test_origins_are_listed(python):
    given = "https://app.example, http://localhost:3000,https://[::1]:8443, *"
    expected = ["https://app.example", "http://localhost:3000", "https://[::1]:8443", "*"]
    assert shown(python, "*DSRHUB_CORS_ORIGINS", DSRHUB_CORS_ORIGINS=given) == expected


def test_networks_are_listed(python):
    shown_networks = "*DSRHUB_WEBHOOK_NETWORKS, DSRHUB_WEBHOOK_HTTP"
    assert shown(python, shown_networks, DSRHUB_WEBHOOK_NETWORKS="10.1.0.0/16, fd00::/8,192.0.2.1") == [
        *("10.1.0.0/16", "fd00::/8", "192.0.2.1/32", "False"),
    ]


def test_debug_mode_needs_neither_a_secret_nor_hosts(python):
    names = "DEBUG, *ALLOWED_HOSTS, len(SECRET_KEY) > 50"
    expected = ["True", "localhost", "127.0.0.1", "[::1]", "True"]
    assert shown(python, names, DATABASE_URL=DATABASE_URL, DSRHUB_DEBUG="true") == expected


def test_a_server_without_https_warns_when_it_starts(python):
    def said(**environment):
        environment["DJANGO_SETTINGS_MODULE"] = "dsrhub.settings"
        return python("-c", "import dsrhub.wsgi", **SERVER, **environment).stderr

    assert "DSRHUB_HTTPS is off" in said(DSRHUB_HTTPS="no")
    assert "DSRHUB_HTTPS" not in said()


# --- Servers and files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["help"], ["check"], ["makemigrations", "--check"], ["spectacular"]])
def test_commands_without_a_database_start_no_server(python, tmp_path, arguments):
    process = python("manage.py", *arguments)
    assert (process.returncode, process.stderr) == (0, "")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret_key"]


def test_processes_that_start_together_use_the_same_secret(python, tmp_path):
    with ThreadPoolExecutor() as threads:
        secrets = list(threads.map(lambda _: shown(python, "SECRET_KEY"), range(4)))
    secrets.append(shown(python, "SECRET_KEY"))
    path = tmp_path / "data" / "secret_key"
    assert [[path.read_text()]] * 5 == secrets
    assert len(path.read_text()) > 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
