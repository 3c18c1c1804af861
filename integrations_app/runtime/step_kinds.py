"""The kinds of steps of a notification: pydantic models, told apart by ``kind``.

The same models are written in Python (``Email(subject=…)``) and stored as JSON by the admin. They
decide nothing: see ``services.stepping``. Limits are those people know from Novu.
"""

from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from integrations_app.runtime.conditions import check_condition
from integrations_app.runtime.templates import problem_of
from integrations_app.types import ChannelType
from one_project.common.errors import InvalidInput

MAX_WAIT: Final = 365 * 86_400  # seconds
MAX_WINDOW: Final = 30 * 86_400
MAX_EVENTS: Final = 100  # told one by one in a digest; the rest is counted

# For ``skip``: what has been read needs no reminder.
READ: Final[dict[str, Any]] = {"==": [{"var": "notification.read"}, True]}
SEEN: Final[dict[str, Any]] = {"==": [{"var": "notification.seen"}, True]}


def template(text: str) -> str:
    """The text, if its places can be filled. Raises ValueError."""
    if wrong := problem_of(text):
        raise ValueError(wrong)
    return text


def _of_ours(text: str) -> str:
    # What a place gives is looked at when it is told.
    if text and not text.startswith("{{") and (not text.startswith("/") or text[:2] == "//"):
        raise ValueError("This is a path of ours, beginning with one slash.")
    return template(text)


Name = Annotated[str, Field(pattern=r"^([a-z][a-z0-9_-]{0,39})?$")]
Key = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_-]*$")]
Path = Annotated[str, Field(max_length=200, pattern=r"^([A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,9})?$")]
Hour = Annotated[int, Field(ge=0, le=23)]


class Timed(BaseModel):
    """A time of the week on the person's own clock. ``weekdays``: 0 is Monday; empty is daily."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hour: Hour
    minute: Annotated[int, Field(ge=0, le=59)] = 0
    weekdays: Annotated[tuple[Annotated[int, Field(ge=0, le=6)], ...], Field(max_length=7)] = ()


class StepBase(BaseModel):
    """``id``: its name in conditions, texts and the way; made from ``kind`` where none is given.

    ``skip``: a condition (see ``runtime.conditions``); where it holds, the step is left out.
    ``stop_on_fail``: when it fails, nothing after it happens.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, str_strip_whitespace=True, hide_input_in_errors=True
    )
    channel_type: ClassVar[ChannelType | None] = None

    id: Name = ""
    skip: dict[str, Any] = {}
    stop_on_fail: bool = False

    @field_validator("skip")
    @classmethod
    def _is_condition(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            if value:
                check_condition(value)
        except InvalidInput as error:
            raise ValueError(error.user_message) from None
        return value


class _Told(StepBase):
    """``url``: a path of ours that it leads to; "" is that of an earlier step."""

    url: Annotated[str, Field(max_length=500)] = ""

    @field_validator("url")
    @classmethod
    def _is_of_ours(cls, value: str) -> str:
        return _of_ours(value)

    @field_validator("title", "subject", "body", "html", "text", check_fields=False)
    @classmethod
    def _is_template(cls, value: str) -> str:
        return template(value)


class InApp(_Told):
    """A line of the inbox, behind the bell."""

    kind: Literal["in_app"] = "in_app"
    channel_type = ChannelType.IN_APP
    title: Annotated[str, Field(min_length=1, max_length=200)]
    body: Annotated[str, Field(max_length=4_000)] = ""


class Email(_Told):
    """A mail: ``body`` is plain text; ``html``, where there is one, goes beside it."""

    kind: Literal["email"] = "email"
    channel_type = ChannelType.EMAIL
    subject: Annotated[str, Field(min_length=1, max_length=200)]
    body: Annotated[str, Field(min_length=1, max_length=20_000)]
    html: Annotated[str, Field(max_length=60_000)] = ""
    channel: Key = ""


class Sms(_Told):
    kind: Literal["sms"] = "sms"
    channel_type = ChannelType.SMS
    text: Annotated[str, Field(min_length=1, max_length=1_000)]
    channel: Key = ""


class Chat(_Told):
    """To the person's own address, or to the place of ``channel`` (the key of one)."""

    kind: Literal["chat"] = "chat"
    channel_type = ChannelType.CHAT
    text: Annotated[str, Field(min_length=1, max_length=4_000)]
    channel: Key = ""


class Push(_Told):
    kind: Literal["push"] = "push"
    channel_type = ChannelType.PUSH
    title: Annotated[str, Field(min_length=1, max_length=120)]
    body: Annotated[str, Field(max_length=500)] = ""
    channel: Key = ""


class Webhook(_Told):
    """The payload, to the place of ``channel`` or of the default webhook integration."""

    kind: Literal["webhook"] = "webhook"
    channel_type = ChannelType.WEBHOOK
    text: Annotated[str, Field(max_length=4_000)] = ""
    channel: Key = ""


class Delay(StepBase):
    """Wait: so many ``seconds``, ``until`` a moment, to the next time ``at``, or as the payload
    says (``path``: to seconds or a moment)."""

    kind: Literal["delay"] = "delay"
    seconds: Annotated[int, Field(ge=1, le=MAX_WAIT)] | None = None
    until: AwareDatetime | None = None
    at: Timed | None = None
    path: Path = ""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        said = [self.seconds is not None, self.until is not None, self.at is not None]
        if sum([*said, bool(self.path)]) != 1:
            raise ValueError("A delay says one of: seconds, until, at, path.")
        return self


class Digest(StepBase):
    """Join what comes meanwhile: the first waits, and goes on with all of them.

    ``regular``: so long as ``window``. ``backoff``: only where there was one within ``look_back``
    before, else at once. ``timed``: to the next time ``at``. ``key``: a path of the payload; each
    value has a digest of its own. ``line``: a text for each, joined as ``steps.<id>.text``.
    """

    kind: Literal["digest"] = "digest"
    strategy: Literal["regular", "backoff", "timed"] = "regular"
    window: Annotated[int, Field(ge=1, le=MAX_WINDOW)] | None = None
    look_back: Annotated[int, Field(ge=1, le=MAX_WINDOW)] | None = None
    at: Timed | None = None
    key: Path = ""
    line: Annotated[str, Field(max_length=500)] = ""

    @field_validator("line")
    @classmethod
    def _is_template(cls, value: str) -> str:
        return template(value)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.strategy == "timed":
            if self.at is None or self.window is not None:
                raise ValueError("A timed digest says at, and no window.")
        elif self.window is None or self.at is not None:
            raise ValueError("This digest says its window, in seconds.")
        if (self.strategy == "backoff") != (self.look_back is not None):
            raise ValueError("look_back belongs to the strategy backoff.")
        return self


class Throttle(StepBase):
    """Go on at most ``threshold`` times in ``window`` seconds for a person (and ``key``)."""

    kind: Literal["throttle"] = "throttle"
    threshold: Annotated[int, Field(ge=1, le=1_000)] = 1
    window: Annotated[int, Field(ge=1, le=MAX_WINDOW)]
    key: Path = ""


CHANNEL_STEPS = (Email, Sms, Chat, Push, Webhook)
