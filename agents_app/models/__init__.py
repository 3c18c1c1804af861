from agents_app.models.agents import Agent, AgentKind
from agents_app.models.prompts import Prompt

__all__ = ["Agent", "AgentKind", "Prompt"]
