"""Rows of every model in the admin, each with people, agents and threads of its own."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from allauth.account.models import EmailAddress
from django.db.models import Model
from django.utils import timezone

from agents_app.models import (
    Agent,
    AICall,
    Collection,
    Document,
    DocumentVersion,
    EmbeddingSpace,
    Prompt,
    Tool,
    ToolAllowance,
    ToolCall,
)
from agents_app.services.prompts import create_prompt, save_prompt
from billing_app.models import RateLimitState
from chat_app.models import (
    Canvas,
    CanvasVersion,
    Escalation,
    Message,
    Task,
    Thread,
    ThreadEdit,
    Turn,
)
from flows_app.models import (
    BulkAssignment,
    Comment,
    Course,
    CourseFlow,
    Flow,
    FlowProgress,
    FlowRevision,
    FlowStep,
    Lesson,
    LessonTarget,
    Notice,
    Reminder,
    ReminderWish,
    StepState,
    Submission,
)
from one_project.accounts.models import (
    Event,
    Grant,
    Membership,
    Organisation,
    Team,
    TeamMember,
    User,
)
from one_project.common.tenancy import in_tenant
from one_project.workflows.models import Pool, WorkflowEvent, WorkflowRun, WorkItem
from one_project.workflows.types import Kind, Status
from tests.admin.billing_rows import BILLING_GLOBAL, BILLING_MAKERS
from tests.admin.integration_rows import INTEGRATION_MAKERS
from tests.admin.making import membership, name, numbers, organisation, user


def email(org: Organisation) -> EmailAddress:
    person = user(org)
    return EmailAddress.objects.create(user=person, email=person.email)


def team(org: Organisation) -> Team:
    made = Team.objects.create(organisation=org, name=name("Team"))
    TeamMember.objects.create(team=made, user=user(org))
    return made


def event(org: Organisation) -> Event:
    return Event.objects.create(organisation=org, kind="thing_done", actor=user(org), target="a:b")


def agent(org: Organisation) -> Agent:
    return Agent.objects.create(organisation=org, name=name("Agent"), created_by=user(org))


def collection(org: Organisation) -> Collection:
    with in_tenant(org.pk):
        return Collection.objects.create(
            organisation=org, name=name("Collection"), created_by=user(org)
        )


def document(org: Organisation) -> Document:
    with in_tenant(org.pk):
        return Document.objects.create(
            organisation=org,
            collection=collection(org),
            title=name("Document"),
            source="text",
            key=name("key"),
            created_by=user(org),
        )


def document_version(org: Organisation) -> DocumentVersion:
    with in_tenant(org.pk):
        return DocumentVersion.objects.create(organisation=org, document=document(org), number=1)


def prompt(org: Organisation) -> Prompt:
    person = user(org)
    made = create_prompt(org, name=name("Prompt"), text="One", created_by=person)
    return save_prompt(made, by=person, name=made.name, text="Two", version=1)


def tool(org: Organisation) -> Tool:
    return Tool.objects.create(organisation=org, name=name("tool"), created_by=user(org))


def grant(org: Organisation) -> Grant:
    things = [("agent", agent), ("tool", tool), ("prompt", prompt)]
    object_type, make = things[next(numbers) % 3]
    return Grant.objects.create(
        organisation=org,
        object_type=object_type,
        object_id=make(org).pk,
        user=user(org),
        granted_by=user(org),
    )


def allowance(org: Organisation) -> ToolAllowance:
    return ToolAllowance.objects.create(
        organisation=org, user=user(org), thread_id=uuid4(), tool_name=name("tool")
    )


def tool_call(org: Organisation) -> ToolCall:
    return ToolCall.objects.create(
        organisation=org,
        agent=agent(org),
        requested_by=user(org),
        tool=tool(org),
        thread_id=uuid4(),
        call_id=name("call"),
        name=name("tool"),
        arguments={"city": "Vienna"},
        args_hash="0",
    )


def ai_call(org: Organisation) -> AICall:
    return AICall.objects.create(
        organisation=org,
        agent=agent(org),
        agent_name="Agent",
        user=user(org),
        thread_id=uuid4(),
        model=name("model"),
        provider="scripted",
        status="success",
        input_tokens=10,
        output_tokens=5,
        request={"messages": []},
        response={"parts": []},
    )


def thread(org: Organisation) -> Thread:
    return Thread.objects.create(
        organisation=org, agent=agent(org), created_by=user(org), title=name("Thread")
    )


def message(org: Organisation) -> Message:
    return Message.objects.create(
        organisation=org,
        thread=thread(org),
        order=0,
        step_order=0,
        kind="user",
        author=user(org),
        text="What nobody else should read",
    )


def turn(org: Organisation) -> Turn:
    asked = message(org)
    answer = Message.objects.create(
        organisation=org, thread=asked.thread, order=0, step_order=1, kind="agent"
    )
    return Turn.objects.create(
        organisation=org, thread=asked.thread, prompt=asked, message=answer, agent=agent(org)
    )


def escalation(org: Organisation) -> Escalation:
    return Escalation.objects.create(
        organisation=org, thread=thread(org), agent=agent(org), taken_by=user(org), reason="Help"
    )


def task(org: Organisation) -> Task:
    return Task.objects.create(
        organisation=org, user=user(org), thread=thread(org), agent=agent(org), title=name("Task")
    )


def canvas(org: Organisation) -> Canvas:
    return Canvas.objects.create(
        organisation=org, thread=thread(org), title=name("Canvas"), text="What nobody should read"
    )


def canvas_version(org: Organisation) -> CanvasVersion:
    return CanvasVersion.objects.create(
        organisation=org, canvas=canvas(org), number=1, kind="markdown", text="Not to be read"
    )


def thread_edit(org: Organisation) -> ThreadEdit:
    written = canvas(org)
    return ThreadEdit.objects.create(
        organisation=org, thread=written.thread, canvas=written, kind="create", version=1
    )


def run(org: Organisation) -> WorkflowRun:
    return WorkflowRun.objects.create(
        organisation=org, workflow=name("workflow"), started_by=user(org)
    )


def work(org: Organisation) -> WorkItem:
    return WorkItem.objects.create(
        organisation=org,
        run=run(org),
        n=0,
        kind=Kind.ACTION,
        name=name("step"),
        status=Status.SUCCESS,
        token=uuid4(),
    )


def sent(org: Organisation) -> WorkflowEvent:
    step = work(org)
    return WorkflowEvent.objects.create(run=step.run, step=step, name=name("event"))


def pool(_: Organisation) -> Pool:
    return Pool.objects.create(name=name("pool"))


def space(_: Organisation) -> EmbeddingSpace:
    return EmbeddingSpace.objects.create(
        provider="scripted", model=name("model"), dimensions=8, state="retired"
    )


def rate_limit(org: Organisation) -> RateLimitState:
    return RateLimitState.objects.create(
        organisation=org, name=name("limit"), value=1, at=timezone.now()
    )


def flow(org: Organisation) -> Flow:
    made = Flow.objects.create(organisation=org, name=name("Flow"), created_by=user(org))
    draft = FlowRevision.objects.create(organisation=org, flow=made, number=1)
    FlowStep.objects.create(
        organisation=org, revision=draft, position=0, kind="reading", name=name("Step")
    )
    draft.published_at, draft.published_by = timezone.now(), made.created_by
    draft.save()
    made.published = draft
    made.save()
    return made


def revision(org: Organisation) -> FlowRevision:
    return flow(org).revisions.get()


def flow_step(org: Organisation) -> FlowStep:
    made = revision(org).steps.first()
    assert made is not None
    return made


def course(org: Organisation) -> Course:
    made = Course.objects.create(organisation=org, name=name("Course"), created_by=user(org))
    CourseFlow.objects.create(organisation=org, course=made, flow=flow(org), position=0)
    return made


def lesson(org: Organisation) -> Lesson:
    return Lesson.objects.create(
        organisation=org,
        flow=flow(org),
        user=user(org),
        assigned_by=user(org),
        assigned_at=timezone.now(),
    )


def bulk(org: Organisation) -> BulkAssignment:
    return BulkAssignment.objects.create(organisation=org, requested_by=user(org))


def target(org: Organisation) -> LessonTarget:
    made = lesson(org)
    assert made.flow is not None
    assert made.flow.published is not None
    return LessonTarget.objects.create(
        organisation=org,
        lesson=made,
        flow=made.flow,
        revision=made.flow.published,
        user=made.user,
        assigned_at=made.assigned_at,
    )


def progress(org: Organisation) -> FlowProgress:
    whose = target(org)
    return FlowProgress.objects.create(
        organisation=org,
        target=whose,
        seq=1,
        kind="assigned",
        flow=whose.flow,
        user=whose.user,
        actor_type="user",
        actor=user(org),
    )


def step_state(org: Organisation) -> StepState:
    return StepState.objects.create(
        organisation=org, target=target(org), step_key=uuid4(), changed_by=user(org)
    )


def submission(org: Organisation) -> Submission:
    return Submission.objects.create(
        organisation=org,
        target=target(org),
        step_key=uuid4(),
        number=1,
        status="awaiting_review",
        agent=agent(org),
    )


def comment(org: Organisation) -> Comment:
    return Comment.objects.create(
        organisation=org, target=target(org), author=user(org), text="A question"
    )


def notice(org: Organisation) -> Notice:
    return Notice.objects.create(
        organisation=org, user=user(org), kind="reminder", text=name("Due"), url="/lessons/"
    )


def reminder(org: Organisation) -> Reminder:
    return Reminder.objects.create(
        organisation=org,
        target=target(org),
        user=user(org),
        kind="due",
        due_at=timezone.now(),
        notice=notice(org),
    )


def wish(org: Organisation) -> ReminderWish:
    return ReminderWish.objects.create(organisation=org, user=user(org))


MAKERS: dict[type[Model], Callable[[Organisation], Any]] = {
    Organisation: organisation,
    Membership: membership,
    User: user,
    EmailAddress: email,
    Team: team,
    Event: event,
    Agent: agent,
    Prompt: prompt,
    Collection: collection,
    Document: document,
    DocumentVersion: document_version,
    Tool: tool,
    Grant: grant,
    ToolAllowance: allowance,
    ToolCall: tool_call,
    AICall: ai_call,
    Thread: thread,
    Message: message,
    Turn: turn,
    Escalation: escalation,
    Task: task,
    Canvas: canvas,
    CanvasVersion: canvas_version,
    ThreadEdit: thread_edit,
    WorkflowRun: run,
    WorkItem: work,
    WorkflowEvent: sent,
    Pool: pool,
    EmbeddingSpace: space,
    RateLimitState: rate_limit,
    Flow: flow,
    FlowRevision: revision,
    FlowStep: flow_step,
    Course: course,
    Lesson: lesson,
    BulkAssignment: bulk,
    LessonTarget: target,
    FlowProgress: progress,
    StepState: step_state,
    Submission: submission,
    Comment: comment,
    Notice: notice,
    Reminder: reminder,
    ReminderWish: wish,
    **INTEGRATION_MAKERS,
    **BILLING_MAKERS,
}
# Of the whole installation: nobody sees them by a role.
GLOBAL = {Pool, EmailAddress, EmbeddingSpace, *BILLING_GLOBAL}
