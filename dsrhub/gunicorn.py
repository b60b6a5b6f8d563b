"""Settings of gunicorn in a container. GUNICORN_CMD_ARGS, such as "--workers 8", overrides each value."""

import os
import shutil
from tempfile import mkdtemp
from typing import Any

from dsrhub.settings import DSRHUB_METRICS_TOKEN, LOGGING

bind = "0.0.0.0:8000"
# 18 requests at a time, with 18 database connections.
workers = 3
threads = 6
# The application is loaded before the workers are forked: wrong settings stop the start, and workers share memory.
preload_app = True
# With threads, `timeout` (seconds) restarts only a worker that hangs as a whole: an upload may take longer.
worker_class = "dsrhub.http.worker.BufferingWorker"
timeout = 60
# Seconds for requests in progress to finish after SIGTERM. An import that is cut off is rolled back.
graceful_timeout = 30
# No header sets SCRIPT_NAME, PATH_INFO, REMOTE_USER or the scheme. By default, gunicorn trusts those from this machine.
# Django reads the headers of a proxy: DSRHUB_BEHIND_PROXY.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
header_map = "drop"
# Nothing is written to the disk: heartbeats are in memory, and there is no control socket.
worker_tmp_dir = "/dev/shm"  # noqa: S108
control_socket_disable = True
# dsrhub logs each request with its id. gunicorn's own messages use dsrhub's format.
accesslog = None
logconfig_dict = LOGGING | {"loggers": {"gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True}}}

# The processes count their requests in files that all of them read: see dsrhub/metrics/requests.py. The folder is in
# memory, and must be known before the application is loaded.
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
own_folder = None
if DSRHUB_METRICS_TOKEN and METRICS_FOLDER not in os.environ:
    os.environ[METRICS_FOLDER] = own_folder = mkdtemp(prefix="dsrhub-metrics-", dir=worker_tmp_dir)


def on_exit(server: Any) -> None:
    """Called by gunicorn at its end."""
    if own_folder is not None:
        shutil.rmtree(own_folder, ignore_errors=True)
