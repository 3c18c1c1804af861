"""Which model answers, from the settings. Needs pytest-django's `settings` fixture."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from agents_app.providers.base import ChatMessage, ChatRequest
from agents_app.providers.openai import close_clients
from agents_app.providers.registry import resolve_chat_model, use_model, using_demo_model
from agents_app.providers.scripted import ScriptedModel


@pytest.fixture
def no_provider(settings):
    settings.OPENAI_API_KEY = ""
    settings.OPENAI_BASE_URL = ""
    settings.ONE_CHAT_MODEL = "gpt-x"
    settings.ONE_DEMO_URL = "http://127.0.0.1:8001"
    return settings


@pytest.mark.parametrize("name", [None, "", "gpt-x", "one-demo"])
def test_without_a_provider_every_name_is_the_demo(no_provider, name):
    assert using_demo_model()
    model = resolve_chat_model(name)
    assert (model.provider, model.model) == ("demo", "one-demo")


def test_the_pace_may_come_with_the_name(no_provider):
    no_provider.ONE_CHAT_MODEL = "one-demo:tps=9"
    assert resolve_chat_model("one-demo:tps=5").model == "one-demo:tps=5"
    assert resolve_chat_model(None).model == "one-demo:tps=9"


@pytest.mark.parametrize(
    ("key", "url"), [("k", ""), ("", "http://localhost:11434/v1"), ("k", "http://localhost/v1")]
)
def test_with_a_provider(no_provider, key, url):
    no_provider.OPENAI_API_KEY = key
    no_provider.OPENAI_BASE_URL = url
    assert not using_demo_model()
    assert resolve_chat_model(None).model == "gpt-x"
    assert resolve_chat_model("other").model == "other"
    assert resolve_chat_model("one-demo").model == "gpt-x"
    assert resolve_chat_model("other").provider == "openai"


def test_what_is_missing_is_said(no_provider):
    no_provider.ONE_DEMO_URL = ""
    with pytest.raises(ImproperlyConfigured):
        resolve_chat_model(None)
    no_provider.OPENAI_API_KEY = "k"
    no_provider.ONE_CHAT_MODEL = ""
    with pytest.raises(ImproperlyConfigured):
        resolve_chat_model(None)


def test_tests_may_put_a_model_in(no_provider):
    outer, inner = ScriptedModel(), ScriptedModel()
    with use_model(outer):
        with use_model(inner):
            assert resolve_chat_model("any") is inner
        assert resolve_chat_model(None) is outer
    assert resolve_chat_model(None).provider == "demo"


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
async def test_the_demo_answers(no_provider, demo_url, suffix):
    no_provider.ONE_DEMO_URL = demo_url + suffix
    request = ChatRequest(messages=[ChatMessage.text("user", "say hello")])
    try:
        assert (await resolve_chat_model(None).complete(request)).text == "hello"
    finally:
        await close_clients()
