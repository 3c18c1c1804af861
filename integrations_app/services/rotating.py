"""Secrets sealed anew with the current key, wherever they are kept."""

from dataclasses import dataclass, field
from typing import Any, Final

from django.apps import apps
from django.db import connection, models, transaction

from integrations_app.models.sealed import SealedField, place_of
from one_project.common.sealing import VERSION, SealBroken, current_key_id, seal, unseal

BATCH: Final = 200
_LOCK_SECONDS: Final = 20


@dataclass
class Rotation:
    """What became of one column: rows sealed anew, rows still on another key, and of these the
    keys of those that do not open (no configured key fits, or the value was altered)."""

    name: str
    resealed: int = 0
    left: int = 0
    broken: list[str] = field(default_factory=list)


def sealed_columns() -> list[tuple[type[models.Model], str]]:
    """Every sealed field of every model there is."""
    return [
        (model, one.attname)
        for model in apps.get_models()
        for one in model._meta.local_concrete_fields
        if isinstance(one, SealedField) and not model._meta.proxy and model._meta.managed
    ]


def rotate(batch: int = BATCH) -> list[Rotation]:
    """Seal with the current key whatever is sealed with another one; count what is left.

    In transactions of ``batch`` rows. A row that somebody is changing is left to the end, where it
    is waited for; what is written meanwhile is sealed with the writer's current key, so all
    processes must know the new key before. Run twice, the second one finds nothing to do.
    """
    return [_rotated(model, name, batch) for model, name in sealed_columns()]


def _rotated(model: type[models.Model], name: str, batch: int) -> Rotation:
    done = Rotation(f"{model._meta.label_lower}.{name}")
    # First without waiting for anybody, then for those that were held.
    for waits in (False, True):
        last: Any = None
        while True:
            last, count = _next_batch(model, name, batch, last, waits, done)
            if count < batch:
                break
    done.left = _others(model, name).count()
    return done


def _next_batch(
    model: type[models.Model], name: str, batch: int, last: Any, waits: bool, done: Rotation
) -> tuple[Any, int]:
    """One transaction; the last key looked at, and how many rows there were."""
    with transaction.atomic():
        if waits:
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
        found = _others(model, name)
        if last is not None:
            found = found.filter(pk__gt=last)
        rows = list(
            found.order_by("pk").select_for_update(skip_locked=not waits, of=("self",))[:batch]
        )
        for row in rows:
            last = row.pk
            place = place_of(row, name)
            try:
                value = unseal(row.__dict__[name], place)
            except SealBroken:
                if str(row.pk) not in done.broken:
                    done.broken.append(str(row.pk))
                continue
            # Not by ``save``: nothing else of the row changes, its time of change least.
            model._base_manager.filter(pk=row.pk).update(**{name: seal(value, place)})
            done.resealed += 1
    return last, len(rows)


def _others(model: type[models.Model], name: str) -> "models.QuerySet[Any]":
    """Rows that hold something which the current key did not seal."""
    current = f"{VERSION}:{current_key_id()}:"
    filled = model._base_manager.exclude(**{name: ""})
    return filled.exclude(**{f"{name}__startswith": current}).only("pk", name)
