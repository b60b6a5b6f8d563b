"""Settings of dsrhub. Everything that differs between installations comes from the environment: docs/settings.md."""

import os
from pathlib import Path
from typing import Any, Literal

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from dsrhub import __version__
from dsrhub.environment import (
    env_addresses,
    env_bool,
    env_factor,
    env_int,
    env_list,
    env_networks,
    env_origins,
    env_rate,
    env_time_zone,
    env_token,
    generated_secret,
)
from dsrhub.logs import server as logs

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Where it runs ---------------------------------------------------------------------------------------------
# The folder that dsrhub writes to: data of the embedded server, the generated key, uploads.
DATA_DIR = Path(os.environ.get("DSRHUB_DATA_DIR") or BASE_DIR / ".dsrhub").resolve()
DATABASE_URL = os.environ.get("DATABASE_URL", "")
# Without DATABASE_URL, the embedded server is used, for trying out and for tests on this machine only.
EMBEDDED = not DATABASE_URL
DEBUG = env_bool("DSRHUB_DEBUG", default=False)
# Turns on the redirect to HTTPS, HSTS and secure cookies.
DSRHUB_HTTPS = env_bool("DSRHUB_HTTPS", default=not EMBEDDED)
# Closes reads too: only signed-in users can read.
DSRHUB_PRIVATE = env_bool("DSRHUB_PRIVATE", default=False)

SECRET_KEY = os.environ.get("DSRHUB_SECRET_KEY", "")
ALLOWED_HOSTS = env_list("DSRHUB_ALLOWED_HOSTS")
if EMBEDDED or DEBUG:
    SECRET_KEY = SECRET_KEY or generated_secret(DATA_DIR / "secret_key")
    ALLOWED_HOSTS = ALLOWED_HOSTS or ["localhost", "127.0.0.1", "[::1]"]
if not SECRET_KEY:
    raise ImproperlyConfigured("DSRHUB_SECRET_KEY is not set: with DATABASE_URL it must be a long random text.")
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured(
        "DSRHUB_ALLOWED_HOSTS is not set: with DATABASE_URL it must list the host names to serve."
    )

# --- Applications ----------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "dsrhub",
    "dsrhub.webhooks",
    "catalogue",
    "subscriptions",
    "graphql_schema",
    "dsrhub.apps.DsrhubAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "import_export",
    "csp",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "graphene_django",
]

MIDDLEWARE = [
    "dsrhub.logs.server.RequestLogMiddleware",
    "dsrhub.http.middleware.HealthMiddleware",
    "dsrhub.metrics.middleware.MetricsMiddleware",
    "dsrhub.http.proxy.ProxyMiddleware",
    "dsrhub.http.middleware.LanguageMiddleware",
    "dsrhub.http.responses.CorsMiddleware",
    "dsrhub.http.bodies.BodyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "dsrhub.http.responses.CompressionMiddleware",
    "dsrhub.http.responses.CachingMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "dsrhub.http.middleware.AdminInputMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "dsrhub.throttling.ThrottledMiddleware",
    "dsrhub.http.middleware.NodeMiddleware",
]

ROOT_URLCONF = "dsrhub.urls"
WSGI_APPLICATION = "dsrhub.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- Database --------------------------------------------------------------------------------------------------
DATABASES: dict[str, dict[str, Any]]
if EMBEDDED:
    DATABASES = {
        "default": {
            "ENGINE": "dsrhub.embedded_postgres",
            "NAME": "postgres",
            "HOST": str(DATA_DIR / "postgres"),
        }
    }
else:
    try:
        DATABASES = {"default": {**dj_database_url.parse(DATABASE_URL, conn_max_age=60, conn_health_checks=True)}}
    except ValueError:  # an unknown scheme, or not an address
        DATABASES = {"default": {}}
    if DATABASES["default"].get("ENGINE") != "django.db.backends.postgresql":
        raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL database: postgres://user:password@host/name.")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Users -----------------------------------------------------------------------------------------------------
# Sessions store this path: a backend with another path would sign everybody out.
AUTHENTICATION_BACKENDS = ["dsrhub.throttling.ThrottledBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# --- Language and time -----------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("es", "Español"), ("fr", "Français")]
LOCALE_PATHS = [BASE_DIR / "dsrhub" / "locale"]
# The chosen language. It stays for a year, as people sign in each day.
LANGUAGE_COOKIE_NAME = "dsrhub_language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_SECURE = DSRHUB_HTTPS
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE: Literal["Lax"] = "Lax"
TIME_ZONE = "UTC"
USE_I18N = True
FORMAT_MODULE_PATH = "dsrhub.formats"
USE_TZ = True

# --- Files -----------------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / ".static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "dsrhub.http.static_files.CollectedOrSource"},
}
# Files that were not collected are served, too.
WHITENOISE_USE_FINDERS = True
# Uploads always go to the disk: a report can be larger than the memory, and the import reads a path.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]
# The addresses that accept large bodies, and the permission that each requires: see dsrhub/http/bodies.py.
UPLOAD_PERMISSIONS = {
    "dsrs": "catalogue.add_dsr",
    "admin/catalogue/dsr/import": "catalogue.import_dsr",
    "admin/subscriptions/datausagerecord/import": "subscriptions.import_datausagerecord",
    "admin/subscriptions/voiceusagerecord/import": "subscriptions.import_voiceusagerecord",
}

