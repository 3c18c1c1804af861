"""Push to browsers, with keys of our own (VAPID)."""
