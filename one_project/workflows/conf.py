"""Limits and defaults (the customer's figures where a reference row gives one)."""

from typing import Final

DEFAULT_POOL: Final = "default"
DEFAULT_PARALLELISM: Final = 10  # WP-3
MAX_PARALLELISM: Final = 100

MAX_ARGUMENTS: Final = 1_000_000  # bytes of JSON: arguments, context, payload of an event (WP-11)
MAX_RESULT: Final = 819_200  # bytes of JSON that one step may return (WF-23)
MAX_JOURNAL: Final = 8 * 1024 * 1024  # bytes of arguments and results of one run (WF-23)
MAX_ERROR: Final = 8_192  # characters of a traceback that are kept

LEASE: Final = 6.0  # seconds a worker may be silent before its work is taken from it
MAX_PICKUPS: Final = 10  # a piece of work that felled so many workers is not tried again
COMPLETION_TRIES: Final = 8
CANCELED_TOLD: Final = 64  # rows per batch when much is canceled at once (WP-9)
RETENTION_DAYS: Final = 30  # finished runs and work are kept so long, unless their definition says
