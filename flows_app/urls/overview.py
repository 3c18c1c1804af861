"""Addresses of one flow with its funnel, one person, my work."""

from django.urls import URLPattern

flow_urls: list[URLPattern] = []

lesson_urls: list[URLPattern] = []
