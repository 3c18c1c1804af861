"""Tests: real Postgres and Redis (started by tests/conftest.py), quick password hashing."""

from one_project.settings.base import *  # noqa: F403
from one_project.settings.base import DATABASES

SECRET_KEY = "tests-only-key-with-no-value-at-all-0000000000000000"  # noqa: S105
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
ONE_MODEL_RETRIES = [0.01, 0.02, 0.04]
# Checks that need no database must not wait for one; the browser tests run with the pool.
DATABASES["default"]["OPTIONS"] = DATABASES["owner"]["OPTIONS"] = {}
# The tests' Postgres has always just been started.
ONE_RESTART_GRACE = 0.0
# Tests that are not about limits say more than people do.
ONE_LIMIT_MESSAGES_PER_USER = "off"
ONE_LIMIT_MESSAGES_PER_ORGANISATION = "off"
ONE_LIMIT_TOKENS_PER_USER = "off"
ONE_LIMIT_TOKENS_PER_ORGANISATION = "off"
ONE_LIMIT_THREADS_PER_USER = "off"
ONE_LIMIT_SMS_PER_USER = "off"
ONE_LIMIT_EMAILS_PER_USER = "off"
ONE_LIMIT_DELIVERIES_PER_RECIPIENT = "off"
ONE_LIMIT_DELIVERIES_PER_ORGANISATION = "off"
# Tests that are not about the local embedding model do not load its 90 MB.
ONE_LOCAL_EMBEDDINGS = False
# A scripted model has answers for what a test asks, and for nothing else.
ONE_THREAD_TITLES = False
ONE_CREDENTIAL_KEYS = "test:" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
