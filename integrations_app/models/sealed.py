"""``SealedField``: a JSON object that is only ever stored sealed (one_project.common.sealing)."""

from typing import Any

from django.db import models
from django.db.models.query_utils import DeferredAttribute

from one_project.common.sealing import seal, unseal


class _Opening(DeferredAttribute):
    """Opens the stored text when it is asked for; a dict that is assigned is sealed on save."""

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        if instance is None:
            return self
        super().__get__(instance, cls)  # loads a deferred one
        held = instance.__dict__[self.field.attname]
        if isinstance(held, str):
            return unseal(held, place_of(instance, self.field.attname)) if held else {}
        return dict(held)

    def __set__(self, instance: Any, value: Any) -> None:
        if value is not None and not isinstance(value, str | dict):
            raise TypeError(f"{self.field.name} takes a dict")
        instance.__dict__[self.field.attname] = {} if value is None else value


def place_of(instance: models.Model, name: str) -> str:
    """What the sealed value of a row is bound to."""
    return f"{instance._meta.label_lower}:{instance.pk}:{name}"


class SealedField(models.TextField):  # type: ignore[type-arg]
    """Reads as a dict (a copy; assign to change), empty where there is nothing.

    Written by ``save`` and ``bulk_create`` only, which know the row it is bound to. Forms, the
    serialisers of ``dumpdata`` and ``repr`` get nothing of it. Raises SealBroken when read.
    """

    descriptor_class = _Opening

    def __init__(self, **options: Any) -> None:
        options.update(blank=True, default=dict, editable=False)
        super().__init__(**options)

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        for own in ("blank", "default", "editable"):
            options.pop(own, None)
        return name, path, list(args), options

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        held = model_instance.__dict__.get(self.attname)
        if isinstance(held, dict):
            held = seal(held, place_of(model_instance, self.attname)) if held else ""
            model_instance.__dict__[self.attname] = held
        return held or ""

    def get_prep_value(self, value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError(f"{self.name} is written by save() only")
        return value

    def value_from_object(self, obj: models.Model) -> str:
        return ""

    def value_to_string(self, obj: models.Model) -> str:
        return ""
