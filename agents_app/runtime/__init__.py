"""Asking models: retries and deadlines around one call. Yields values, stores nothing."""
