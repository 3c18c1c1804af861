"""The history of prompts: each text a prompt has had is a version."""

from django.db import transaction

from agents_app.models import Prompt, PromptVersion
from one_project.accounts.models import User
from one_project.common.errors import InvalidInput
from one_project.common.text import clean_text

TEXT_LIMIT = 100_000


@transaction.atomic
def save_prompt_text(prompt: Prompt, text: str, by: User | None) -> PromptVersion:
    """Give the prompt a new text; what it said before stays as a version.

    The same text again makes no version. ``prompt`` is refreshed. Raises InvalidInput for an empty
    text or one of more than 100,000 characters.
    """
    text = clean_text(text)
    if not text.strip():
        raise InvalidInput("Please write the text of the prompt.")
    if len(text) > TEXT_LIMIT:
        raise InvalidInput(f"A prompt has at most {TEXT_LIMIT:,} characters.")
    row = Prompt.objects.select_for_update().get(pk=prompt.pk)
    newest = row.versions.order_by("-number").first()
    if newest is None:
        # A prompt made without history: what it says now is its first version.
        newest = _add(row, row.version, row.text, row.created_by)
    if newest.text != text:
        newest = _add(row, newest.number + 1, text, by)
    if (row.text, row.version) != (newest.text, newest.number):
        row.text, row.version = newest.text, newest.number
        row.save(update_fields=["text", "version", "updated_at"])
    prompt.text, prompt.version, prompt.updated_at = row.text, row.version, row.updated_at
    return newest


def _add(prompt: Prompt, number: int, text: str, by: User | None) -> PromptVersion:
    return PromptVersion.objects.create(prompt=prompt, number=number, text=text, created_by=by)
