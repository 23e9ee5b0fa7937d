"""Every setting of the hub; the only module that reads the environment. `deploy/environment.md` explains each variable."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

VAR_DIR = Path(env.str("MDM_VAR_DIR", default=str(BASE_DIR / "var")))
ENVIRONMENT = env.str("MDM_ENV", default="demo")  # demo · test · production; shown as a badge
PRODUCTION = ENVIRONMENT == "production"
DEBUG = False


def _local_secrets() -> dict[str, str]:
    """Secrets the embedded services made for this checkout; production gives its own by environment."""
    path = VAR_DIR / "secrets.json"
    return json.loads(path.read_text()) if path.exists() and not PRODUCTION else {}


_secrets = _local_secrets()


def _secret(name: str, development: str) -> str:
    value = env.str(name, default=_secrets.get(name, ""))
    if not value and PRODUCTION:
        raise environ.ImproperlyConfigured(f"Set {name}: production never starts on a built-in secret.")
    return value or development


# Only used where nothing is stored for long (static checks, a first `--help`): embedded set-up writes real ones.
_DEVELOPMENT_KEY = "ZGV2ZWxvcG1lbnQta2V5LW5vdC1mb3ItcmVhbC11c2U="
SECRET_KEY = _secret("MDM_SECRET_KEY", "development-only-key-that-never-guards-anything-of-value-0123456789")
MASTER_KEYS = _secret("MDM_MASTER_KEYS", f"dev:{_DEVELOPMENT_KEY}")  # kid:base64,kid:base64 — first one seals
INDEX_KEY = _secret("MDM_INDEX_KEY", _DEVELOPMENT_KEY)
ALLOWED_HOSTS = env.list("MDM_ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("MDM_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "simple_history",
    "django_htmx",
    "csp",
    "dimensions",
    "suppliers",
    "sync",
    "mdm",  # last: its admin shows every record type that the others declared
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "mdm.correlation.CorrelationMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "mdm.web.middleware.LoginRequiredMiddleware",
]

ROOT_URLCONF = "mdm.urls"
WSGI_APPLICATION = "mdm.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "libraries": {"ui": "mdm.web.templatetags.ui"},
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "mdm.web.context.shell",
            ],
        },
    }
]

# --- database: `owner` migrates, `default` is a login that owns nothing (DESIGN: the second wall) -------------
_OWNER_URL = env.str("DATABASE_URL", default=_secrets.get("DATABASE_URL", "postgresql://mdm_owner@127.0.0.1:5432/mdm"))
_APP_URL = env.str("DATABASE_APP_URL", default=_secrets.get("DATABASE_APP_URL", _OWNER_URL))


def _database(url: str) -> dict[str, Any]:
    config: dict[str, Any] = dict(environ.Env.db_url_config(url))
    config["ENGINE"] = "django.db.backends.postgresql"
    config["CONN_MAX_AGE"] = env.int("MDM_CONN_MAX_AGE", default=60)
    config["CONN_HEALTH_CHECKS"] = True
    config["ATOMIC_REQUESTS"] = False
    config.setdefault("OPTIONS", {})["application_name"] = "mdm"
    return config


DATABASES = {"default": _database(_APP_URL), "owner": _database(_OWNER_URL)}
DATABASE_ROUTERS = ["mdm.routing.OwnerMigrates"]

REDIS_URL = env.str("REDIS_URL", default=_secrets.get("REDIS_URL", "redis://127.0.0.1:6379/0"))
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "mdm",
    }
}

# --- Celery: only rings; settings explained in docs/adr/0004 --------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_STORE_EAGER_RESULT = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 600_000  # kB
CELERY_TASK_TIME_LIMIT = 3600
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 7200,
    "socket_timeout": 30,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
    "max_retries": 1,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "mdm"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE = {
    "ring": {"task": "mdm.tasks.tick", "schedule": 5.0, "options": {"expires": 5}},
    "sync": {"task": "sync.tasks.tick", "schedule": 2.0, "options": {"expires": 2}},
}

# --- people ---------------------------------------------------------------------------------------------------
LOGIN_URL = "web:login"
LOGIN_REDIRECT_URL = "web:dashboard"
LOGOUT_REDIRECT_URL = "web:login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_NAME = env.str("MDM_SESSION_COOKIE", default="mdm_session")
CSRF_COOKIE_SAMESITE = "Lax"

# --- mail and links to the hub: what alerts are told by -------------------------------------------------------
_MAIL_URL = env.str("MDM_EMAIL_URL", default="")
EMAIL_CONFIGURED = bool(_MAIL_URL) or not PRODUCTION
_MAIL_FILES = {"EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend", "EMAIL_FILE_PATH": VAR_DIR / "mail"}
vars().update(env.email_url_config(_MAIL_URL) if _MAIL_URL else _MAIL_FILES)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("MDM_EMAIL_FROM", default="hub@localhost")
ALERT_EMAILS = env.list("MDM_ALERT_EMAILS", default=[])
PUBLIC_URL = env.str("MDM_PUBLIC_URL", default="").rstrip("/")

# --- transport and content security ---------------------------------------------------------------------------
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("MDM_BEHIND_PROXY", default=False) else None
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "manifest-src": [SELF],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
IMPORT_MAX_BYTES = env.int("MDM_IMPORT_MAX_BYTES", default=512 * 1024 * 1024)
IMPORT_MAX_CELL = env.int("MDM_IMPORT_MAX_CELL", default=32_768)  # characters in one cell
MATCH_WORKERS = env.int("MDM_MATCH_WORKERS", default=2)  # workers that may look for duplicates at the same time
SPEND_CURRENCY = env.str("MDM_SPEND_CURRENCY", default="EUR")  # what is spent a year is told and ranked in it
# One unit of another currency in it; roughly is enough, only the magnitude ranks.
SPEND_RATES = {code.upper(): float(rate) for code, rate in env.dict("MDM_SPEND_RATES", default={}).items()}
PUSH_THREADS = env.int("MDM_PUSH_THREADS", default=32)  # of one process at a target, each with a database connection
IMPORT_CHUNK = env.int("MDM_IMPORT_CHUNK", default=1000)  # rows per transaction

# --- REST -----------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "mdm.api.auth.TokenAuthentication",
        "mdm.api.auth.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["mdm.api.auth.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "mdm.api.schema.HubSchema",
    "EXCEPTION_HANDLER": "mdm.api.problems.handle",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_THROTTLE_CLASSES": ["mdm.api.throttling.ClientThrottle"],
}
API_RATE_PER_MINUTE = env.int("MDM_API_RATE_PER_MINUTE", default=6000)
SPECTACULAR_SETTINGS = {
    "TITLE": "Master Data Hub API",
    "VERSION": "1.0.0",
    "DESCRIPTION": "Golden records, change requests, matching, crosswalks, events, deliveries and drift.",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": [],
}

# --- words, files, logs ---------------------------------------------------------------------------------------
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if ENVIRONMENT != "test"
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = ENVIRONMENT == "test"
SIMPLE_HISTORY_HISTORY_CHANGE_REASON_USE_TEXT_FIELD = True
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"redact": {"()": "mdm.logs.Redact"}, "correlation": {"()": "mdm.logs.Correlate"}},
    "formatters": {"line": {"()": "mdm.logs.LineFormatter"}, "json": {"()": "mdm.logs.JsonFormatter"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "json" if PRODUCTION else "line",
            "filters": ["redact", "correlation"],
        }
    },
    "root": {"handlers": ["console"], "level": env.str("MDM_LOG_LEVEL", default="INFO")},
    "loggers": {
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
        "django.server": {"level": "WARNING"},
    },
}

# --- fault runs only (see sync/crash_points.py): where a process dies as by kill -9 ------------------------------
CRASH_AT = env.str("CRASH_AT", default="") if ENVIRONMENT == "test" else ""

# --- where targets may be (see sync/hosts.py) -----------------------------------------------------------------
# Hosts and networks that targets may have although they are no public ones.
PRIVATE_TARGETS = tuple(env.list("MDM_PRIVATE_TARGETS", default=[] if PRODUCTION else ["127.0.0.0/8", "::1"]))

# --- credentials of targets (see sync/services/connections.py) --------------------------------------------------
CREDENTIAL_OVERLAP_H = env.int("MDM_CREDENTIAL_OVERLAP_H", default=72)  # how long a replaced one is kept, unless told
CREDENTIAL_MAX_AGE_DAYS = env.int("MDM_CREDENTIAL_MAX_AGE_DAYS", default=180)  # an older one is warned about

# --- sandboxes of the demo (see sync/demo.py) -----------------------------------------------------------------
_SANDBOX = re.compile("MDM_SANDBOX_(.+)_URL")
SANDBOX_URLS = {found[1].lower(): url for name, url in os.environ.items() if (found := _SANDBOX.fullmatch(name))}
