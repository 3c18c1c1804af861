"""Addresses of the assign wizard, assignments, bulk, queues."""

from django.urls import URLPattern, path

from flows_app.views import assigning, assignments, queues

LESSON = "assignments/<uuid:lesson_id>/"
TARGET = "assigned/<uuid:target_id>/"

flow_urls: list[URLPattern] = [
    path("assign/", assigning.assign, name="assign"),
    path("assign/steps/", assigning.steps, name="assign_steps"),
    path("assign/table/", assigning.table, name="assign_table"),
    path("bulk/<uuid:bulk_id>/", assigning.bulk, name="bulk"),
    path("bulk/<uuid:bulk_id>/csv/", assigning.bulk_csv, name="bulk_csv"),
    path("assignments/", assignments.assignments, name="assignments"),
    path(LESSON, assignments.assignment, name="assignment"),
    path(f"{LESSON}withdraw/", assignments.withdraw, name="withdraw"),
    path(f"{LESSON}dates/", assignments.dates, name="dates"),
    path(f"{LESSON}resend/", assignments.resend, name="resend"),
    path(f"{LESSON}credit/", assignments.credit, name="credit"),
    path(f"{TARGET}give/", queues.give, name="give"),
    path(f"{TARGET}restart/", assignments.begin_again, name="restart"),
    path("people/<uuid:user_id>/give/", queues.give_all, name="give_all"),
]

lesson_urls: list[URLPattern] = [
    path("<uuid:target_id>/unclaim/", queues.unclaim, name="unclaim"),
]