# The addresses that accept records, and the permission that each requires.
RECORDS_PERMISSIONS = {"subscriptions/records": "subscriptions.ingest_usage"}

# --- Security --------------------------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = DSRHUB_HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if DSRHUB_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = DSRHUB_HTTPS
# A proxy in front reports the client's scheme. Clients can set this header too, so it is trusted only with a proxy.
DSRHUB_BEHIND_PROXY = env_bool("DSRHUB_BEHIND_PROXY", default=False)
if DSRHUB_BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# How many own proxies a request passes. Each appends an address to X-Forwarded-For.
DSRHUB_PROXY_COUNT = env_int("DSRHUB_PROXY_COUNT", default=1, minimum=1)
# The address that a proxy was asked for. Clients can set these headers too, so each is trusted only by its setting.
USE_X_FORWARDED_HOST = env_bool("DSRHUB_FORWARDED_HOST", default=False)
DSRHUB_FORWARDED_PREFIX = env_bool("DSRHUB_FORWARDED_PREFIX", default=False)
if (USE_X_FORWARDED_HOST or DSRHUB_FORWARDED_PREFIX) and not DSRHUB_BEHIND_PROXY:
    name = "DSRHUB_FORWARDED_HOST" if USE_X_FORWARDED_HOST else "DSRHUB_FORWARDED_PREFIX"
    raise ImproperlyConfigured(f"{name} is on: it needs DSRHUB_BEHIND_PROXY, too.")
# The sites whose scripts may use REST and GraphQL in a browser.
DSRHUB_CORS_ORIGINS = env_origins("DSRHUB_CORS_ORIGINS")
CSRF_FAILURE_VIEW = "dsrhub.http.refusals.csrf_failure"
CSRF_TRUSTED_ORIGINS = env_list("DSRHUB_CSRF_TRUSTED_ORIGINS")
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- Import and export in the admin ----------------------------------------------------------------------------
# Import and export each need their own permission. Without these settings, all staff could do both.
IMPORT_EXPORT_IMPORT_PERMISSION_CODE = "import"
IMPORT_EXPORT_EXPORT_PERMISSION_CODE = "export"

