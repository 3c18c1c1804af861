"""What ``make trial-tenancy`` tries: to see or change what belongs to another organisation.

- ``side``: an organisation full of data, each text of which carries its marker.
- ``ledger``: what was tried, what leaked, and whether a leak would have been seen.
- ``by_sql``, ``by_service``, ``by_tool``, ``by_page``, ``by_socket``: the ways.
"""
