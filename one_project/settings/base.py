"""Settings shared by every environment; values come from the environment (docs/settings.md)."""

from pathlib import Path
from typing import Any

import django_stubs_ext
import environ
from celery.schedules import crontab
from csp.constants import NONCE, NONE, SELF
from django.templatetags.static import static

django_stubs_ext.monkeypatch()

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent.parent
_DATA_DIR = Path(env("ONE_DATA_DIR", default="") or BASE_DIR / "var").expanduser()

DEBUG = False
SECRET_KEY = env("DJANGO_SECRET_KEY", default="")
ALLOWED_HOSTS: list[str] = env.list("ONE_ALLOWED_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("ONE_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "daphne",
    "unfold",  # before the admin, whose pages it replaces
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "channels",
    "django_htmx",
    "csp",
    "allauth",
    "allauth.account",
    "one_project.common",
    "one_project.accounts",
    "one_project.workflows",
    "billing_app",
    "integrations_app",
    "agents_app",
    "chat_app",
    "flows_app",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "one_project.common.middleware.ErrorsMiddleware",
    "csp.middleware.CSPMiddleware",
    "one_project.common.admin_csp.AdminPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "one_project.accounts.middleware.OrganisationMiddleware",
    "one_project.common.middleware.PrivatePagesMiddleware",
]

ROOT_URLCONF = "one_project.urls"
ASGI_APPLICATION = "one_project.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "agents_app.context_processors.model",
            ],
        },
    },
]

# --- Data -----------------------------------------------------------------------------------

_DATABASE_URL = env("DATABASE_URL", default="") or "postgres://one:one@127.0.0.1:5432/one"
_DATABASE = {
    # A connection kept per request leaks under ASGI, where requests share no thread
    # (80 requests left 77 connections open); the pool bounds them.
    "CONN_MAX_AGE": 0,
    "CONN_HEALTH_CHECKS": True,
}
DATABASES = {
    "default": {
        **env.db_url_config(_DATABASE_URL),
        **_DATABASE,
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 10, "timeout": 10}},
    },
    # The same database as the role that owns its tables: for migrations and the building of
    # indexes (docs/isolation.md). One role for everything works, too.
    "owner": {
        **env.db_url_config(env("DATABASE_OWNER_URL", default="") or _DATABASE_URL),
        **_DATABASE,
        "OPTIONS": {"pool": {"min_size": 0, "max_size": 2, "timeout": 10}},
        "TEST": {"MIRROR": "default"},
    },
}
REDIS_URL = env("REDIS_URL", default="redis://127.0.0.1:6379/0")
# Rate limits live in Postgres, so that a Redis that is away locks nobody out or in.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"},
    # Vectors of queries, for minutes: what is lost is made again.
    "vectors": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5},
    },
}

# --- Celery: wakes workers, holds no truth ---------------------------------------------------

CELERY_BROKER_URL = REDIS_URL
CELERY_TIMEZONE = "UTC"
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 0.5,
    "socket_timeout": 3,
    "visibility_timeout": 3600,
}
CELERY_BEAT_SCHEDULE = {
    # Workers sweep turns by themselves; beat only brings the rare chores.
    "purge-deleted-threads": {"task": "chat_app.purge_deleted_threads", "schedule": 300.0},
    "expire-approvals": {"task": "chat_app.expire_approvals", "schedule": 60.0},
    "forget-raw-calls": {"task": "chat_app.forget_raw_calls", "schedule": 3600.0},
    "vacuum-files": {"task": "chat_app.vacuum_files", "schedule": 3600.0},
    "index-large-tenants": {"task": "agents_app.sweep_tenant_indexes", "schedule": 3600.0},
    "tend-embedding-spaces": {"task": "agents_app.tend_spaces", "schedule": 120.0},
    "sweep-documents": {"task": "agents_app.sweep_versions", "schedule": 120.0},
    "carry-deliveries": {"task": "integrations_app.carry_deliveries", "schedule": 60.0},
    "forget-answers": {"task": "integrations_app.forget_answers", "schedule": 3600.0},
    "forget-inbound-events": {"task": "integrations_app.forget_events", "schedule": 3600.0},
    "send-reminders": {"task": "flows_app.send_reminders", "schedule": 60.0},
    "send-mail": {"task": "flows_app.send_mail", "schedule": 60.0},
    "catch-up-lessons": {"task": "flows_app.catch_up_lessons", "schedule": 60.0},
    "sweep-reservations": {"task": "billing_app.sweep_reservations", "schedule": 60.0},
    "roll-up-usage": {"task": "billing_app.roll_up", "schedule": 300.0},
    "fill-missing-prices": {"task": "billing_app.fill_missing_prices", "schedule": 600.0},
    "bill-due-months": {"task": "billing_app.bill_due", "schedule": 600.0},
    # Once a night; the hours after 03:00 UTC bring it about where that one was missed.
    "reconcile": {"task": "billing_app.reconcile", "schedule": crontab(minute="0", hour="3-23")},
}