# --- REST ------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "dsrhub.access.authentication.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PARSER_CLASSES": [
        "dsrhub.api.parsers.StrictJSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["dsrhub.access.permissions.ReadOpenWriteByPermission"],
    "DEFAULT_THROTTLE_CLASSES": ["dsrhub.throttling.AnonymousThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "dsrhub.http.negotiation.OneFormat",
    "DEFAULT_SCHEMA_CLASS": "dsrhub.api.security.OperationSchema",
    "EXCEPTION_HANDLER": "dsrhub.api.errors.exception_handler",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "DSR API",
    "DESCRIPTION": "Digital Sales Reports and the sound recordings in them.",
    "VERSION": __version__,
    "DEFAULT_GENERATOR_CLASS": "dsrhub.api.document.DocumentGenerator",
    "TAGS": [
        {"name": "dsrs", "description": "Digital Sales Reports"},
        {"name": "imports", "description": "Uploaded files of messages of several files"},
        {"name": "messages", "description": "Delivered messages, whose sales contexts are DSRs"},
        {"name": "resources", "description": "Sound recordings"},
        {"name": "statistics", "description": "Questions about DSRs as a whole"},
        {"name": "versions", "description": "DSRs that were replaced or deleted and can return"},
        {"name": "subscriptions", "description": "Usage of data and voice. A path with `.csv` answers with CSV."},
        {"name": "webhooks", "description": "Addresses that events are sent to: see docs/webhooks.md"},
        {"name": "session", "description": "Signing in"},
    ],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "COMPONENT_SPLIT_REQUEST": True,
    # The choices repeat the values as they are.
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    # Choices whose properties have the same name.
    "ENUM_NAME_OVERRIDES": {
        "StatusEnum": "catalogue.models.DSR.Status",
        "SubscriptionStatusEnum": "subscriptions.models.Subscription.Status",
        "OutcomeEnum": ["loaded", "replaced", "reverted", "unchanged"],
        "RecordOutcomeEnum": ["added", "repeated", "refused"],
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- GraphQL ---------------------------------------------------------------------------------------------------
# `manage.py graphql_schema` writes the schema to the output.
GRAPHENE = {"SCHEMA": "graphql_schema.schema.schema", "SCHEMA_OUTPUT": "graphql_schema/schema.graphql"}

# --- Operation -------------------------------------------------------------------------------------------------
# Logs one JSON object per line instead of text.
DSRHUB_LOG_JSON = env_bool("DSRHUB_LOG_JSON", default=False)
LOGGING = logs.configuration(json=DSRHUB_LOG_JSON)
# The functions that `/readyz` calls for the state of the import queue, and for that of a database of several nodes.
QUEUE_STATE = "catalogue.imports.queue.selectors.queue_state"
CLUSTER_STATE = "catalogue.lines.cluster.cluster_state"
# What a worker does beside its own work, now and then. Each function gets another one, which says whether it may go on.
WORKER_STEPS = ["subscriptions.limits.following.limits_follow"]

# The modules with the metrics of the applications: see dsrhub/metrics/collectors.py.
METRICS = ["catalogue.metrics", "subscriptions.metrics", "dsrhub.webhooks.metrics"]
# The token with which Prometheus may read /metrics. Empty: there is no such address.
DSRHUB_METRICS_TOKEN = env_token("DSRHUB_METRICS_TOKEN")

# --- dsrhub's own settings -------------------------------------------------------------------------------------
# In bytes. A DSR with more unpacked content gets its own partition; smaller DSRs share one. Thousands of partitions
# slow every query, and deleting many rows from a shared partition is slow.
DSRHUB_SHARED_PARTITION_BYTES = env_int("DSRHUB_SHARED_PARTITION_BYTES", default=1024 * 1024)
# How many problems of a delivery are stored, besides warnings that are not about a line. All problems are counted.
DSRHUB_PROBLEM_LIMIT = env_int("DSRHUB_PROBLEM_LIMIT", default=10_000, minimum=1)
# The maximum size of an uploaded file, packed, in bytes.
DSRHUB_UPLOAD_LIMIT_BYTES = env_int("DSRHUB_UPLOAD_LIMIT_BYTES", default=1024**3, minimum=1)
# The maximum size of its content, unpacked, in bytes: a file can unpack to a thousand times its size.
DSRHUB_UPLOAD_UNPACKED_LIMIT_BYTES = env_int("DSRHUB_UPLOAD_UNPACKED_LIMIT_BYTES", default=8 * 1024**3, minimum=1)
# Uploads of the admin are stored here until they are imported. Servers and workers share this folder.
DSRHUB_UPLOAD_DIR = Path(os.environ.get("DSRHUB_UPLOAD_DIR") or DATA_DIR / "uploads").resolve()
# In packed bytes. A worker checks and imports larger uploads; the request itself handles smaller ones.
DSRHUB_IMPORT_AT_ONCE_BYTES = env_int("DSRHUB_IMPORT_AT_ONCE_BYTES", default=8 * 1024 * 1024)
# The rate limit, such as "600/minute", of REST and GraphQL for an address that is not signed in. None: no limit.
DSRHUB_ANONYMOUS_RATE = env_rate("DSRHUB_ANONYMOUS_RATE")
# How often an address may fail to sign in within 15 minutes. A user name may fail ten times as often in total. Where a
# user signed in before, the user's own failures count alone.
DSRHUB_SIGN_IN_FAILURES = env_int("DSRHUB_SIGN_IN_FAILURES", default=10, minimum=1)
# Days after which a new token expires.
DSRHUB_TOKEN_DAYS = env_int("DSRHUB_TOKEN_DAYS", default=365, minimum=1, maximum=36_500)
# Days after which an unconfirmed upload is discarded.
DSRHUB_UPLOAD_DAYS = env_int("DSRHUB_UPLOAD_DAYS", default=7, minimum=1)
# Days after the end of a month in which nothing came of a series of DSRs, after which it is late.
DSRHUB_LATE_DAYS = env_int("DSRHUB_LATE_DAYS", default=45, maximum=36_500)
# Days for which a replaced or deleted DSR is kept so that it can return, and the bytes that all of them may take.
# With 0 days, none is kept.
DSRHUB_SUPERSEDED_DAYS = env_int("DSRHUB_SUPERSEDED_DAYS", default=30, maximum=36_500)
DSRHUB_SUPERSEDED_BYTES = env_int("DSRHUB_SUPERSEDED_BYTES", default=20 * 1024**3)
# A DSR gets a warning if its usages, revenue or revenue per usage and those of the previous report of its series differ
# by more than these factors. 0 turns a warning off.
DSRHUB_UNLIKE_USAGES_FACTOR = env_factor("DSRHUB_UNLIKE_USAGES_FACTOR", default="3")
DSRHUB_UNLIKE_REVENUE_FACTOR = env_factor("DSRHUB_UNLIKE_REVENUE_FACTOR", default="3")
DSRHUB_UNLIKE_PRICE_FACTOR = env_factor("DSRHUB_UNLIKE_PRICE_FACTOR", default="2")
# The drop folders that workers look at, and the pause in seconds between two looks.
DSRHUB_FOLDERS = env_addresses("DSRHUB_FOLDERS")
DSRHUB_FOLDER_PAUSE_SECONDS = env_int("DSRHUB_FOLDER_PAUSE_SECONDS", default=30, minimum=1)
# Whether what arrives there replaces an earlier DSR of the same key, and drops DSRs that a replaced message had.
DSRHUB_FOLDER_REPLACE = env_bool("DSRHUB_FOLDER_REPLACE", default=False)
DSRHUB_FOLDER_DROP_MISSING = env_bool("DSRHUB_FOLDER_DROP_MISSING", default=False)
if DSRHUB_FOLDER_DROP_MISSING and not DSRHUB_FOLDER_REPLACE:
    raise ImproperlyConfigured("DSRHUB_FOLDER_DROP_MISSING is on: it needs DSRHUB_FOLDER_REPLACE, too.")
# How many seconds a file without a semaphore must stay unchanged before it counts as arrived. With semaphores only, a
# file without one never counts as arrived.
DSRHUB_FOLDER_REST_SECONDS = env_int("DSRHUB_FOLDER_REST_SECONDS", default=60)
DSRHUB_FOLDER_SEMAPHORES_ONLY = env_bool("DSRHUB_FOLDER_SEMAPHORES_ONLY", default=False)
# The private key for SFTP servers, and the keys of servers that are known. Empty: those of the user in ~/.ssh.
DSRHUB_SFTP_KEY_FILE = os.environ.get("DSRHUB_SFTP_KEY_FILE", "")
DSRHUB_SFTP_KNOWN_HOSTS = os.environ.get("DSRHUB_SFTP_KNOWN_HOSTS", "")
# The folder where delivered files are kept unchanged. Empty: they are not kept.
DSRHUB_KEEP_FILES = os.environ.get("DSRHUB_KEEP_FILES", "")
# Limits of a GraphQL operation: the depth of nested fields, its cost (see docs/graphql.md), the tokens of its text,
# and its duration in seconds.
DSRHUB_GRAPHQL_DEPTH = env_int("DSRHUB_GRAPHQL_DEPTH", default=15, minimum=1)
DSRHUB_GRAPHQL_COST = env_int("DSRHUB_GRAPHQL_COST", default=20_000, minimum=1)
DSRHUB_GRAPHQL_TOKENS = env_int("DSRHUB_GRAPHQL_TOKENS", default=1_000, minimum=1)
DSRHUB_GRAPHQL_SECONDS = env_int("DSRHUB_GRAPHQL_SECONDS", default=10, minimum=1)
# Whether clients can query the GraphQL schema. The playground needs it.
DSRHUB_GRAPHQL_INTROSPECTION = env_bool("DSRHUB_GRAPHQL_INTROSPECTION", default=True)
# Webhooks may be sent to public addresses by https, and with these to some networks, such as 10.1.0.0/16, and by http.
DSRHUB_WEBHOOK_NETWORKS = env_networks("DSRHUB_WEBHOOK_NETWORKS")
DSRHUB_WEBHOOK_HTTP = env_bool("DSRHUB_WEBHOOK_HTTP", default=False)
# Days for which events and their deliveries are kept, delivered or not.
DSRHUB_WEBHOOK_DAYS = env_int("DSRHUB_WEBHOOK_DAYS", default=30, minimum=1, maximum=36_500)
# How many rows of rankings are cached, of about 250 bytes each. The least recently used rankings are dropped first.
# 0: a ranking is dropped as soon as it is not read any more.
DSRHUB_KEPT_RANKING_ROWS = env_int("DSRHUB_KEPT_RANKING_ROWS", default=5_000_000)
# For how many days after a question a worker prepares its ranking, within these rows. 0: it prepares none.
DSRHUB_PREPARED_DAYS = env_int("DSRHUB_PREPARED_DAYS", default=7, maximum=36_500)
# The maximum size of a request with records of usage, also of its unpacked content, in bytes.
DSRHUB_RECORDS_BYTES = env_int("DSRHUB_RECORDS_BYTES", default=4 * 1024**2, minimum=1024, maximum=64 * 1024**2)
# The time zone whose midnight ends a day of usage. A change affects only records written afterwards.
DSRHUB_USAGE_TIME_ZONE = env_time_zone("DSRHUB_USAGE_TIME_ZONE", default="UTC")
# How many days after today a record of usage may be. Clocks and time zones differ; more is a mistake.
DSRHUB_USAGE_FUTURE_DAYS = env_int("DSRHUB_USAGE_FUTURE_DAYS", default=1, maximum=36_500)
