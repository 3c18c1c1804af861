"""Bots of Telegram."""
