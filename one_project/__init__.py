"""The project: settings and wiring at the top, ``accounts`` and ``common`` at the bottom."""
