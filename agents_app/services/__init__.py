"""Verbs on agents and prompts."""
