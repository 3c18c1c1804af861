"""Notion: pages that a person has shared with the app."""
