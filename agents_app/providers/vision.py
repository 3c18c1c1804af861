"""Which models can look at pictures, told from their names: no API says so."""

import re
from collections.abc import Mapping
from typing import Any, Final

# In ``provider_options``: true or false where the name does not tell. Never sent to a provider.
OPTION: Final = "sees_images"

# One that cannot see answers a picture with an error, so a name that is not known counts as blind.
_SEES = re.compile(
    r"^(one-demo|chatgpt-4o|gpt-4o|gpt-4\.[15]|gpt-4-turbo|gpt-[5-9]|o1(?!-mini|-preview)|o3(?!-mini)|o4"
    r"|claude|gemini|gemma-?3|llama-?4|pixtral|mistral-(medium|small)-?3|mistral-small3|grok-4"
    r"|llava|bakllava|minicpm-v|moondream|internvl|kimi-vl)"
    r"|vision|multimodal|[-.\d]vl\b|[-.\d]vl[-:.]"
)
_BLIND = re.compile(
    r"^(claude-(1|2|instant)|gemini-1\.0-pro(?!-vision)|gpt-4o.*(audio|transcribe|tts))"
)


def sees_images(model: str, provider_options: Mapping[str, Any] | None = None) -> bool:
    """Whether ``model`` takes pictures: as the option says, else as its name is known for."""
    told = (provider_options or {}).get(OPTION)
    if isinstance(told, bool):
        return told
    # Without who serves it ("openai/…") and what it was tuned from ("ft:…").
    name = model.lower().rpartition("/")[2].removeprefix("ft:")
    return bool(_SEES.search(name)) and not _BLIND.search(name)
