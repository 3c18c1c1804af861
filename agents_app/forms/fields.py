"""The fields our forms are made of, and the form that can take a service's complaints."""

from collections.abc import Mapping
from typing import Any

import orjson
from django import forms
from django.core.exceptions import ValidationError

from agents_app.errors import InvalidFields
from one_project.common.text import JSON_LIMITS, clean_line, is_plain_json

JSON_LIMIT = 20_000
# Joiner, emoji style, and skin tones: part of the sign before them.
_JOINER = "\u200d"
_MODIFIERS = {"\ufe0f", *map(chr, range(0x1F3FB, 0x1F400))}


class ServiceForm(forms.Form):
    """A form whose fields the service may also complain about."""

    def __init__(self, data: Mapping[str, Any] | None = None, **options: Any) -> None:
        super().__init__(data, label_suffix="", **options)

    def complain(self, error: InvalidFields, prefix: str = "") -> None:
        """Put the service's complaints beside the fields; others go above the form."""
        for name, message in error.fields.items():
            found = next((one for one in (name, prefix + name) if one in self.fields), None)
            self.add_error(found, message)

    @property
    def problems(self) -> list[tuple[str, str, str]]:
        """For the summary: the id to jump to ("" for none), the label, and what is wrong."""
        found = [("", "", str(error)) for error in self.non_field_errors()]
        for name in self.fields:
            bound = self[name]
            target = bound.auto_id if not bound.use_fieldset else f"{bound.auto_id}_group"
            found += [(target, str(bound.label), str(error)) for error in bound.errors]
        return found


class JsonObjectField(forms.CharField):
    """A JSON object typed as text; empty is an empty object."""

    widget = forms.Textarea

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, max_length=JSON_LIMIT, **options)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() if value else ""

    def clean(self, value: Any) -> dict[str, Any]:
        text = super().clean(value)
        if not text:
            return {}
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise ValidationError(f"This is not valid JSON: {error}.") from None
        if not is_plain_json(found):
            raise ValidationError(f"This is no JSON that can be used {JSON_LIMITS}.")
        if not isinstance(found, dict):
            raise ValidationError('Please write a JSON object, like {"name": "value"}.')
        return found


class LinesField(forms.CharField):
    """Several short texts in one box, each on a line of its own or between separators."""

    def __init__(self, *, separator: str, most: int, longest: int, **options: Any) -> None:
        self.separator, self.most, self.longest = separator, most, longest
        super().__init__(required=False, max_length=most * (longest + 2) * 2, **options)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return (self.separator if self.separator == "\n" else f"{self.separator} ").join(value)

    def clean(self, value: Any) -> list[str]:
        text = super().clean(value) or ""
        lines = [clean_line(line, 10_000) for line in text.split(self.separator)]
        found = list(dict.fromkeys(line for line in lines if line))
        if len(found) > self.most:
            raise ValidationError(f"At most {self.most}, please.")
        if any(len(line) > self.longest for line in found):
            raise ValidationError(f"Each has at most {self.longest} characters.")
        return found


class AvatarField(forms.CharField):
    """One emoji or two letters."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, max_length=8, **options)

    def clean(self, value: Any) -> str:
        text = clean_line(super().clean(value), 8)
        signs = [sign for sign in text if sign not in _MODIFIERS]
        # Emojis that are joined (families, professions) count as one; a flag is two signs.
        if " " in text or (len(signs) > 2 and _JOINER not in text):
            raise ValidationError("One emoji or two letters, please.")
        return text
