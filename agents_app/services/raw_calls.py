"""Taking back the raw values of model calls before their time."""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction

from agents_app.models import AICall


@transaction.atomic
def retire_raw_calls(ids: Iterable[UUID]) -> int:
    """Empty the raw request and response of these calls; what they cost stays. Returns how many."""
    raw = AICall.objects.filter(pk__in=list(ids)).exclude(request=None, response=None)
    return raw.update(request=None, response=None)
