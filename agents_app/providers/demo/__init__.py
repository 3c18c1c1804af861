"""The built-in demo model: an OpenAI-compatible server that answers without any language model.

Runs as its own process (`python -m agents_app.providers.demo`), so that the whole product can be
tried and tested over real HTTP with no key. It finds, quotes and formats; it does not understand.
Imports nothing of Django.
"""
