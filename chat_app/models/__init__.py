from chat_app.models.canvas import Canvas, CanvasKind, CanvasVersion, EditKind, ThreadEdit
from chat_app.models.escalations import Escalation, EscalationStatus
from chat_app.models.messages import Message, MessageKind, MessageStatus
from chat_app.models.playground import (
    Check,
    InputSet,
    SavedInput,
    Trial,
    TrialAnswer,
    TrialKind,
    TrialStatus,
)
from chat_app.models.search import EntryEmbedding, EntryKind, SearchEntry
from chat_app.models.tasks import Priority, Task
from chat_app.models.threads import Routing, Thread, ThreadParticipant, ThreadStatus, TitleBy
from chat_app.models.turns import Turn, TurnStatus

__all__ = [
    "Canvas",
    "CanvasKind",
    "CanvasVersion",
    "Check",
    "EditKind",
    "EntryEmbedding",
    "EntryKind",
    "Escalation",
    "EscalationStatus",
    "InputSet",
    "Message",
    "MessageKind",
    "MessageStatus",
    "Priority",
    "Routing",
    "SavedInput",
    "SearchEntry",
    "Task",
    "Thread",
    "ThreadEdit",
    "ThreadParticipant",
    "ThreadStatus",
    "TitleBy",
    "Trial",
    "TrialAnswer",
    "TrialKind",
    "TrialStatus",
    "Turn",
    "TurnStatus",
]
