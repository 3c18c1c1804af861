"""Addresses of the lesson player and what is done in it."""

from django.urls import URLPattern

flow_urls: list[URLPattern] = []

lesson_urls: list[URLPattern] = []
