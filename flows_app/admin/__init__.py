"""Flows, assignments, progress and what is said about them, in the Django admin.

To look at: rows change on their own pages and by actions here, which call the services. Nothing of
the history is deleted.
"""

from flows_app.admin import flows, lessons, progress, talk

__all__ = ["flows", "lessons", "progress", "talk"]
