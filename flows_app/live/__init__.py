"""Waking the pages that follow the work of an organisation."""
