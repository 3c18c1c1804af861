"""Threads, messages, turns, and their live view.

Owns ``Thread``, ``ThreadParticipant``, ``Message`` (ordered by ``order`` and ``step_order``),
``Turn`` (the durable request for one answer), ``Escalation`` and ``Task``; ``Canvas`` with
``CanvasVersion`` and ``ThreadEdit``; ``SearchEntry`` (what can be found, under row-level security).

- ``services``: the verbs. ``threads`` (create_thread, rename_thread, archive_thread, delete_thread,
  list_threads), ``conversation`` (send_agent_message, continue_thread, regenerate, edit_message,
  stop_turn), ``messages`` (save_messages and its rules of order), ``reading``
  (get_thread_messages, get_thread_context), ``turns`` (begin, checkpoint, finish: the worker's),
  ``answering`` (the turn as a piece of work of ``one_project.workflows``), ``steps`` (a turn that
  uses tools: ADR 0005), ``stopping``, ``addressing`` (who answers), ``delegation``,
  ``escalations``, ``tasks``, ``titles``, ``summaries``, ``agent_threads`` (what
  ``agents_app.runtime`` needs of threads), ``indexing`` and ``searching``, ``canvas`` and
  ``canvas_saving``, ``attachments``, ``citations``.
- ``builtins``: tools that act in the chat.
- ``runtime``: what the model is given (context, options, recall); merging and comparing texts.
- ``search``: entries, the search over them, and what stands around a hit.
- ``live``: what viewers are given: records, the worker's broadcaster, the web process's hub.
- ``worker``: what answering needs on the loop of a worker (ADR 0002).
- ``consumers``: the socket; ``views``: the pages.

flows_app may import it; it imports agents_app and everything below.
"""
