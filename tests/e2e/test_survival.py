"""Nothing is lost when a part of the product is killed in the middle of an answer."""

import signal

from playwright.sync_api import Page, expect

from tests.e2e.chat import LONG, body_of, conversation, expect_same, send, wait_done, wait_streaming
from tests.e2e.conftest import SignIn, Stack

RECOVERY = 60_000


def finished_equal_to_a_fresh_page(page: Page) -> None:
    done = wait_done(page, timeout=RECOVERY)
    assert len(body_of(done).split()) > 100
    live = conversation(page)
    page.reload()
    wait_done(page)
    expect_same([page], live)


def test_a_killed_worker_restarts_the_answer_and_the_page_says_so(
    sign_in: SignIn, stack: Stack
) -> None:
    page = sign_in()
    send(page, LONG)
    wait_streaming(page)
    stack.kill("worker")
    expect(page.get_by_text("the answer was restarted")).to_be_visible(timeout=RECOVERY)
    finished_equal_to_a_fresh_page(page)


def test_a_killed_web_server_is_only_a_pause(sign_in: SignIn, stack: Stack) -> None:
    page = sign_in()
    send(page, LONG)
    wait_streaming(page)
    stack.kill("daphne")
    finished_equal_to_a_fresh_page(page)


def test_redis_stopped_for_ten_seconds_is_only_a_delay(sign_in: SignIn, stack: Stack) -> None:
    page = sign_in()
    send(page, LONG)
    wait_streaming(page)
    [redis] = stack.processes("redis-server")
    redis.send_signal(signal.SIGSTOP)
    try:
        page.wait_for_timeout(10_000)
    finally:
        redis.send_signal(signal.SIGCONT)
    finished_equal_to_a_fresh_page(page)


def test_a_killed_redis_loses_nothing(sign_in: SignIn, stack: Stack) -> None:
    page = sign_in()
    send(page, LONG)
    wait_streaming(page)
    stack.kill("redis-server")
    finished_equal_to_a_fresh_page(page)


def test_a_killed_postgres_loses_nothing(sign_in: SignIn, stack: Stack) -> None:
    page = sign_in()
    send(page, LONG)
    wait_streaming(page)
    victims = [
        process
        for process in stack.processes("postgres")
        if process.cmdline()[0].endswith("postgres")
    ]
    assert victims
    victims[0].send_signal(signal.SIGKILL)
    finished_equal_to_a_fresh_page(page)
