"""The process that carries turns: an interface like views and consumers; it calls services.

``engine``: one asyncio loop in a thread of the Celery worker, hundreds of turns in it.
``turn``: the life of one turn.
"""
