"""Addresses of comments, notices, reminders."""

from django.urls import URLPattern

flow_urls: list[URLPattern] = []

lesson_urls: list[URLPattern] = []
