"""Runs the server and commands as separate processes, on the database of the tests."""

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from threading import Thread
from urllib.parse import quote

from django.conf import settings
from django.db import connection

from tests.waiting import PATIENCE


def database_url(name=None):
    """The address of the tests' database, or of another database on its server."""
    server = connection.get_connection_params()
    where = f"{quote(str(server['host']), safe='')}:{server.get('port', 5432)}"
    who = quote(server["user"]) + (f":{quote(server['password'])}" if server.get("password") else "")
    return f"postgres://{who}@{where}/{name or server['dbname']}"


@contextmanager
def new_database(kind, options):
    """The name of a new database with the template and the options of CREATE DATABASE, which is dropped at the end."""
    name = f"{connection.settings_dict['NAME']}_{kind}"  # tests that run at a time have different databases
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {options}")
    yield name
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def environment(**variables):
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DSRHUB_UPLOAD_DIR": str(settings.DSRHUB_UPLOAD_DIR),
        "DSRHUB_SECRET_KEY": settings.SECRET_KEY,
        **variables,
    }


class Server:
    """A server that `serving` starts. `log` is complete after the server has ended.

    A thread reads what the server prints: a server whose pipe is full would wait for ever.
    """

    def __init__(self, process, log, port):
        self.process, self.port = process, int(port)
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        self._reading = Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self):
        for line in self.process.stderr:
            self.log += line

    def stop(self):
        """Send SIGTERM. Return the exit status."""
        self.process.terminate()
        return self.ended()

    def ended(self):
        status = self.process.wait(PATIENCE)
        self._reading.join(PATIENCE)
        return status


@contextmanager
def serving(*, options="--workers 1", **variables):
    """Run the container's server on a free port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dsrhub.entrypoint", "serve"],
        cwd=settings.BASE_DIR,
        env=environment(GUNICORN_CMD_ARGS=f"--bind 127.0.0.1:0 {options}", **variables),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        output = []
        for line in process.stderr:
            output.append(line)
            if found := re.search(r"Listening at: http://127.0.0.1:(\d+)", line):
                break
        else:
            raise RuntimeError("".join(output))
        server = Server(process, "".join(output), found[1])
        yield server
        if process.poll() is None:
            server.stop()
    finally:
        process.kill()
        process.wait()


def manage(*arguments, **variables):
    """Run a command of manage.py, which must succeed. Return what it printed."""
    process = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout
