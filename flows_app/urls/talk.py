"""Addresses of comments, notices, reminders."""

from django.urls import URLPattern, path

from flows_app.views import comments, notices

flow_urls: list[URLPattern] = []

lesson_urls: list[URLPattern] = [
    path("<uuid:target_id>/comments/", comments.comments, name="comments"),
    path("comments/<uuid:comment_id>/", comments.one_comment, name="comment"),
    path("comments/<uuid:comment_id>/delete/", comments.delete, name="delete_comment"),
    path("notices/", notices.notices, name="notices"),
    path("notices/read/", notices.read_all, name="read_notices"),
    path("notices/<uuid:notice_id>/", notices.notice, name="notice"),
    path("notices/<uuid:notice_id>/read/", notices.read_notice, name="read_notice"),
    path("wishes/", notices.wishes, name="wishes"),
]
