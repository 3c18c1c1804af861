"""What every page says about the model behind the agents."""

from django.http import HttpRequest

from agents_app.providers.registry import using_demo_model


def model(request: HttpRequest) -> dict[str, bool]:
    """``demo_model``: whether the built-in demo model answers (no key, no base URL)."""
    return {"demo_model": using_demo_model()}
