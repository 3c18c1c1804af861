"""Flows and their drafts: made, edited as a whole, published, put away."""

from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.utils import timezone

from flows_app.access import require_staff
from flows_app.conf import NAME_LIMIT
from flows_app.live.announce import announce_flows
from flows_app.models import Flow, FlowRevision
from flows_app.services.writing_steps import check_ready, drafts_of, write_steps
from flows_app.types import StepDraft
from one_project.accounts.models import Organisation, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import AccessDenied, Conflict, InvalidInput
from one_project.common.text import clean_line, clean_text


@transaction.atomic
def create_flow(
    organisation: Organisation,
    *,
    by: User,
    name: str,
    description: str = "",
    steps: Sequence[StepDraft] = (),
    completion_message: str = "",
) -> Flow:
    """A flow with a first draft. Raises InvalidInput for no name or one that is taken."""
    require_staff(by, organisation, AccessDenied)
    flow = Flow(
        organisation=organisation,
        name=flow_name(name),
        description=clean_text(description),
        created_by=by,
    )
    _save(flow)
    draft = FlowRevision.objects.create(
        organisation=organisation,
        flow=flow,
        number=1,
        created_by=by,
        completion_message=clean_text(completion_message),
    )
    write_steps(draft, steps, by)
    flow.draft = draft
    flow.save(update_fields=["draft", "updated_at"])
    record_event(organisation, "flow_created", actor=by, target=f"flow:{flow.pk}")
    announce_flows(organisation.pk)
    return flow


@transaction.atomic
def save_draft(
    flow: Flow,
    *,
    by: User,
    steps: Sequence[StepDraft],
    name: str | None = None,
    description: str | None = None,
    completion_message: str | None = None,
    version: int | None = None,
) -> FlowRevision:
    """Replace the draft's steps as a whole; without a draft one begins from what is published.

    ``version``: of the draft the form showed (0: there was none). Raises Conflict where somebody
    else has saved meanwhile, FlowCycle and InvalidInput for steps that cannot be.
    """
    require_staff(by, flow.organisation_id)
    locked = Flow.objects.select_for_update().get(pk=flow.pk)
    draft = locked.draft
    if version is not None and version != (draft.version if draft else 0):
        raise _overtaken(locked)
    if draft is None:
        draft = begin_draft(locked, by)
    else:
        draft.version += 1
    draft.created_by = by
    if completion_message is not None:
        draft.completion_message = clean_text(completion_message)
    draft.save()
    if name is not None:
        locked.name = flow_name(name)
    if description is not None:
        locked.description = clean_text(description)
    locked.draft = draft
    _save(locked)
    write_steps(draft, steps, by)
    announce_flows(flow.organisation_id)
    return draft


def begin_draft(flow: Flow, by: User) -> FlowRevision:
    """A new draft of a locked flow with the published steps, not attached to it yet."""
    last = flow.revisions.order_by("-number").first()
    draft = FlowRevision.objects.create(
        organisation_id=flow.organisation_id,
        flow=flow,
        number=(last.number if last else 0) + 1,
        created_by=by,
        completion_message=flow.published.completion_message if flow.published else "",
    )
    if flow.published is not None:
        write_steps(draft, drafts_of(flow.published), by, trusted=True)
    return draft


@transaction.atomic
def publish_flow(flow: Flow, *, by: User, version: int | None = None) -> FlowRevision:
    """Make the draft what new assignments get. Those that run keep their revision until moved.

    Raises InvalidInput where there is nothing to publish or a step lacks what it needs, Conflict
    where the draft is not the one that was looked at.
    """
    require_staff(by, flow.organisation_id)
    locked = Flow.objects.select_for_update().get(pk=flow.pk)
    draft = locked.draft
    if draft is None:
        raise InvalidInput("There is nothing new to publish.")
    if version is not None and version != draft.version:
        raise _overtaken(locked)
    check_ready(draft)
    draft.published_at, draft.published_by = timezone.now(), by
    draft.save()
    locked.published, locked.draft = draft, None
    locked.save(update_fields=["published", "draft", "updated_at"])
    record_event(
        locked.organisation,
        "flow_published",
        actor=by,
        target=f"flow:{flow.pk}",
        data={"revision": draft.number},
    )
    announce_flows(flow.organisation_id)
    return draft


@transaction.atomic
def archive_flow(flow: Flow, *, by: User, archived: bool = True) -> Flow:
    """Put it away, or bring it back: nothing new is assigned; what runs goes on."""
    require_staff(by, flow.organisation_id)
    # As it is now: somebody may have published or renamed it meanwhile.
    locked = Flow.objects.select_for_update().get(pk=flow.pk)
    locked.archived_at = timezone.now() if archived else None
    _save(locked)
    kind = "flow_archived" if archived else "flow_unarchived"
    record_event(locked.organisation, kind, actor=by, target=f"flow:{flow.pk}")
    announce_flows(flow.organisation_id)
    return locked


def _overtaken(flow: Flow) -> Conflict:
    """Who has saved or published meanwhile, in words."""
    if flow.draft is not None:
        who, did = flow.draft.created_by, "changed this draft"
    else:
        who, did = flow.published.published_by if flow.published else None, "published this flow"
    name = who.display_name if who else "Somebody"
    return Conflict(f"{name} has {did} in the meantime. Please look at it again.")


def flow_name(name: str) -> str:
    """Cleaned. Raises InvalidInput where nothing is left."""
    name = clean_line(name, NAME_LIMIT)
    if not name:
        raise InvalidInput("Please give the flow a name.")
    return name


def _save(flow: Flow) -> None:
    try:
        with transaction.atomic():
            flow.save()
    except IntegrityError as error:
        raise InvalidInput(f"There is a flow called “{flow.name}” already.") from error
