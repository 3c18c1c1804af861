"""Addresses of the chat."""

from django.urls import URLPattern, path

from chat_app.views.manage import archive, delete, rename, restore
from chat_app.views.messages import earlier, edit, messages, regenerate_answer, stop
from chat_app.views.pages import home, root, thread_page
from chat_app.views.people import people, remove_person
from chat_app.views.sidebar import sidebar

app_name = "chat"

THREAD = "chat/<uuid:thread_id>/"
MESSAGE = f"{THREAD}messages/<uuid:message_id>/"

urlpatterns: list[URLPattern] = [
    path("", root, name="root"),
    path("chat/", home, name="home"),
    path("chat/sidebar/", sidebar, name="sidebar"),
    path(THREAD, thread_page, name="thread"),
    path(f"{THREAD}messages/", messages, name="messages"),
    path(f"{MESSAGE}regenerate/", regenerate_answer, name="regenerate"),
    path(f"{MESSAGE}edit/", edit, name="edit"),
    path(f"{MESSAGE}earlier/", earlier, name="earlier"),
    path(f"{THREAD}turns/<uuid:turn_id>/stop/", stop, name="stop"),
    path(f"{THREAD}rename/", rename, name="rename"),
    path(f"{THREAD}archive/", archive, name="archive"),
    path(f"{THREAD}delete/", delete, name="delete"),
    path(f"{THREAD}restore/", restore, name="restore"),
    path(f"{THREAD}people/", people, name="people"),
    path(f"{THREAD}people/<uuid:user_id>/remove/", remove_person, name="remove_person"),
]
