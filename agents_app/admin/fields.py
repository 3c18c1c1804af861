"""Form fields for what a row keeps as a list or as JSON, with errors that say where."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from pydantic import ValidationError as PydanticError
from unfold.widgets import UnfoldAdminTextareaWidget  # type: ignore[import-untyped]

from one_project.common.masking import is_secret


class LinesField(forms.CharField):
    """A list of texts, one in each line; blank lines are left out."""

    def __init__(self, *, item_length: int, rows: int = 3, **kwargs: Any) -> None:
        self.item_length = item_length
        widget = UnfoldAdminTextareaWidget(attrs={"rows": rows})
        super().__init__(widget=widget, required=False, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        lines = [line.strip() for line in str(super().to_python(value) or "").splitlines()]
        lines = list(dict.fromkeys(line for line in lines if line))
        for line in lines:
            if len(line) > self.item_length:
                raise ValidationError(
                    f"“{line[:40]}…” has {len(line)} characters, at most {self.item_length} fit."
                )
        return lines

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(list(initial or []) != self.to_python(data))
        except ValidationError:
            return True


class ObjectField(forms.JSONField):
    """A JSON object. Says in which line the text stops being JSON."""

    def __init__(self, **kwargs: Any) -> None:
        widget = UnfoldAdminTextareaWidget(attrs={"rows": 8, "spellcheck": "false"})
        super().__init__(widget=widget, required=False, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict) else value

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return {}
        try:
            found = json.loads(value, parse_constant=_no_number)
        except RecursionError:
            raise ValidationError("This is nested too deeply.") from None
        except ValueError as error:
            where = f": {error.msg} in line {error.lineno}, column {error.colno}" if isinstance(
                error, json.JSONDecodeError) else ""  # fmt: skip
            raise ValidationError(f"This is not JSON{where}.") from None
        if not isinstance(found, dict):
            raise ValidationError('This has to be a JSON object, for example {"city": "Vienna"}.')
        if "\\u0000" in json.dumps(found):
            raise ValidationError("The character NUL cannot be stored.")
        return found

    def bound_data(self, data: Any, initial: Any) -> Any:
        return data


def _no_number(name: str) -> None:
    raise ValidationError(f"{name} is not a number JSON knows.")


def secret_names(value: object) -> list[str]:
    """Keys anywhere in ``value`` that look like those of secrets."""
    if isinstance(value, dict):
        found = [str(key) for key in value if is_secret(str(key))]
        return found + [name for item in value.values() for name in secret_names(item)]
    if isinstance(value, list):
        return [name for item in value for name in secret_names(item)]
    return []


def said(error: PydanticError) -> list[str]:
    """What is wrong, as ``where.it.is: why``."""
    return [
        f"{'.'.join(map(str, item['loc'])) or 'value'}: {item['msg']}" for item in error.errors()
    ]
