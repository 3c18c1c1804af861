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
from chat_app.models.tasks import Priority, Task
from chat_app.models.threads import Routing, Thread, ThreadParticipant, ThreadStatus, TitleBy
from chat_app.models.turns import Turn, TurnStatus

__all__ = [
    "Check",
    "Escalation",
    "EscalationStatus",
    "InputSet",
    "Message",
    "MessageKind",
    "MessageStatus",
    "Priority",
    "Routing",
    "SavedInput",
    "Task",
    "Thread",
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