# --- People -----------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/chat/"
ACCOUNT_LOGOUT_REDIRECT_URL = "/accounts/login/"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_ADAPTER = "one_project.accounts.adapter.AccountAdapter"
ACCOUNT_SESSION_REMEMBER = True
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"

# --- Language, time, static files ---------------------------------------------------------------

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / "staticfiles"
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
# Seconds: a mail server that does not answer must not keep a worker.
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env("ONE_FROM_EMAIL", default="ONE <no-reply@one.test>")

# --- Security headers ---------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": (),
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],  # data: for the marks in our own style sheets
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
        "manifest-src": [SELF],
    },
}
CSRF_FAILURE_VIEW = "one_project.common.pages.csrf_failure"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# --- Admin --------------------------------------------------------------------------------------

UNFOLD = {
    "SITE_TITLE": "ONE",
    "SITE_HEADER": "ONE",
    "SITE_URL": "/chat/",
    "SITE_SYMBOL": "forum",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/icon.svg")}
    ],
    "BORDER_RADIUS": "8px",
    "STYLES": [lambda request: static("css/admin.css")],
    # The accent of static/css/base.css, lighter and darker.
    "COLORS": {
        "primary": {
            "50": "#eef7f5",
            "100": "#d9ece8",
            "200": "#b3d9d2",
            "300": "#86ddd0",
            "400": "#62cbbb",
            "500": "#178f80",
            "600": "#0b6a60",
            "700": "#08544c",
            "800": "#07443e",
            "900": "#063832",
            "950": "#07211d",
        },
    },
    "DASHBOARD_CALLBACK": "one_project.accounts.navigation.dashboard",
    "SIDEBAR": {"navigation": "one_project.accounts.navigation.sidebar"},
}

# --- ONE ------------------------------------------------------------------------------------------

OPENAI_API_KEY = env("OPENAI_API_KEY", default="")
OPENAI_BASE_URL = env("OPENAI_BASE_URL", default="")
ONE_CHAT_MODEL = env("ONE_CHAT_MODEL", default="gpt-5-mini")
# Vectors for search: see agents_app.providers.registry. "local": the model on this machine.
ONE_EMBEDDING_MODEL = env("ONE_EMBEDDING_MODEL", default="text-embedding-3-small")
ONE_EMBEDDING_BASE_URL = env("ONE_EMBEDDING_BASE_URL", default="")
ONE_EMBEDDING_API_KEY = env("ONE_EMBEDDING_API_KEY", default="")
ONE_EMBEDDING_DIMENSIONS = env.int("ONE_EMBEDDING_DIMENSIONS", default=0)
ONE_LOCAL_EMBEDDINGS = env.bool("ONE_LOCAL_EMBEDDINGS", default=True)
# Chooses who answers in threads that are routed by a model; empty: the chat model.
ONE_ROUTER_MODEL = env("ONE_ROUTER_MODEL", default="")
# What seals credentials at rest (docs/integrations.md): "id:key,…", the first seals, all open.
ONE_CREDENTIAL_KEYS = env("ONE_CREDENTIAL_KEYS", default="")
# Programs that may be MCP servers over stdio, by name: {"files": {"command": …, "args": […]}}.
ONE_MCP_STDIO: dict[str, Any] = env.json("ONE_MCP_STDIO", default={})
# OAuth servers and interfaces of providers elsewhere, for tests and proxies: {"slack": "http://…"}.
ONE_PROVIDER_URLS: dict[str, str] = env.json("ONE_PROVIDER_URLS", default={})
# Outbound HTTP of tools: private addresses are refused but for these ("host:port").
ONE_HTTP_ALLOW_PRIVATE = env.bool("ONE_HTTP_ALLOW_PRIVATE", default=False)
ONE_HTTP_ALLOWED_HOSTS: list[str] = env.list("ONE_HTTP_ALLOWED_HOSTS", default=[])
# An open weather service (docs/tools.md); empty: the tool says that there is none.
ONE_WEATHER_GEOCODING_URL = env("ONE_WEATHER_GEOCODING_URL", default="")
ONE_WEATHER_FORECAST_URL = env("ONE_WEATHER_FORECAST_URL", default="")
# Where people find this installation: the links in mails begin with it.
ONE_URL = env("ONE_URL", default="") or f"http://127.0.0.1:{env('ONE_PORT', default='') or 8000}"
ONE_DEMO_URL = env("ONE_DEMO_URL", default="http://127.0.0.1:8001/v1")

