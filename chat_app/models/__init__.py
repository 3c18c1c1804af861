from chat_app.models.messages import Message, MessageKind, MessageStatus
from chat_app.models.threads import Thread, ThreadParticipant, ThreadStatus
from chat_app.models.turns import Turn, TurnStatus

__all__ = [
    "Message",
    "MessageKind",
    "MessageStatus",
    "Thread",
    "ThreadParticipant",
    "ThreadStatus",
    "Turn",
    "TurnStatus",
]
