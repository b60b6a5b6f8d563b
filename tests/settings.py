"""The product's settings for tests: on the embedded server, or on the one that DATABASE_URL names."""

import os

os.environ.setdefault("DSRHUB_SECRET_KEY", "a key for tests alone, which protect nothing")
os.environ.setdefault("DSRHUB_ALLOWED_HOSTS", "localhost,127.0.0.1")
os.environ["DSRHUB_HTTPS"] = "false"

from dsrhub.settings import *  # noqa: F403
from dsrhub.settings import DATABASES

# Tests start cold and count queries: a connection of one does not outlive it.
DATABASES["default"]["CONN_MAX_AGE"] = 0
# Hashing passwords slowly is for the world outside.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Nobody is hurried on a slow machine: see BOUNDS in tests/conftest.py.
DSRHUB_GRAPHQL_SECONDS = 60
# Static files come from where they are, and nothing must be collected first.
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
