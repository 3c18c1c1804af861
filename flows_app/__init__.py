"""Flows, courses, lessons and progress; ready-made agent workflows.

- ``steps``: what agents do, as durable steps for workflows (create_thread, save_message,
  generate_text, generate_object, choose_agent, use_tool).
- ``patterns``: workflows to copy: a chain, routing, fan-out, an orchestrator with workers, ReAct,
  a network of agents, a pause for a person.

It may import every app below it (chat_app, agents_app, integrations_app, billing_app,
one_project.*); nothing imports it.
"""
