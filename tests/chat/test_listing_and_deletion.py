"""Pages and deletion: rows MS-15, MS-18, MS-19, TH-3, TH-6 and cases T-D1 to T-D11."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import override_settings
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from chat_app.errors import ThreadNotFound
from chat_app.models import Message, Thread, ThreadParticipant, Turn
from chat_app.services.conversation import send_agent_message, start_thread
from chat_app.services.messages import delete_by_order, delete_messages, save_messages
from chat_app.services.reading import get_thread_context, get_thread_messages, list_threads
from chat_app.services.threads import (
    archive_thread,
    delete_thread,
    purge_deleted_threads,
    purge_thread,
    rename_thread,
    restore_thread,
)
from one_project.common.errors import AccessDenied, InvalidInput
from tests.chat.test_order import agent, all_places, places, tool_call, tool_result, user
from tests.people import World


@pytest.fixture
def thread(world: World) -> Thread:
    return world.thread()


def test_deleting_a_range_of_orders_leaves_the_rest(thread: Thread) -> None:
    save_messages(thread, [user(), agent(), user(), agent(), user()])
    assert delete_by_order(thread, start=(0, 0), end=(2, 0)) == (True, 1, 1)
    assert all_places(thread) == [(2, 0)]


def test_deleting_steps_inside_an_order(thread: Thread) -> None:
    save_messages(thread, [user(), agent(), agent(), agent()])
    assert delete_by_order(thread, start=(0, 1), end=(0, 3)) == (True, 0, 2)
    assert all_places(thread) == [(0, 0), (0, 3)]


def test_deleting_nothing_is_done_at_once(thread: Thread) -> None:
    assert delete_by_order(thread, start=(3, 0), end=(9, 0)) == (True, None, None)


def test_more_than_a_batch_is_deleted_in_several_calls(thread: Thread) -> None:
    save_messages(thread, [user(), *[agent()] * 149])
    start, calls = (0, 0), 0
    while True:
        is_done, order, step = delete_by_order(thread, start=start, end=(1, 0))
        calls += 1
        if is_done:
            break
        assert order is not None
        assert step is not None
        start = (order, step + 1)
    assert (calls, thread.messages.count()) == (3, 0)


def test_deleting_by_id_tells_which_existed(thread: Thread) -> None:
    [one, two] = save_messages(thread, [user(), agent()])
    assert delete_messages(thread, [one.pk, uuid4()]) == [one.pk]
    assert list(thread.messages.all()) == [two]


def test_listing_filters_by_status_tools_and_message(thread: Thread) -> None:
    saved = save_messages(
        thread,
        [user(), tool_call(), tool_result(), agent(), user(), agent("", status="pending")],
    )
    listed = get_thread_messages(thread, exclude_tools=True).page
    assert places(listed) == [(1, 1), (1, 0), (0, 3), (0, 0)]
    assert len(get_thread_messages(thread, statuses=["pending"]).page) == 1
    up_to = get_thread_messages(thread, up_to=saved[1], newest_first=False).page
    assert places(up_to) == [(0, 0), (0, 1), (0, 2), (0, 3)]
    empty = get_thread_messages(thread, page_size=0)
    assert (empty.page, empty.continue_cursor) == ([], None)


def test_pages_stay_right_while_new_messages_arrive(thread: Thread) -> None:
    save_messages(thread, [user(str(n)) for n in range(7)])
    seen, cursor = [], None
    while True:
        page = get_thread_messages(thread, page_size=3, cursor=cursor)
        seen += [message.text for message in page.page]
        if page.is_done:
            break
        cursor = page.continue_cursor
        save_messages(thread, [user("new")])
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]


@pytest.mark.parametrize("cursor", ["x", "bm9uZQ", "WzEsMl0x", "W3RydWUsIDFd", "\x00", "é", "WzFd"])
def test_a_cursor_that_is_none_is_told_so(thread: Thread, cursor: str) -> None:
    with pytest.raises(InvalidInput):
        get_thread_messages(thread, cursor=cursor)


def test_context_has_roles_text_and_time(world: World) -> None:
    thread = world.thread()
    save_messages(thread, [user("Hi"), tool_call(), tool_result(), agent("Hello")])
    context = get_thread_context(thread)
    assert [(item.role, item.content) for item in context] == [
        ("user", "Hi"),
        ("assistant", "Hello"),
    ]
    assert context[0].timestamp.endswith("+00:00")


def test_threads_are_listed_by_last_activity_and_only_to_who_takes_part(world: World) -> None:
    first, second = world.thread(title="first"), world.thread(world.bob, title="second")
    send_agent_message(first, content="bump", author=world.alice)
    assert list_threads(world.alice, world.organisation).page == [first, second]
    assert list_threads(world.bob, world.organisation).page == [second]
    assert list_threads(world.charlie, world.organisation).page == []
    assert list_threads(world.charlie, world.elsewhere).page == []


def test_the_list_is_paged_and_costs_the_same_at_any_length(
    world: World, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        world.thread(title=str(number))
    with django_assert_num_queries(1):
        page = list_threads(world.alice, world.organisation, page_size=3)
    assert [thread.title for thread in page.page] == ["4", "3", "2"]
    rest = list_threads(world.alice, world.organisation, page_size=3, cursor=page.continue_cursor)
    assert [thread.title for thread in rest.page] == ["1", "0"]
    assert rest.is_done


@pytest.mark.parametrize("query", ["quarterly rep", "REPORT", "report quarterly"])
def test_titles_are_found_by_words_and_the_beginning_of_the_last(world: World, query: str) -> None:
    thread = world.thread(title="Quarterly report for the board")
    world.thread(title="Something else")
    assert list_threads(world.alice, world.organisation, query=query).page == [thread]
    assert list_threads(world.charlie, world.elsewhere, query=query).page == []


@pytest.mark.parametrize("query", ["'", "a & | !", "\\", "x' :*", "\x00", "(", "' OR 1=1 --", "🧭"])
def test_odd_search_words_find_nothing_and_break_nothing(world: World, query: str) -> None:
    world.thread(title="Plain")
    list_threads(world.alice, world.organisation, query=query)


def test_a_reader_has_unread_until_they_read(world: World) -> None:
    thread = world.thread(world.bob)
    send_agent_message(thread, content="news", author=world.alice)
    [for_bob] = list_threads(world.bob, world.organisation).page
    [for_alice] = list_threads(world.alice, world.organisation).page
    assert (for_bob.is_unread, for_alice.is_unread) == (True, False)  # type: ignore[attr-defined]


def test_archiving_changes_only_the_status(world: World) -> None:
    thread = world.thread(title="keep")
    archive_thread(thread, user=world.alice)
    assert list_threads(world.alice, world.organisation).page == []
    assert list_threads(world.alice, world.organisation, archived=True).page == [thread]
    thread.refresh_from_db()
    assert (thread.title, thread.status, thread.deleted_at) == ("keep", "archived", None)


def test_a_title_is_one_line_and_not_empty(world: World) -> None:
    thread = world.thread()
    assert rename_thread(thread, user=world.alice, title=" A\n b\x00 ").title == "A b"
    with pytest.raises(InvalidInput):
        rename_thread(thread, user=world.alice, title="  \n ")


def test_a_deleted_thread_is_gone_and_comes_back_with_undo(world: World) -> None:
    thread = world.thread(world.bob)
    with pytest.raises(AccessDenied):
        delete_thread(thread, user=world.bob)
    delete_thread(thread, user=world.alice)
    assert list_threads(world.alice, world.organisation).page == []
    with pytest.raises(ThreadNotFound):
        rename_thread(thread, user=world.alice, title="x")
    assert purge_deleted_threads() == 0
    restore_thread(world.organisation, thread.pk, user=world.alice)
    assert list_threads(world.alice, world.organisation).page == [thread]


@override_settings(ONE_THREAD_UNDO_SECONDS=0)
def test_purging_removes_all_that_hangs_on_a_thread_and_nothing_else(world: World) -> None:
    kept, _ = start_thread(world.organisation, user=world.alice, agent=world.agent, message="stay")
    gone, _ = start_thread(world.organisation, user=world.alice, agent=world.agent, message="go")
    save_messages(gone, [user(), *[agent()] * 250])
    Thread.objects.filter(pk=gone.pk).update(deleted_at=timezone.now() - timedelta(seconds=1))
    assert purge_deleted_threads() == 1
    assert not Thread.objects.filter(pk=gone.pk).exists()
    for model in (Message, Turn, ThreadParticipant):
        assert not model.objects.filter(thread_id=gone.pk).exists()
        assert model.objects.filter(thread_id=kept.pk).exists()


def test_purging_an_unknown_thread_is_no_error(db: None) -> None:
    purge_thread(uuid4())
