"""Addresses of flows, revisions and courses: list, editor, publishing, import and export."""

from django.urls import URLPattern, path

from flows_app.views import authoring, courses, editing, exchanging, publishing

FLOW = "<uuid:flow_id>/"
COURSE = "courses/<uuid:course_id>/"

flow_urls: list[URLPattern] = [
    path("", authoring.flow_list, name="list"),
    path("new/", authoring.new_flow, name="new"),
    path("import/", exchanging.import_page, name="import"),
    path("courses/", courses.course_list, name="courses"),
    path("courses/new/", courses.new_course, name="new_course"),
    path("courses/new/part/", courses.new_course_part, name="new_course_part"),
    path(COURSE, courses.course, name="course"),
    path(f"{COURSE}part/", courses.course_part, name="course_part"),
    path(f"{COURSE}archive/", courses.archive, name="archive_course"),
    path(f"{COURSE}restore/", courses.restore, name="restore_course"),
    path(f"{FLOW}edit/", editing.edit_flow, name="edit"),
    path(f"{FLOW}edit/part/", editing.edit_part, name="edit_part"),
    path(f"{FLOW}edit/preview/", editing.preview_step, name="preview_step"),
    path(f"{FLOW}preview/", authoring.preview_flow, name="preview"),
    path(f"{FLOW}publish/", publishing.publish, name="publish"),
    path(f"{FLOW}move/", publishing.move, name="move"),
    path(f"{FLOW}discard/", publishing.discard, name="discard"),
    path(f"{FLOW}revisions/", publishing.revisions, name="revisions"),
    path(
        f"{FLOW}revisions/<uuid:revision_id>/draft/",
        publishing.restore_revision,
        name="restore_revision",
    ),
    path(f"{FLOW}duplicate/", authoring.duplicate, name="duplicate"),
    path(f"{FLOW}archive/", authoring.archive, name="archive"),
    path(f"{FLOW}restore/", authoring.restore, name="restore"),
    path(f"{FLOW}export/", exchanging.export, name="export"),
]

lesson_urls: list[URLPattern] = []
