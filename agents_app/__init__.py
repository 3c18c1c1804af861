"""Agents, their prompts, and the models that answer for them.

Owns ``Agent``, ``Prompt``, ``Tool``, ``ToolCall``, ``AICall`` (the ledger) and ``Document``.

- ``services``: ``agents``, ``prompts``, ``tools``, ``sharing``; ``tool_calls`` and
  ``running_tools`` (the life of a call as a piece of work), ``approvals`` (what people decide),
  ``ai_calls``, ``knowledge``.
- ``tools``: ``@tool`` and which tools an agent has; ``builtins``: those that come with the house.
- ``runtime``: ``agent`` (``Agent(...)``, the Python API), ``ask`` (one model call with retries and
  deadlines), ``recorded`` (the same, measured), ``loop``, ``objects``, ``tool_use``, ``context``,
  ``tokens``, ``routing``.
- ``providers``: value types, the OpenAI-compatible client, embeddings, the demo model, the scripted
  one.

chat_app and flows_app import it; it imports integrations_app, billing_app and
one_project.* only.
"""
