"""The weather, from an open HTTP service of the shape of open-meteo."""

from typing import Any

import orjson
from django.conf import settings
from pydantic import Field

from agents_app.builtins.web import opened
from agents_app.tools.definitions import Arguments, ToolError, tool

_CURRENT = {
    "temperature_2m": "temperature_c",
    "apparent_temperature": "feels_like_c",
    "relative_humidity_2m": "humidity_percent",
    "wind_speed_10m": "wind_kmh",
    "precipitation": "precipitation_mm",
}
# WMO codes of present weather, by their lowest number.
_SKIES = (
    (0, "clear"),
    (1, "partly cloudy"),
    (3, "overcast"),
    (45, "fog"),
    (51, "drizzle"),
    (61, "rain"),
    (71, "snow"),
    (80, "rain showers"),
    (85, "snow showers"),
    (95, "thunderstorm"),
)


class GetWeather(Arguments):
    city: str = Field(min_length=1, max_length=100, description="For example Rome.")


@tool(name="get_weather", title="Weather", timeout=25.0)
async def get_weather(arguments: GetWeather) -> dict[str, Any]:
    """Get the current weather of a city."""
    geocoding = str(getattr(settings, "ONE_WEATHER_GEOCODING_URL", "") or "")
    forecast = str(getattr(settings, "ONE_WEATHER_FORECAST_URL", "") or "")
    if not geocoding or not forecast:
        raise ToolError("The weather service is not set up.", code="not_set_up")
    places = await _asked(
        geocoding, "/v1/search", {"name": arguments.city, "count": "1", "format": "json"}
    )
    found = places.get("results")
    place = found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else None
    if place is None or "latitude" not in place or "longitude" not in place:
        raise ToolError(f"There is no place called {arguments.city}.", code="unknown_place")
    weather = await _asked(
        forecast,
        "/v1/forecast",
        {
            "latitude": str(place["latitude"]),
            "longitude": str(place["longitude"]),
            "current": ",".join([*_CURRENT, "weather_code"]),
            "timezone": "auto",
        },
    )
    current = weather.get("current")
    if not isinstance(current, dict):
        raise _unreadable()
    told = {ours: current[theirs] for theirs, ours in _CURRENT.items() if theirs in current}
    return {
        "city": place.get("name", arguments.city),
        "country": place.get("country", ""),
        "sky": _sky(current.get("weather_code")),
        "at": current.get("time", ""),
        **told,
    }


async def _asked(base: str, path: str, params: dict[str, str]) -> dict[str, Any]:
    found = await opened(base.rstrip("/") + path, params=params)
    try:
        value = orjson.loads(found.body) if found.is_ok else None
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise _unreadable()
    return value


def _unreadable() -> ToolError:
    return ToolError("The weather service gave no answer that can be read.", code="no_answer")


def _sky(code: object) -> str:
    if not isinstance(code, int | float):
        return "unknown"
    return next((name for least, name in reversed(_SKIES) if code >= least), "unknown")
