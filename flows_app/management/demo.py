"""The steps of the demonstration course."""

from uuid import UUID

from flows_app.models import StepKind
from flows_app.types import StepDraft

_HOW_WE_WORK = """\
Welcome! A few things make work here easy:

- **We write things down.** What is decided in a talk is written into its thread the same day.
- **We ask.** People and agents answer in the same chat; mention anybody with `@name`.
- **Fridays are quiet.** No meetings, time to finish things.

> Nobody expects you to know everything after a week. After a month, ask us again what is missing.

When you have read this, say so below: the next steps open.
"""

_DESK = "Everything you need on your first day. Tick what is there; ask for what is not."

_PLAN_TASK = """\
Write a plan for the first week of a new colleague: five days, for each day one thing to learn, one
person to meet and one small result. Use a Markdown list. Be friendly and brief.
"""


def welcome_aboard(agent_id: UUID | None) -> list[StepDraft]:
    """One step of each kind that makes sense here; those of the agent only where there is one."""
    read = StepDraft(kind=StepKind.READING, name="How we work", content=_HOW_WE_WORK, due_days=1)
    desk = StepDraft(
        kind=StepKind.CHECKLIST,
        name="Set up your desk",
        content=_DESK,
        due_days=2,
        settings={
            "items": [
                {"id": "key", "text": "I have a key, or know who opens the door"},
                {"id": "account", "text": "I can sign in everywhere I need to"},
                {"id": "desk", "text": "My desk, chair and screen fit me"},
                {"id": "kitchen", "text": "I have found the kitchen"},
            ]
        },
    )
    about = StepDraft(
        kind=StepKind.FORM,
        name="About you",
        content="So that we can prepare what you need. Only staff see your answers.",
        prerequisites=(read.key,),
        due_days=4,
        settings={
            "fields": [
                {"id": "call", "label": "How shall we call you?", "type": "text", "required": True},
                {"id": "start", "label": "Your first day", "type": "date", "required": True},
                {
                    "id": "lunch",
                    "label": "Lunch",
                    "type": "choice",
                    "choices": ["Everything", "Vegetarian", "Vegan"],
                    "required": True,
                },
                {"id": "more", "label": "Anything else we should know?", "type": "long"},
            ]
        },
    )
    picture = StepDraft(
        kind=StepKind.FILE,
        name="A picture for the team page",
        content="Only if you like: a picture of you, or of something you like.",
        is_required=False,
        due_days=14,
        settings={"accept": [".jpg", ".jpeg", ".png", ".webp"], "max_files": 1},
    )
    steps = [read, desk, about, picture]
    before_the_end = [desk.key, about.key]
    if agent_id is not None:
        talk = StepDraft(
            kind=StepKind.CHAT,
            name="Get to know Guide",
            content="Ask Guide three things you want to know about your first weeks. Guide knows "
            "this step and how far you are.",
            prerequisites=(read.key,),
            due_days=5,
            agent_id=agent_id,
            settings={"opening": "Hello! What would you like to know about your first weeks?"},
        )
        plan = StepDraft(
            kind=StepKind.AGENT_TASK,
            name="A plan for your first week",
            content="Guide drafts a plan for you, and staff look at it before it is yours.",
            prerequisites=(about.key,),
            due_days=7,
            agent_id=agent_id,
            review_hours=24,
            settings={"task": _PLAN_TASK},
        )
        steps += [talk, plan]
        before_the_end += [talk.key, plan.key]
    ready = StepDraft(
        kind=StepKind.APPROVAL,
        name="Ready to go",
        content="Somebody of the staff looks at everything with you and says that you are ready.",
        prerequisites=tuple(before_the_end),
        due_days=10,
    )
    return [*steps, ready]


def safe_at_work() -> list[StepDraft]:
    ways = StepDraft(
        kind=StepKind.READING,
        name="Ways out",
        content="Both stairs lead outside. **Never** take the lift when the alarm rings. We meet "
        "at the big tree across the street, and nobody leaves before everybody was counted.",
        due_days=14,
    )
    walk = StepDraft(
        kind=StepKind.CHECKLIST,
        name="Walk the ways once",
        content="It takes five minutes, and it is the only way to remember them.",
        prerequisites=(ways.key,),
        due_days=16,
        settings={
            "items": [
                {"id": "stairs", "text": "I have walked down both stairs"},
                {"id": "fire", "text": "I know the nearest fire extinguisher"},
                {"id": "aid", "text": "I know where the first-aid box is"},
            ]
        },
    )
    answer = StepDraft(
        kind=StepKind.FORM,
        name="Two questions",
        content="From memory, please.",
        prerequisites=(walk.key,),
        due_days=18,
        needs_review=True,
        settings={
            "fields": [
                {"id": "meet", "label": "Where do we meet?", "type": "text", "required": True},
                {
                    "id": "lift",
                    "label": "The alarm rings. The lift is open. What do you do?",
                    "type": "choice",
                    "choices": ["Take the lift", "Take the stairs", "Wait at the desk"],
                    "required": True,
                },
            ]
        },
    )
    return [ways, walk, answer]
