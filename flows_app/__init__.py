"""Flows, courses, lessons and progress.

Nothing lives here yet. It may import every app below it (chat_app, agents_app, integrations_app,
billing_app, one_project.*); nothing imports it.
"""