ONE_MESSAGE_MAX_BYTES = min(env.int("ONE_MESSAGE_MAX_BYTES", default=32 * 1024), 1024 * 1024)
# Files of messages (docs/files.md): below a folder, or in any other storage of Django's.
ONE_FILES_DIR = Path(env("ONE_FILES_DIR", default="") or _DATA_DIR / "files").expanduser()
ONE_FILES_STORAGE = env("ONE_FILES_STORAGE", default="django.core.files.storage.FileSystemStorage")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "files": {
        "BACKEND": ONE_FILES_STORAGE,
        "OPTIONS": env.json("ONE_FILES_STORAGE_OPTIONS", default={})
        or {"location": str(ONE_FILES_DIR)},
    },
}
ONE_FILE_MAX_BYTES = env.int("ONE_FILE_MAX_BYTES", default=50 * 1024 * 1024)
# Documents (docs/knowledge.md): bytes of one, documents of a collection, pages of one.
ONE_KNOWLEDGE_MAX_BYTES = env.int("ONE_KNOWLEDGE_MAX_BYTES", default=100 * 1024 * 1024)
ONE_KNOWLEDGE_MAX_DOCUMENTS = env.int("ONE_KNOWLEDGE_MAX_DOCUMENTS", default=10_000)
ONE_KNOWLEDGE_MAX_PAGES = env.int("ONE_KNOWLEDGE_MAX_PAGES", default=5_000)
# Room for the percent-encoding of a form: a message of 1 MB can take three.
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
ONE_RECENT_MESSAGES = 100
# The language of messages and new collections, for their words: a configuration of Postgres.
ONE_SEARCH_LANGUAGE = env("ONE_SEARCH_LANGUAGE", default="english")
ONE_THREAD_UNDO_SECONDS = 60
# Work of all kinds: see one_project.workflows.
ONE_WORK_PER_WORKER = env.int("ONE_WORK_PER_WORKER", default=500)
# Leases that a restart of Postgres may cost before its workers are taken for lost.
ONE_RESTART_GRACE = 1.0
ONE_SWEEP_EVERY = env.float("ONE_SWEEP_EVERY", default=0.5)
# A turn: see chat_app.worker. Seconds unless the name says otherwise.
ONE_TURN_MAX_ATTEMPTS = 3
ONE_TURN_LEASE = env.float("ONE_TURN_LEASE", default=3.0)
ONE_TURN_FIRST_TOKEN_TIMEOUT = env.float("ONE_TURN_FIRST_TOKEN_TIMEOUT", default=60.0)
ONE_TURN_IDLE_TIMEOUT = env.float("ONE_TURN_IDLE_TIMEOUT", default=600.0)
ONE_MODEL_RETRIES = [1.0, 2.0, 4.0]
# Tokens a model reads at most; 0: as the model's name says.
ONE_CONTEXT_TOKENS = env.int("ONE_CONTEXT_TOKENS", default=0)
# Whether the model names a thread after its first answer.
ONE_THREAD_TITLES = env.bool("ONE_THREAD_TITLES", default=True)
# Raw requests and responses of model calls are kept so long, for the playground; 0 keeps none.
ONE_RAW_CALL_DAYS = env.int("ONE_RAW_CALL_DAYS", default=7)
# Rate limits (docs/rate-limits.md); "off" lifts one.
ONE_LIMIT_MESSAGES_PER_USER = env("ONE_LIMIT_MESSAGES_PER_USER", default="window 1/5s burst 2")
ONE_LIMIT_MESSAGES_PER_ORGANISATION = env(
    "ONE_LIMIT_MESSAGES_PER_ORGANISATION", default="bucket 1000/60s"
)
ONE_LIMIT_TOKENS_PER_USER = env(
    "ONE_LIMIT_TOKENS_PER_USER", default="bucket 20000/60s burst 100000"
)
ONE_LIMIT_TOKENS_PER_ORGANISATION = env(
    "ONE_LIMIT_TOKENS_PER_ORGANISATION", default="bucket 200000/60s burst 1000000"
)
ONE_LIMIT_THREADS_PER_USER = env("ONE_LIMIT_THREADS_PER_USER", default="bucket 20/60s burst 40")
ONE_LIMIT_SMS_PER_USER = env("ONE_LIMIT_SMS_PER_USER", default="bucket 50/d")
ONE_LIMIT_EMAILS_PER_USER = env("ONE_LIMIT_EMAILS_PER_USER", default="bucket 500/d")
ONE_LIMIT_DELIVERIES_PER_RECIPIENT = env(
    "ONE_LIMIT_DELIVERIES_PER_RECIPIENT", default="bucket 200/d"
)
ONE_LIMIT_DELIVERIES_PER_ORGANISATION = env(
    "ONE_LIMIT_DELIVERIES_PER_ORGANISATION", default="bucket 20000/h"
)
# For whom invoices are made where an organisation does not say; who makes them, in lines.
ONE_INVOICE_PER = env("ONE_INVOICE_PER", default="user")
ONE_INVOICE_ISSUER = env("ONE_INVOICE_ISSUER", default="ONE")
# The organisation whose payment provider takes the money for all invoices.
ONE_PAYMENTS_ORGANISATION = env("ONE_PAYMENTS_ORGANISATION", default="")
# What budgets hold back for an answer without a limit of its own, and how long.
ONE_RESERVED_OUTPUT_TOKENS = env.int("ONE_RESERVED_OUTPUT_TOKENS", default=4096)
ONE_RESERVATION_MINUTES = env.int("ONE_RESERVATION_MINUTES", default=30)
# How long a tool call waits for a person's approval, in seconds.
ONE_APPROVAL_EXPIRES = env.int("ONE_APPROVAL_EXPIRES", default=30 * 24 * 3600)
ONE_STREAM_FLUSH_MS = env.int("ONE_STREAM_FLUSH_MS", default=33)
ONE_CHECKPOINT_EVERY = 1.0
ONE_METRICS_TOKEN = env("ONE_METRICS_TOKEN", default="")

# In DEBUG, too: pages of errors show no secrets.
DEFAULT_EXCEPTION_REPORTER_FILTER = "one_project.common.error_pages.SecretsFilter"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        # Every handler takes this one, or another SecretlessFormatter.
        "plain": {
            "()": "one_project.common.secrets_log.SecretlessFormatter",
            "format": "%(levelname)s %(name)s: %(message)s",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": env("ONE_LOG_LEVEL", default="INFO")},
    "loggers": {
        # Without its own handlers, which know nothing of secrets.
        "django": {"handlers": [], "level": "INFO"},
        "daphne": {"level": "WARNING"},
        "django.channels.server": {"level": "WARNING"},
        # Their lines hold whole addresses.
        "httpx2": {"level": "WARNING"},
        "httpcore2": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
        "mcp": {"level": "WARNING"},
        # Every step of every page.
        "weasyprint": {"level": "ERROR"},
        "fontTools": {"level": "ERROR"},
        "openai": {"level": "WARNING"},
    },
}
