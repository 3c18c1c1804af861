"""What ``make bench-search`` measures, part by part.

- ``place``: Postgres and Redis with both roles, and Django in this process as the role ``one_app``.
- ``made_up``: vectors around shared topics, and texts about them.
- ``writing``: rows of vectors in bulk, past no security.
- ``timing``: times of searches, in all and in SQL.
- ``messages``, ``library``, ``knowledge``, ``anchor``, ``ingestion``: the parts.
- ``report``: the tables, the gates and the line of JSON.
"""
