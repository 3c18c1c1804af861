"""Addresses of flows, revisions and courses: list, editor, publishing, import and export."""

from django.urls import URLPattern

flow_urls: list[URLPattern] = []

lesson_urls: list[URLPattern] = []
