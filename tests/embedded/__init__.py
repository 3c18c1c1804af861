"""The embedded servers, their keeper and the launcher; no Django involved."""
