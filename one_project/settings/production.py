"""Production: everything secret comes from the environment; ``check --deploy`` is clean."""

from one_project.settings.base import *  # noqa: F403
from one_project.settings.base import STORAGES, env

SECRET_KEY = env("DJANGO_SECRET_KEY")
ONE_CREDENTIAL_KEYS = env("ONE_CREDENTIAL_KEYS")
ALLOWED_HOSTS = env.list("ONE_ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env.list(
    "ONE_TRUSTED_ORIGINS", default=[f"https://{host}" for host in ALLOWED_HOSTS]
)
ONE_URL = env("ONE_URL", default="") or f"https://{ALLOWED_HOSTS[0].lstrip('.')}"

SECURE_SSL_REDIRECT = env.bool("ONE_SSL_REDIRECT", default=True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken"
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("ONE_PROXIES", default=1)
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https"

STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
vars().update(env.email_url("ONE_EMAIL_URL", default="smtp://localhost:25"))
