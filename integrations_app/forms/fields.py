"""The form that can take a service's complaints, and fields made of a provider's models."""

import types
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from django import forms
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

# Names that are written in several lines.
_LONG: Final = ("private_key", "headers", "template", "body", "certificate")
MAX_CHARS: Final = 10_000


class ServiceForm(forms.Form):
    """A form whose fields the service may also complain about."""

    def __init__(self, data: Mapping[str, Any] | None = None, **options: Any) -> None:
        super().__init__(data, label_suffix="", **options)

    def complain(self, problems: Mapping[str, str]) -> None:
        """Put complaints beside their fields ("settings.host"); others go above the form."""
        for name, message in problems.items():
            known = name.replace(".", "__")
            found = next((one for one in (known, known.split("__")[0]) if one in self.fields), None)
            # Of a field inside of a field: beside the outer one.
            outer = "__".join(known.split("__")[:2])
            self.add_error(outer if outer in self.fields else found, message)

    @property
    def problems(self) -> list[tuple[str, str, str]]:
        """For the summary: the id to jump to ("" for none), the label, and what is wrong."""
        found = [("", "", str(error)) for error in self.non_field_errors()]
        for name in self.fields:
            bound = self[name]
            target = bound.auto_id if not bound.use_fieldset else f"{bound.auto_id}_group"
            found += [(target, str(bound.label), str(error)) for error in bound.errors]
        return found


class SecretInput(forms.PasswordInput):
    """Never renders what it holds, not even what was just typed."""

    def __init__(self) -> None:
        super().__init__(
            attrs={"autocomplete": "off", "spellcheck": "false", "data-lpignore": "true"},
            render_value=False,
        )


def field_of(name: str, info: FieldInfo, *, is_set: bool = False) -> forms.Field:
    """The form field for a field of a pydantic model. ``is_set``: a credential that is kept when
    the box stays empty. The model checks the values; this only draws and converts."""
    kind, nullable = _bare(info.annotation)
    secret = issubclass_of(kind, SecretStr)
    label = info.title or name.replace("_", " ").capitalize()
    options: dict[str, Any] = {
        "label": label,
        "help_text": info.description or "",
        "required": False,
        "initial": _initial(info),
    }
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    multiline = name in _LONG or bool(extra.get("multiline"))
    if is_set:
        options["help_text"] = f"{options['help_text']} Leave empty to keep what is set.".strip()
    if secret:
        options["initial"] = None
        box = forms.Textarea(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"})
        return SecretField(widget=box if multiline else SecretInput(), **options)
    if kind is bool:
        return forms.BooleanField(**options)
    choices = _choices(kind)
    if choices:
        empty = [("", "—")] if nullable or not (info.is_required() or _initial(info)) else []
        return forms.ChoiceField(choices=[*empty, *choices], **options)
    if kind is int:
        return forms.IntegerField(**options)
    if get_origin(kind) in (list, tuple, set) or kind in (list, tuple, set):
        return LinesField(**options)
    placeholder = str((info.examples or [""])[0])
    attrs = {"placeholder": placeholder} if placeholder else {}
    widget = forms.Textarea({"rows": 4, **attrs}) if multiline else forms.TextInput(attrs)
    return forms.CharField(max_length=MAX_CHARS, widget=widget, **options)


class SecretField(forms.CharField):
    """A text that is never put into a page again."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAX_CHARS, strip=True, **options)

    def get_bound_field(self, form: forms.BaseForm, field_name: str) -> forms.BoundField:
        return _Unshown(form, self, field_name)


class _Unshown(forms.BoundField):
    def value(self) -> Any:
        return None


class LinesField(forms.CharField):
    """Several texts, each on a line of its own."""

    widget = forms.Textarea(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> list[str]:
        text = super().clean(value) or ""
        return [line.strip() for line in text.replace(",", "\n").splitlines() if line.strip()][:200]


def values_of(model: type[BaseModel], prefix: str, cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed, as the model takes it: an empty box is the model's default."""
    found: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        value = cleaned.get(f"{prefix}__{name}")
        if value in (None, "", []) and (not info.is_required() or value is None):
            continue
        if value in ("", []) and info.is_required():
            continue
        found[name] = value
    return found


def _initial(info: FieldInfo) -> Any:
    if info.default is PydanticUndefined or info.default is None:
        return None
    return getattr(info.default, "value", info.default)


def _bare(annotation: Any) -> tuple[Any, bool]:
    """The type without None, and whether None was in it."""
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [one for one in get_args(annotation) if one is not type(None)]
        return _bare(kinds[0])[0] if kinds else str, True
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    return annotation, False


def issubclass_of(kind: Any, base: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, base)


def _choices(kind: Any) -> list[tuple[str, str]]:
    values = get_args(kind) if get_origin(kind) is Literal else ()
    members = getattr(kind, "__members__", None)
    if members:
        labels = dict(getattr(kind, "choices", []))
        return [(str(one.value), str(labels.get(one.value, one.value))) for one in members.values()]
    return [(str(one), str(one).replace("_", " ").capitalize()) for one in values]
