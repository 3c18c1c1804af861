"""The world outside. ``http`` is the only module that may fetch an address."""
