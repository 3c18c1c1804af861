"""Durable work: a work pool, and workflows that survive anything and may last months.

Where things are:

- ``definitions``: ``@workflow`` and ``@step``. ``engine``: replay of a workflow function over its
  journal, pure Python. ``types``, ``conf``, ``errors``: values, limits, errors.
- ``models``: ``WorkflowRun``, ``WorkItem`` (a piece of work; with a run and a number it is a step,
  and the journal), ``WorkflowEvent``, ``Pool``.
- ``services``: ``runs`` (start, cancel, pause, resume, restart, send_event, clean_up), ``work``
  (enqueue, cancel), ``claims`` (the worker's side), ``settle`` (recording an attempt), ``advance``
  and ``turn`` (one turn of a run), ``ending``, ``completion``, ``sweeping``, ``pools``,
  ``reading``, ``checking`` (before a deploy).
- ``worker``: the engine in every Celery worker process. ``bell``: waking it.
- ``access``, ``views``, ``admin``: ``/workflows/``, for staff and for whom a run belongs to.

Rules that hold everywhere: Postgres is the truth and Redis only rings; every write about running
work asks for its token; a turn of a run is one transaction with the run locked; every row that
needs a look has ``poke_at`` or an index that finds it. Knows nothing of agents or chat.
"""
