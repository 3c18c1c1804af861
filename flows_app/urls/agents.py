"""Addresses of steps with agents and by agents, reviews."""

from django.urls import URLPattern, path

from flows_app.views import reviews, talking

STEP = "<uuid:target_id>/steps/<uuid:step_key>/"
REVIEW = "reviews/<uuid:submission_id>/"

flow_urls: list[URLPattern] = [
    path("reviews/", reviews.queue, name="reviews"),
    path("reviews/live/", reviews.live_queue, name="reviews_live"),
    path(REVIEW, reviews.review, name="review"),
    path(f"{REVIEW}approve/", reviews.approve, name="approve"),
    path(f"{REVIEW}send-back/", reviews.send_back, name="send_back"),
    path(f"{REVIEW}ask-again/", reviews.ask_again, name="ask_again"),
]

lesson_urls: list[URLPattern] = [
    path(f"{STEP}talk/", talking.talk, name="talk"),
    path(f"{STEP}ask-agent/", talking.ask_agent, name="ask_agent"),
    path(f"{STEP}run/", talking.run_workflow, name="run_workflow"),
]
