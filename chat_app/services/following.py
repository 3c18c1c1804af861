"""What follows the end of an answer in the background: a title, a summary of what is long ago."""

from chat_app.models import Message, Turn, TurnStatus
from chat_app.services.changes import Change
from chat_app.services.summaries import request_summary
from chat_app.services.titles import request_title
from chat_app.services.turns import after_turns


def _answered(change: Change, turn: Turn, message: Message) -> None:
    if turn.status == TurnStatus.SUCCESS:
        request_title(change.thread)
        request_summary(change.thread)


after_turns(_answered)
