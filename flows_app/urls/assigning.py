"""Addresses of the assign wizard, assignments, bulk, queues."""

from django.urls import URLPattern

flow_urls: list[URLPattern] = []

lesson_urls: list[URLPattern] = []
