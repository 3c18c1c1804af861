from chat_app.models.escalations import Escalation, EscalationStatus
from chat_app.models.messages import Message, MessageKind, MessageStatus
from chat_app.models.tasks import Priority, Task
from chat_app.models.threads import Routing, Thread, ThreadParticipant, ThreadStatus, TitleBy
from chat_app.models.turns import Turn, TurnStatus

__all__ = [
    "Escalation",
    "EscalationStatus",
    "Message",
    "MessageKind",
    "MessageStatus",
    "Priority",
    "Routing",
    "Task",
    "Thread",
    "ThreadParticipant",
    "ThreadStatus",
    "TitleBy",
    "Turn",
    "TurnStatus",
]
