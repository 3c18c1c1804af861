"""Credits of an organisation that pays beforehand: given, refilled, corrected, spent.

Each movement is one entry, made under the lock of the wallet; the entries' sum is always what was
granted less what was spent. The same ``ref`` counts once for each kind.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from billing_app.models import CreditEntry, CreditKind, UsageRecord, Wallet
from billing_app.runtime.spending import FULL, STOPPED, remaining_of, standing_of
from billing_app.services.wallets import CREDITS, found_wallets, make_credits
from billing_app.types.money import ZERO, spoken
from one_project.accounts.models import Organisation, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import Conflict, InvalidInput
from one_project.common.text import clean_line

# More than anybody has, and less than the columns hold.
MOST: Final = Decimal(10) ** 12
REF_LENGTH: Final = 120
NOTE_LENGTH: Final = 200


def grant(
    organisation: Organisation, amount: Decimal, *, ref: str, by: User | None = None, note: str = ""
) -> CreditEntry:
    """Give credits. The same ``ref`` again is the same gift; with another amount it raises
    Conflict. Raises InvalidInput for what is no amount above zero."""
    return _given(organisation, CreditKind.GRANT, amount, ref=ref, by=by, note=note)


def refill(
    organisation: Organisation, amount: Decimal, *, ref: str, by: User | None = None, note: str = ""
) -> CreditEntry:
    """As ``grant``, for what comes again and again: ``ref`` names the time, say ``2026-11``."""
    return _given(organisation, CreditKind.REFILL, amount, ref=ref, by=by, note=note)


def adjust(
    organisation: Organisation, amount: Decimal, *, ref: str, by: User | None = None, note: str
) -> CreditEntry:
    """Correct the balance, up or down, but by no more than is left. ``note`` says why."""
    if not note.strip():
        raise InvalidInput("Please say why the credits are corrected.")
    if amount == ZERO:
        raise InvalidInput("Please enter an amount that is not zero.")
    return _moved(organisation, CreditKind.ADJUST, amount, ref=ref, by=by, note=note)


def balance(organisation_id: UUID) -> Decimal:
    """What is left, exactly; below zero where the last call cost more than that."""
    wallet = found_wallets(organisation_id, {CREDITS}).get(CREDITS)
    return wallet.granted - wallet.spent if wallet else ZERO


def entries(organisation_id: UUID) -> QuerySet[CreditEntry]:
    """All movements, newest first."""
    found = CreditEntry.objects.filter(organisation_id=organisation_id)
    return found.order_by("-created_at", "-pk")


def settle_credits(wallet: Wallet, records: Sequence[UsageRecord]) -> None:
    """Spend what the records cost, an entry each; ``wallet`` is locked, and saved by the caller."""
    refs = [str(record.pk) for record in records]
    known = set(
        CreditEntry.objects.filter(wallet=wallet, kind=CreditKind.SETTLE, ref__in=refs).values_list(
            "ref", flat=True
        )
    )
    made = []
    for record, ref in zip(records, refs, strict=True):
        if ref in known or record.cost is None:
            continue
        wallet.spent += record.cost
        made.append(
            CreditEntry(
                organisation_id=wallet.organisation_id,
                wallet=wallet,
                kind=CreditKind.SETTLE,
                amount=-record.cost,
                balance_after=wallet.granted - wallet.spent,
                ref=ref,
            )
        )
    CreditEntry.objects.bulk_create(made)


def _renew(wallet: Wallet, *, is_gift: bool) -> None:
    """A gift says anew how much is little; who has enough again is warned again."""
    left = wallet.granted - wallet.spent
    if is_gift:
        wallet.meta[FULL] = str(left)
    if not remaining_of(standing_of(None, wallet)).is_low:
        wallet.warned_at = None
    if left > ZERO:
        wallet.meta.pop(STOPPED, None)


def _given(
    organisation: Organisation, kind: str, amount: Decimal, *, ref: str, by: User | None, note: str
) -> CreditEntry:
    if not (amount.is_finite() and amount > ZERO):
        raise InvalidInput("Please enter an amount above zero.")
    return _moved(organisation, kind, amount, ref=ref, by=by, note=note)


def _moved(
    organisation: Organisation, kind: str, amount: Decimal, *, ref: str, by: User | None, note: str
) -> CreditEntry:
    name = clean_line(ref, REF_LENGTH)
    if not name:
        raise InvalidInput("A movement of credits has a reference, so that it happens once.")
    if not (amount.is_finite() and abs(amount) < MOST):
        raise InvalidInput("This amount is too large.")
    with transaction.atomic():
        make_credits(organisation.pk)
        wallet = found_wallets(organisation.pk, {CREDITS}, lock=True)[CREDITS]
        before = CreditEntry.objects.filter(wallet=wallet, kind=kind, ref=name).first()
        if before is not None:
            if before.amount != amount:
                raise Conflict("Under this reference another amount was booked already.")
            return before
        left = wallet.granted - wallet.spent - wallet.reserved
        if amount < ZERO and left + amount < ZERO:
            raise InvalidInput(f"Only {spoken(max(left, ZERO))} are left to take away.")
        wallet.granted += amount
        _renew(wallet, is_gift=amount > ZERO)
        wallet.save(update_fields=["granted", "meta", "warned_at", "updated_at"])
        entry = CreditEntry.objects.create(
            organisation=organisation,
            wallet=wallet,
            kind=kind,
            amount=amount,
            balance_after=wallet.granted - wallet.spent,
            ref=name,
            note=clean_line(note, NOTE_LENGTH),
            by_id=by.pk if by else None,
        )
        data = {"kind": kind, "amount": str(amount), "entry": str(entry.pk)}
        record_event(organisation, "credits_moved", actor=by, target="credits", data=data)
    return entry
