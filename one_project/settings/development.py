"""Development: DEBUG on, mail printed, static files served without a collect step."""

from one_project.settings.base import *  # noqa: F403
from one_project.settings.base import env

# Benchmarks turn it off: DEBUG keeps every SQL statement in memory.
DEBUG = env.bool("ONE_DEBUG", default=True)
# Not a secret: only used where the launcher has not made one.
SECRET_KEY = env("DJANGO_SECRET_KEY", default="development-only-key-with-no-value-at-all-000000")
ONE_CREDENTIAL_KEYS = env("ONE_CREDENTIAL_KEYS", default="") or f"dev:{'0' * 43}="
ALLOWED_HOSTS = env.list("ONE_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
ACCOUNT_EMAIL_VERIFICATION = "none"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
