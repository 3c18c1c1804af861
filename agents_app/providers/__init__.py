"""Language-model providers: value types, the OpenAI-compatible client, the demo and the script.

Import from the submodules; nothing is imported here, so that the demo server starts without
Django and without the `openai` package.
"""
