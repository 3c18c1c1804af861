"""Embedding spaces: the first one, and moving from one to another while both are in use."""

from django.db import connections, transaction
from django.utils import timezone

from agents_app.models import EmbeddingSpace, SpaceState
from agents_app.providers.registry import resolve_embedding_model
from agents_app.search.kinds import all_kinds
from agents_app.search.texts import TEXT_FORM
from one_project.common.row_security import policy_sql

_LOCK = 7_310_001
# Making or dropping a partition waits for who uses the table, and all others wait behind it: rather
# than for long, it is tried again.
NO_LONG_WAIT = "SET LOCAL lock_timeout = '5s'"


def owner_alias() -> str:
    """The connection whose role owns the tables: that of web and workers may not make any.

    "default" where one role is everything.
    """
    users = {name: connections.settings[name]["USER"] for name in ("default", "owner")}
    return "default" if users["default"] == users["owner"] else "owner"


def ensure_space(dimensions: int | None = None) -> bool:
    """Whether some space is live; makes the first one where none is and its length is known.

    dimensions: of the vectors; else as the model says.
    """
    if EmbeddingSpace.objects.exclude(state=SpaceState.RETIRED).exists():
        return True
    model = resolve_embedding_model()
    length = dimensions or (model.dimensions if model else None)
    if model is None or length is None:
        return False
    open_space(model.provider, model.model, length, state=SpaceState.ACTIVE)
    return True


def note_error(space_id: int, error: str) -> None:
    """What the admin sees of an embedder that fails; an empty text once it does not any more."""
    EmbeddingSpace.objects.filter(pk=space_id).exclude(error=error).update(error=error)


def open_space(
    provider: str, model: str, dimensions: int, *, state: str = SpaceState.BUILDING
) -> EmbeddingSpace:
    """The space of this model, with its partitions; the one that exists where it does already.

    Raises OperationalError where the tables are in use for too long.
    """
    owner = owner_alias()
    with transaction.atomic(using=owner), connections[owner].cursor() as cursor:
        cursor.execute(NO_LONG_WAIT)
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        spaces = EmbeddingSpace.objects.using(owner)
        values = {"provider": provider, "model": model, "dimensions": dimensions}
        found = (
            spaces.exclude(state=SpaceState.RETIRED).filter(**values, text_form=TEXT_FORM).first()
        )
        if found is not None:
            return found
        if state == SpaceState.ACTIVE and spaces.filter(state=SpaceState.ACTIVE).exists():
            state = SpaceState.BUILDING
        active_since = timezone.now() if state == SpaceState.ACTIVE else None
        space = spaces.create(**values, text_form=TEXT_FORM, state=state, activated_at=active_since)
        for kind in all_kinds():
            partition = f"{kind.vectors}_{space.pk}"
            cursor.execute(
                f"""
                CREATE TABLE {partition} PARTITION OF {kind.vectors}
                    (CHECK (vector_dims(v) = {dimensions})) FOR VALUES IN ({space.pk});
                {policy_sql(partition)}
                """
            )
    return space
