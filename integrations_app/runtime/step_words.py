"""A step of a notification in words, for the page on which it is written."""

from integrations_app.runtime import condition_words
from integrations_app.runtime.notification_steps import AnyStep
from integrations_app.runtime.step_kinds import (
    Chat,
    Delay,
    Digest,
    Email,
    InApp,
    Push,
    Sms,
    Throttle,
    Timed,
    Webhook,
)
from integrations_app.runtime.step_requests import HttpRequest

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def in_words(one: AnyStep) -> str:
    """One sentence."""
    said = _said(one)
    if one.skip:
        said += f", unless {condition_words.in_words(one.skip)}"
    if one.stop_on_fail:
        said += "; if that fails, it ends here"
    return f"{said}."


def _said(one: AnyStep) -> str:
    if isinstance(one, InApp):
        return f"Show “{one.title}” in the inbox"
    if isinstance(one, Email):
        return f"Send the e-mail “{one.subject}”{_through(one.channel)}"
    if isinstance(one, Sms):
        return f"Send the SMS “{_short(one.text)}”{_through(one.channel)}"
    if isinstance(one, Chat):
        return f"Write “{_short(one.text)}” in chat{_through(one.channel)}"
    if isinstance(one, Push):
        return f"Push “{one.title}” to their devices{_through(one.channel)}"
    if isinstance(one, Webhook):
        return f"Hand the payload to a webhook{_through(one.channel)}"
    if isinstance(one, Delay):
        return _delay(one)
    if isinstance(one, Digest):
        return _digest(one)
    if isinstance(one, Throttle):
        times = "once" if one.threshold == 1 else f"{one.threshold} times"
        return f"Go on at most {times} in {lasting(one.window)} for a person{_by(one.key)}"
    assert isinstance(one, HttpRequest)
    return f"{one.method} {_short(one.url)}, and keep what it answers as steps.{one.id}.data"


def _delay(one: Delay) -> str:
    if one.seconds is not None:
        return f"Wait {lasting(one.seconds)}"
    if one.until is not None:
        return f"Wait until {one.until:%Y-%m-%d %H:%M %Z}"
    if one.at is not None:
        return f"Wait until {_at(one.at)}"
    return f"Wait as payload.{one.path} says"


def _digest(one: Digest) -> str:
    when = f"until {_at(one.at)}" if one.at is not None else f"for {lasting(one.window or 0)}"
    if one.look_back is not None:
        when += f", where there was another one in the {lasting(one.look_back)} before"
    return f"Collect what else comes{_by(one.key)} {when}"


def _by(key: str) -> str:
    return f" (each payload.{key} by itself)" if key else ""


def _through(channel: str) -> str:
    return f" through the channel {channel}" if channel else ""


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"


def _at(at: Timed) -> str:
    days = ", ".join(_DAYS[day] for day in sorted(set(at.weekdays)))
    return f"{days or 'daily'} at {at.hour:02}:{at.minute:02} of their clock"


def lasting(seconds: int) -> str:
    """Seconds in the largest unit that gives a whole number."""
    for size, name in _UNITS:
        if seconds % size == 0 and seconds >= size:
            number = seconds // size
            return f"{number:,} {name}{'' if number == 1 else 's'}"
    return f"{seconds} seconds"
