"""What viewers are given while a thread changes.

- ``records``: the wire format of the socket
- ``announce``: durable changes, rendered once after commit and published
- ``stream``, ``broadcast``: the worker's side of a streaming answer
- ``hub``: the web process's side: one Redis subscription, many sockets
- ``catch_up``: what a viewer missed, read from Postgres and the turn's replay log
"""
