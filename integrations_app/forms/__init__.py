"""Forms: what was typed, before a service looks at it."""
