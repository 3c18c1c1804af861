"""The form of a prompt in the library."""

from typing import Any

from django import forms

from agents_app.forms.fields import ServiceForm
from agents_app.models import Prompt
from agents_app.services.prompts import PROMPT_LIMIT


class PromptForm(ServiceForm):
    """Name and text; ``version`` is the one that is changed."""

    name = forms.CharField(
        max_length=120, error_messages={"required": "Please give the prompt a name."}
    )
    text = forms.CharField(
        max_length=PROMPT_LIMIT,
        widget=forms.Textarea(attrs={"rows": 12}),
        error_messages={"required": "Please write the prompt."},
    )
    version = forms.IntegerField(
        min_value=1, max_value=1_000_000_000, required=False, widget=forms.HiddenInput
    )

    def __init__(self, data: Any = None, *, prompt: Prompt | None = None) -> None:
        initial = {}
        if prompt is not None:
            initial = {"name": prompt.name, "text": prompt.text, "version": prompt.version}
        super().__init__(data, initial=initial)
