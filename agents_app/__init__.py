"""Agents, their prompts, and the models that answer for them.

Owns ``Agent``, ``Prompt``, ``Tool``, ``ToolCall``, ``AICall`` (the ledger); ``Collection``,
``Document`` (with versions, pages and chunks), ``Citation``; ``EmbeddingSpace`` and the tables of
vectors; ``StoredFile``. Those of knowledge are under row-level security: ``in_tenant``.

- ``services``: ``agents``, ``prompts``, ``tools``, ``sharing``; ``tool_calls`` and
  ``running_tools`` (the life of a call as a piece of work), ``approvals`` (what people decide),
  ``ai_calls``; ``collections``, ``documents``, ``ingesting`` (a document on its way to be found),
  ``document_reading``, ``knowledge`` (searching it); ``embedding``, ``embedding_batches``,
  ``spaces``, ``space_building`` and ``space_tending``, ``query_vectors``; ``files``.
- ``tools``: ``@tool`` and which tools an agent has; ``builtins``: those that come with the house.
- ``runtime``: ``agent`` (``Agent(...)``, the Python API), ``ask`` (one model call with retries and
  deadlines), ``recorded`` (the same, measured), ``loop``, ``objects``, ``tool_use``, ``context``,
  ``tokens``, ``routing``.
- ``knowledge``: files become text and text becomes chunks, in a process of its own; no rows.
- ``search``: words and vectors, ranked and fused, for messages (chat_app) and chunks alike.
- ``providers``: value types, the OpenAI-compatible client, embeddings, the demo model, the scripted
  one.

chat_app and flows_app import it; it imports integrations_app, billing_app and
one_project.* only.
"""
