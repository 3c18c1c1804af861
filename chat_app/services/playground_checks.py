"""Whether an answer is what was expected of it.

Patterns are those of Postgres, which gives up in time; a pattern that takes for ever in Python
would take the worker with it.
"""

from django.db import DataError, OperationalError, connection, transaction

from chat_app.models import Check
from one_project.common.errors import InvalidInput

PATIENCE_MS = 1000
LONGEST_PATTERN = 1000


def passes(check_by: str, expected: str, text: str) -> bool | None:
    """None where nothing is checked. ``contains`` ignores case; ``exact`` white space around."""
    if check_by == Check.CONTAINS:
        return expected.casefold().strip() in text.casefold()
    if check_by == Check.EXACT:
        return expected.strip() == text.strip()
    if check_by == Check.REGEX:
        try:
            return _matches(expected, text)
        except (DataError, OperationalError):
            return False
    return None


def checked_pattern(pattern: str) -> str:
    """Raises InvalidInput for what is no pattern."""
    if len(pattern) > LONGEST_PATTERN:
        raise InvalidInput(f"A pattern has at most {LONGEST_PATTERN} characters.")
    try:
        _matches(pattern, "")
    except (DataError, OperationalError) as error:
        raise InvalidInput("This pattern cannot be read.") from error
    return pattern


def _matches(pattern: str, text: str) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        before = cursor.fetchone()[0]
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(PATIENCE_MS)])
        cursor.execute("SELECT %s::text ~ %s::text", [text, pattern])
        found = bool(cursor.fetchone()[0])
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])
    return found
