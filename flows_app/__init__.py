"""Flows, courses, lessons and progress; ready-made agent workflows.

- ``models``: ``flows`` (Flow, its revisions and steps, Course), ``lessons`` (an assignment, and one
  row for each who got it), ``progress`` (the log that is only added to, and the state it adds up
  to), ``submissions`` (what waits for a review), ``talk`` (comments, notices, reminders).
- ``runtime``: the rules without a database: order of steps, locks, percentages, transitions.
- ``services``: ``flows`` (drafts, publishing), ``assigning``, ``progress`` (the one way a step
  moves), ``reading`` (what pages show); ``following`` tells the others of what happened.
- ``steps``: what agents do, as durable steps for workflows (create_thread, save_message,
  generate_text, generate_object, choose_agent, use_tool).
- ``patterns``: workflows to copy: a chain, routing, fan-out, an orchestrator with workers, ReAct,
  a network of agents, a pause for a person.
- ``live``, ``consumers``: pages that follow the work of others.

It may import every app below it (chat_app, agents_app, integrations_app, billing_app,
one_project.*); nothing imports it.
"""
