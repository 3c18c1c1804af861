"""How the books stood when they were last checked, in a few words."""

from billing_app.models import Reconciliation


def newest_check() -> Reconciliation | None:
    """The last one; by index."""
    return Reconciliation.objects.order_by("-created_at").first()


def broken_numbers(check: Reconciliation) -> list[int]:
    """Which invariants did not hold."""
    return [int(each["number"]) for each in check.findings if not each["is_ok"]]


def standing() -> str:
    """``ok``, ``not checked yet`` or ``broken: 2 of 9 (1, 4)``; for /readyz."""
    check = newest_check()
    if check is None:
        return "not checked yet"
    if check.is_ok:
        return "ok"
    broken = broken_numbers(check)
    numbers = ", ".join(map(str, broken))
    return f"broken: {len(broken)} of {len(check.findings)} ({numbers})"
