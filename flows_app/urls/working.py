"""Addresses of the lesson player and what is done in it."""

from django.urls import URLPattern, path

from flows_app.views import player, working

STEP = "<uuid:target_id>/steps/<uuid:step_key>/"

flow_urls: list[URLPattern] = []

lesson_urls: list[URLPattern] = [
    path("<uuid:target_id>/", player.lesson, name="player"),
    path("<uuid:target_id>/claim/", working.claim, name="claim"),
    path(STEP, player.step, name="step"),
    path(f"{STEP}live/", player.live, name="step_live"),
    path(f"{STEP}tick/", working.tick, name="tick"),
    path(f"{STEP}answers/", working.answers, name="answers"),
    path(f"{STEP}draft/", working.draft, name="draft"),
    path(f"{STEP}files/", working.upload, name="upload"),
    path(f"{STEP}files/<uuid:file_id>/", player.file, name="file"),
    path(f"{STEP}files/<uuid:file_id>/remove/", working.remove_file, name="remove_file"),
    path(f"{STEP}done/", working.done, name="done"),
    path(f"{STEP}move/", working.move, name="move"),
    path(f"{STEP}not-yet/", working.not_yet, name="not_yet"),
    path(f"{STEP}take-back/", working.take_back, name="take_back"),
    path(f"{STEP}due/", working.due, name="step_due"),
]
