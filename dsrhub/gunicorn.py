"""Settings of gunicorn in a container. GUNICORN_CMD_ARGS, such as "--workers 8", overrides each value."""

from dsrhub.settings import LOGGING

bind = "0.0.0.0:8000"
# 18 requests at a time, with 18 database connections.
workers = 3
threads = 6
# The application is loaded before the workers are forked: wrong settings stop the start, and workers share memory.
preload_app = True
# With threads, `timeout` (seconds) restarts only a worker that hangs as a whole: an upload may take longer.
worker_class = "dsrhub.http_worker.BufferingWorker"
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
