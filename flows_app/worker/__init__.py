"""Workflows that steps of flows begin: a task for an agent, and what flows may start by name.

Importing the modules registers them; ``FlowsConfig.ready`` does.
"""
