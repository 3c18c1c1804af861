"""Forms of agents, prompts and tools: what was typed, kept, with what is wrong beside it."""

from agents_app.forms.agents import AgentForm
from agents_app.forms.prompts import PromptForm
from agents_app.forms.tools import ToolForm

__all__ = ["AgentForm", "PromptForm", "ToolForm"]
