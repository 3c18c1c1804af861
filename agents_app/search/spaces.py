"""Which embedding space is searched, and whether what is installed can still fill it."""

from agents_app.models import EmbeddingSpace, SpaceState
from agents_app.providers.embeddings import EmbeddingModel
from agents_app.providers.registry import resolve_embedding_model

LIVE = (SpaceState.BUILDING, SpaceState.ACTIVE)


def active_space() -> EmbeddingSpace | None:
    """The space that searches use; None before anything has been embedded."""
    return EmbeddingSpace.objects.filter(state=SpaceState.ACTIVE).first()


def model_of(space: EmbeddingSpace) -> EmbeddingModel | None:
    """The model that made the space, if it is (still) configured: vectors of another one would
    be compared with it without any error."""
    model = resolve_embedding_model(space.model, dimensions=_wanted(space))
    if model is None or (model.provider, model.model) != (space.provider, space.model):
        return None
    return model


def _wanted(space: EmbeddingSpace) -> int | None:
    configured = resolve_embedding_model()
    # Asked for only where the configuration does, since not every server can shorten vectors.
    return space.dimensions if configured is not None and configured.dimensions else None
