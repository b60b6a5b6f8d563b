"""How gunicorn serves dsrhub in a container; GUNICORN_CMD_ARGS, such as "--workers 8", overrides each value."""

from dsrhub.settings import LOGGING

bind = "0.0.0.0:8000"
# 12 requests at a time, and as many database connections.
workers = 3
threads = 4
# Loaded once, before the workers are forked: wrong settings stop the start, and the workers share memory.
preload_app = True
# With threads, this many seconds are for a worker that hangs as a whole: an upload may take as long as it needs.
worker_class = "gthread"
timeout = 60
# Seconds that requests in progress have once a stop is asked for; an import that is cut off leaves nothing behind.
graceful_timeout = 30
# Heartbeats are in memory, and no socket for remote control is made: nothing is written to the disk.
worker_tmp_dir = "/dev/shm"  # noqa: S108
control_socket_disable = True
# What becomes of each request is logged by dsrhub, under its id; gunicorn's own messages look like dsrhub's.
accesslog = None
logconfig_dict = LOGGING | {"loggers": {"gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True}}}
