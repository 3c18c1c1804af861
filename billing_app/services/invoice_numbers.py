"""Numbers without gaps: what is rolled back was never given."""

from typing import Final

from django.db import connection

_TAKE: Final = """
INSERT INTO billing_app_invoicenumber (kind, year, last) VALUES (%(kind)s, %(year)s, %(count)s)
ON CONFLICT (kind, year) DO UPDATE SET last = billing_app_invoicenumber.last + %(count)s
RETURNING last
"""


def take_numbers(kind: str, year: int, count: int) -> range:
    """The next ``count`` numbers of the series, from 1 on.

    Its row stays locked until the caller's transaction ends: take them last.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"kind": kind, "year": year, "count": count})
        last: int = cursor.fetchone()[0]
    return range(last - count + 1, last + 1)
