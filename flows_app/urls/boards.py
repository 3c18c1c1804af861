"""Addresses of matrix, board and their CSV."""

from django.urls import URLPattern

flow_urls: list[URLPattern] = []

lesson_urls: list[URLPattern] = []
