"""Tools that every organisation's agents may be given by name; ``apps.py`` imports the modules.

``clock``, ``sums``, ``web``, ``weather``, ``about`` and ``documents``. Those that work on the chat
are in ``chat_app.builtins``.
"""
