"""Settings for tests. The database is the embedded server, or the one that DATABASE_URL names."""

import os

os.environ.setdefault("DSRHUB_SECRET_KEY", "a key for tests only, which protects nothing")
os.environ.setdefault("DSRHUB_ALLOWED_HOSTS", "localhost,127.0.0.1")
os.environ["DSRHUB_HTTPS"] = "false"

from dsrhub.settings import *  # noqa: F403
from dsrhub.settings import DATA_DIR, DATABASES, STORAGES

# Each test opens its own connection, as tests count the queries of a new connection.
DATABASES["default"]["CONN_MAX_AGE"] = 0
# No test depends on what a power failure would leave.
DATABASES["default"].setdefault("OPTIONS", {})["options"] = "-c synchronous_commit=off"
# A fast hasher: slow hashing only protects real passwords.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Longer than on a server, for slow machines: see BOUNDS in tests/conftest.py.
DSRHUB_GRAPHQL_SECONDS = 60
# Static files are served from the source folders, whether `collectstatic` has run in this folder or not.
STATIC_ROOT = None
STORAGES["staticfiles"]["OPTIONS"] = {"location": DATA_DIR / "static_files_of_no_test"}
# A file is looked for when it is requested: each client of a test would list all files first.
WHITENOISE_AUTOREFRESH = True
