"""The form of a notification workflow: its steps are written as JSON."""

from collections.abc import Mapping
from typing import Any

import orjson
from django import forms

from integrations_app.services.notification_workflows import GENERAL, Draft
from one_project.common.errors import InvalidInput
from one_project.common.text import is_plain_json

MAX_STEPS_TEXT = 100_000


def steps_as_text(steps: Any) -> str:
    """Steps as people edit them."""
    return orjson.dumps(steps, option=orjson.OPT_INDENT_2).decode()


class WorkflowForm(forms.Form):
    """What is right is decided by ``services.notification_workflows.check_draft``."""

    key = forms.CharField(
        max_length=64,
        required=False,
        help_text="What programs say: small letters, digits, hyphens.",
    )
    name = forms.CharField(max_length=120, required=False)
    description = forms.CharField(max_length=300, required=False)
    category = forms.CharField(
        max_length=64,
        required=False,
        help_text="People switch kinds of notifications off by it.",
    )
    is_critical = forms.BooleanField(
        required=False,
        label="Critical",
        help_text="Asks no preference. For what nobody may miss.",
    )
    is_active = forms.BooleanField(required=False, label="Active")
    steps = forms.CharField(
        max_length=MAX_STEPS_TEXT,
        required=False,
        widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false", "class": "is-code"}),
    )

    def __init__(self, data: Mapping[str, Any] | None = None, **options: Any) -> None:
        super().__init__(data, label_suffix="", **options)

    def clean_steps(self) -> Any:
        text = self.cleaned_data["steps"]
        try:
            found = orjson.loads(text or "[]")
        except orjson.JSONDecodeError as error:
            raise forms.ValidationError(
                f"This is not JSON yet: see line {error.lineno}, column {error.colno}."
            ) from None
        if not is_plain_json(found):
            raise forms.ValidationError("This is nested too deeply, or its numbers are too large.")
        return found

    @property
    def draft(self) -> Draft:
        """What was sent, once the form is valid."""
        return Draft(**self.cleaned_data)

    @property
    def initial_draft(self) -> Draft:
        """What an unsent form shows."""
        shown = {"key": "new", "name": "New", "category": GENERAL, **self.initial}
        known = {name: shown[name] for name in Draft.__dataclass_fields__ if name in shown}
        steps = orjson.loads(shown.get("steps") or "[]")
        return Draft(**{**known, "key": shown["key"] or "new", "steps": steps})

    @property
    def problems(self) -> list[tuple[str, str]]:
        """By field, in words."""
        return [(name, str(one)) for name, errors in self.errors.items() for one in errors]

    @staticmethod
    def payload_of(text: str) -> dict[str, Any]:
        """A payload typed as JSON; nothing is an empty one. Raises InvalidInput."""
        try:
            found = orjson.loads(text.strip() or "{}")
        except orjson.JSONDecodeError:
            raise InvalidInput("The payload is not JSON.") from None
        if not isinstance(found, dict):
            raise InvalidInput("The payload is a JSON object.")
        return found
