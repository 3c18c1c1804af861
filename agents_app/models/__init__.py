from agents_app.models.agents import Agent, AgentKind, Knowledge
from agents_app.models.ai_calls import AICall, AICallStatus, Purpose
from agents_app.models.chunks import Chunk, ChunkEmbedding
from agents_app.models.citations import Citation
from agents_app.models.collections import Collection
from agents_app.models.documents import (
    OPEN_VERSIONS,
    Document,
    DocumentPage,
    DocumentSource,
    DocumentVersion,
    VersionStatus,
)
from agents_app.models.embeddings import EmbeddingSpace, SpaceState
from agents_app.models.files import StoredFile
from agents_app.models.prompts import Prompt, PromptVersion
from agents_app.models.tool_calls import CallStatus, ToolCall
from agents_app.models.tools import Approval, Effect, Tool, ToolAllowance, ToolKind

__all__ = [
    "OPEN_VERSIONS",
    "AICall",
    "AICallStatus",
    "Agent",
    "AgentKind",
    "Approval",
    "CallStatus",
    "Chunk",
    "ChunkEmbedding",
    "Citation",
    "Collection",
    "Document",
    "DocumentPage",
    "DocumentSource",
    "DocumentVersion",
    "Effect",
    "EmbeddingSpace",
    "Knowledge",
    "Prompt",
    "PromptVersion",
    "Purpose",
    "SpaceState",
    "StoredFile",
    "Tool",
    "ToolAllowance",
    "ToolCall",
    "ToolKind",
    "VersionStatus",
]
