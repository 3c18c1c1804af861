"""Slack, through its SDK."""
