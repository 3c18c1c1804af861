from agents_app.models.agents import Agent, AgentKind
from agents_app.models.ai_calls import AICall, AICallStatus, Purpose
from agents_app.models.documents import Document
from agents_app.models.prompts import Prompt, PromptVersion
from agents_app.models.tool_calls import CallStatus, ToolCall
from agents_app.models.tools import Approval, Effect, Tool, ToolAllowance, ToolKind

__all__ = [
    "AICall",
    "AICallStatus",
    "Agent",
    "AgentKind",
    "Approval",
    "CallStatus",
    "Document",
    "Effect",
    "Prompt",
    "PromptVersion",
    "Purpose",
    "Tool",
    "ToolAllowance",
    "ToolCall",
    "ToolKind",
]
