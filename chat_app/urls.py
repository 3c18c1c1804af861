"""Addresses of the chat."""

from django.urls import URLPattern, path

from chat_app.views.answering import answering, ask_again
from chat_app.views.attachments import attachment, picture, upload
from chat_app.views.budget import budget
from chat_app.views.canvas import (
    canvas,
    canvas_difference,
    canvas_download,
    canvas_edit,
    canvas_history,
    canvas_restore,
)
from chat_app.views.decisions import (
    answer,
    approve,
    approve_all,
    call_result,
    change,
    deny,
    resolve,
)
from chat_app.views.inbox import call_person, give_back, inbox, take, tick
from chat_app.views.manage import archive, delete, rename, restore
from chat_app.views.messages import earlier, edit, messages, regenerate_answer, stop
from chat_app.views.pages import home, root, thread_page
from chat_app.views.people import people, remove_person
from chat_app.views.playground import inputs as playground_inputs
from chat_app.views.playground import pages as playground
from chat_app.views.playground import trials as playground_trials
from chat_app.views.playground.comparisons import comparisons
from chat_app.views.search import search
from chat_app.views.sidebar import sidebar

app_name = "chat"

THREAD = "chat/<uuid:thread_id>/"
MESSAGE = f"{THREAD}messages/<uuid:message_id>/"
FILE = f"{MESSAGE}files/<uuid:file_id>/"
CALL = f"{THREAD}calls/<uuid:call_id>/"
CANVAS = f"{THREAD}canvas/"
PLAYGROUND = "playground/"
PLAYGROUND_THREAD = f"{PLAYGROUND}threads/<uuid:thread_id>/"
TRIAL = f"{PLAYGROUND}trials/<uuid:trial_id>/"
INPUTS = f"{PLAYGROUND}inputs/"

urlpatterns: list[URLPattern] = [
    path("", root, name="root"),
    path("chat/", home, name="home"),
    path("chat/files/", upload, name="upload"),
    path("chat/sidebar/", sidebar, name="sidebar"),
    path("chat/search/", search, name="search"),
    path("chat/inbox/", inbox, name="inbox"),
    path("chat/escalations/<uuid:escalation_id>/take/", take, name="take_over"),
    path("chat/tasks/<uuid:task_id>/tick/", tick, name="tick_task"),
    path(THREAD, thread_page, name="thread"),
    path(f"{THREAD}messages/", messages, name="messages"),
    path(f"{THREAD}budget/", budget, name="budget"),
    path(f"{THREAD}files/", upload, name="thread_upload"),
    path(FILE, attachment, name="attachment"),
    path(f"{FILE}picture/", picture, name="picture"),
    path(f"{MESSAGE}regenerate/", regenerate_answer, name="regenerate"),
    path(f"{MESSAGE}edit/", edit, name="edit"),
    path(f"{MESSAGE}earlier/", earlier, name="earlier"),
    path(f"{MESSAGE}approve/", approve_all, name="approve_all"),
    path(CALL, call_result, name="call"),
    path(f"{CALL}approve/", approve, name="approve_call"),
    path(f"{CALL}allow/", approve, {"always": True}, name="allow_call"),
    path(f"{CALL}deny/", deny, name="deny_call"),
    path(f"{CALL}change/", change, name="change_call"),
    path(f"{CALL}answer/", answer, name="answer_call"),
    path(f"{CALL}resolve/", resolve, name="resolve_call"),
    path(f"{THREAD}turns/<uuid:turn_id>/stop/", stop, name="stop"),
    path(f"{THREAD}rename/", rename, name="rename"),
    path(f"{THREAD}answering/", answering, name="answering"),
    path(f"{THREAD}ask-again/", ask_again, name="ask_again"),
    path(f"{THREAD}call-person/", call_person, name="call_person"),
    path(f"{THREAD}hand-back/", give_back, name="hand_back"),
    path(f"{THREAD}archive/", archive, name="archive"),
    path(f"{THREAD}delete/", delete, name="delete"),
    path(f"{THREAD}restore/", restore, name="restore"),
    path(f"{THREAD}people/", people, name="people"),
    path(f"{THREAD}people/<uuid:user_id>/remove/", remove_person, name="remove_person"),
    path(CANVAS, canvas, name="canvas"),
    path(f"{CANVAS}edit/", canvas_edit, name="canvas_edit"),
    path(f"{CANVAS}history/", canvas_history, name="canvas_history"),
    path(f"{CANVAS}difference/", canvas_difference, name="canvas_difference"),
    path(f"{CANVAS}download/", canvas_download, name="canvas_download"),
    path(f"{CANVAS}restore/", canvas_restore, name="canvas_restore"),
    path(PLAYGROUND, playground.playground, name="playground"),
    path(f"{PLAYGROUND}threads/", playground.threads, name="playground_threads"),
    path(PLAYGROUND_THREAD, playground.thread, name="playground_thread"),
    path(
        f"{PLAYGROUND_THREAD}messages/<uuid:message_id>/",
        playground.message,
        name="playground_message",
    ),
    path(f"{PLAYGROUND_THREAD}turns/<uuid:turn_id>/", playground.turn, name="playground_turn"),
    path(f"{PLAYGROUND}answers/<uuid:answer_id>/", playground.answer, name="playground_answer"),
    path(f"{PLAYGROUND}system/", playground_trials.system, name="playground_system"),
    path(f"{PLAYGROUND}try/", playground_trials.try_out, name="playground_try"),
    path(TRIAL, playground_trials.trial, name="playground_trial"),
    path(f"{TRIAL}stop/", playground_trials.stop, name="playground_stop"),
    path(f"{TRIAL}export/", playground_trials.export, name="playground_export"),
    path(INPUTS, playground_inputs.inputs, name="playground_inputs"),
    path(f"{INPUTS}<uuid:set_id>/", playground_inputs.input_set, name="playground_input_set"),
    path(
        f"{INPUTS}<uuid:set_id>/delete/",
        playground_inputs.delete_inputs,
        name="playground_delete_inputs",
    ),
    path(f"{PLAYGROUND}compare/", comparisons, name="playground_compare"),
]
