"""Agents, their prompts, and the models that answer for them.

Owns ``Agent`` and ``Prompt``; ``services.agents`` (create_agent, update_agent) and
``services.prompts``; ``providers`` (value types, the OpenAI-compatible client, the demo model, the
scripted model); ``runtime.ask`` (one model call with retries and deadlines, as a stream of
events). chat_app and flows_app import it; it imports integrations_app, billing_app and
one_project.* only.
"""
