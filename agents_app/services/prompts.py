"""The library of prompts. Every change of a prompt is a version that can be had back."""

from collections.abc import Callable, Mapping
from typing import TypeAlias
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from agents_app.errors import InvalidFields, PromptNotFound
from agents_app.models import Prompt, PromptVersion
from agents_app.runtime.prompt_text import fill_variables
from one_project.accounts.access import access_membership
from one_project.accounts.models import Organisation, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import Conflict
from one_project.common.text import clean_line, clean_text

PROMPT_LIMIT = 100_000
# What the menu of the composer offers at once.
PICKED = 100
NAME_TAKEN = "A prompt of this name exists already in the organisation."


@transaction.atomic
def create_prompt(
    organisation: Organisation,
    *,
    name: str,
    text: str,
    created_by: User | None = None,
    is_shared: bool = False,
) -> Prompt:
    """A new prompt with its first version; ``created_by`` None: the organisation's own.

    Raises InvalidFields for an empty or taken name and an empty text, NotFound for an outsider.
    """
    if created_by is not None:
        access_membership(created_by, organisation)
    name, text = _checked(name, text)
    try:
        with transaction.atomic():
            prompt = Prompt.objects.create(
                organisation=organisation,
                name=name,
                text=text,
                created_by=created_by,
                is_shared=is_shared,
            )
    except IntegrityError:
        raise InvalidFields({"name": NAME_TAKEN}) from None
    PromptVersion.objects.create(prompt=prompt, number=1, text=text, created_by=created_by)
    _record("prompt_created", prompt, created_by)
    return prompt


@transaction.atomic
def save_prompt(prompt: Prompt, *, by: User, name: str, text: str, version: int) -> Prompt:
    """Store the next version after ``version``, the one that was changed.

    Raises Conflict where somebody else saved since, PromptNotFound where it was deleted,
    InvalidFields for what cannot be stored.
    """
    name, text = _checked(name, text)
    stored = Prompt.objects.filter(pk=prompt.pk)
    try:
        with transaction.atomic():
            changed = stored.filter(version=version).update(
                name=name, text=text, version=version + 1, updated_at=timezone.now()
            )
    except IntegrityError:
        raise InvalidFields({"name": NAME_TAKEN}) from None
    if not changed:
        if not stored.exists():
            raise PromptNotFound
        raise Conflict(
            "Somebody else has saved this prompt since you opened it. Your text is kept: compare "
            "it with theirs in the history, then save again."
        )
    PromptVersion.objects.create(prompt=prompt, number=version + 1, text=text, created_by=by)
    prompt.refresh_from_db()
    _record("prompt_saved", prompt, by)
    return prompt


def restore_version(prompt: Prompt, *, by: User, number: int, version: int) -> Prompt:
    """Make the text of version ``number`` the newest version. Raises as ``save_prompt`` does."""
    old = PromptVersion.objects.filter(prompt=prompt, number=number).first()
    if old is None:
        raise PromptNotFound("There is no such version of this prompt.")
    return save_prompt(prompt, by=by, name=prompt.name, text=old.text, version=version)


@transaction.atomic
def delete_prompt(prompt: Prompt, *, by: User) -> None:
    """Delete it with its history; agents it was attached to go on without it."""
    _record("prompt_deleted", prompt, by)
    prompt.delete()


@transaction.atomic
def set_prompt_shared(prompt: Prompt, *, by: User, is_shared: bool) -> None:
    """Let everybody in the organisation use the prompt, or only whom it was given to."""
    changed = (
        Prompt.objects.filter(pk=prompt.pk).exclude(is_shared=is_shared).update(is_shared=is_shared)
    )
    if changed:
        _record("prompt_shared" if is_shared else "prompt_unshared", prompt, by)


def _checked(name: str, text: str) -> tuple[str, str]:
    name, text = clean_line(name, 120), clean_text(text).strip()
    problems = {}
    if not name:
        problems["name"] = "Please give the prompt a name."
    if not text:
        problems["text"] = "Please write the prompt."
    elif len(text) > PROMPT_LIMIT:
        problems["text"] = f"A prompt has at most {PROMPT_LIMIT:,} characters."
    if problems:
        raise InvalidFields(problems)
    return name, text


def _record(kind: str, prompt: Prompt, by: User | None) -> None:
    record_event(
        prompt.organisation,
        kind,
        actor=by,
        target=f"prompt:{prompt.pk}",
        data={"version": prompt.version},
    )


ThreadValues: TypeAlias = Callable[[User, Organisation, UUID], Mapping[str, str]]
_thread_values: list[ThreadValues] = []


def register_thread_values(find: ThreadValues) -> None:
    """Have ``find`` fill what prompts say about a thread; the app that owns threads does so.

    It is given an id from outside and answers with nothing for a thread the person may not see.
    """
    _thread_values.append(find)


def filled_prompts(
    user: User, organisation: Organisation, *, thread_id: UUID | None = None
) -> list[tuple[Prompt, str]]:
    """The prompts ``user`` may use, by name, with their text filled in as far as values are known.

    At most PICKED of them.
    """
    values: dict[str, str] = {
        "user.name": user.display_name,
        "organisation.name": organisation.name,
        "date": timezone.localdate().isoformat(),
    }
    if thread_id is not None:
        for find in _thread_values:
            values.update(find(user, organisation, thread_id))
    rows = Prompt.objects.usable_by(user, organisation).order_by("name")[:PICKED]
    return [(prompt, fill_variables(prompt.text, values)) for prompt in rows]
