"""Runs and steps in pages, counts, and what is said of a run."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from one_project.common import metrics
from one_project.common.errors import InvalidInput
from one_project.common.metrics import Figure, render_metrics
from one_project.workflows.errors import WorkflowNotFound
from one_project.workflows.models import WorkflowRun, WorkItem
from one_project.workflows.models.runs import WorkflowRunQuerySet
from one_project.workflows.services import reading
from one_project.workflows.services.reading import (
    count_by_state,
    first_failed_step,
    list_events,
    list_runs,
    list_steps,
    names_in_use,
    run_status,
    throughput,
)
from one_project.workflows.services.runs import cancel_run, clean_up, send_event, start
from tests.people import World
from tests.workflows import samples
from tests.workflows.by_hand import drain, fresh

pytestmark = pytest.mark.django_db


def all_runs() -> WorkflowRunQuerySet:
    return WorkflowRun.objects.all()


def walk_runs(**options: object) -> list[WorkflowRun]:
    found: list[WorkflowRun] = []
    cursor = None
    while True:
        page = list_runs(all_runs(), cursor=cursor, page_size=2, **options)  # type: ignore[arg-type]
        found += page.page
        if page.is_done:
            assert page.continue_cursor is None
            return found
        cursor = page.continue_cursor


@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_of_runs_have_each_run_once_in_order(world: World, newest_first: bool) -> None:
    made = [start(samples.three, n) for n in range(5)]
    # Runs of one moment are told apart by their ids.
    WorkflowRun.objects.filter(pk__in=[run.pk for run in made[1:4]]).update(
        created_at=made[1].created_at
    )
    expected = made[::-1] if newest_first else made
    assert walk_runs(newest_first=newest_first) == expected


def test_a_run_that_begins_while_paging_moves_nothing(world: World) -> None:
    made = [start(samples.three, n) for n in range(4)]
    first = list_runs(all_runs(), page_size=2)
    start(samples.three, 9)
    second = list_runs(all_runs(), page_size=2, cursor=first.continue_cursor)
    assert second.page == [made[1], made[0]]


def test_runs_are_found_by_name_state_and_time(world: World) -> None:
    done, waits = start(samples.three, 1), start(samples.asks)
    drain()
    old = start(samples.asks)
    day = timezone.now() - timedelta(days=1)
    WorkflowRun.objects.filter(pk=old.pk).update(created_at=day)
    assert walk_runs(name=samples.asks.name) == [waits, old]
    assert walk_runs(state="success") == [done]
    assert walk_runs(since=day + timedelta(hours=1)) == [waits, done]
    assert walk_runs(until=day + timedelta(hours=1)) == [old]
    assert walk_runs(name=samples.three.name, state="running") == []
    assert names_in_use(all_runs()) == [samples.asks.name, samples.three.name]


BAD = ["x", "%%%", "e30", "WzEsMl0", "WyJ4IiwieSJd", "\x00", "ü"]


@pytest.mark.parametrize("cursor", BAD)
def test_a_cursor_that_is_none_is_said_to_be(world: World, cursor: str) -> None:
    run = start(samples.three, 1)
    with pytest.raises(InvalidInput):
        list_runs(all_runs(), cursor=cursor)
    with pytest.raises(InvalidInput):
        list_steps(run, cursor)


def test_a_state_that_is_none_is_said_to_be(world: World) -> None:
    with pytest.raises(InvalidInput):
        list_runs(all_runs(), state="asleep")


@pytest.mark.parametrize("newest_first", [True, False])
def test_steps_come_by_number_in_pages(world: World, newest_first: bool) -> None:
    run = start(samples.together, list(range(7)))
    drain()
    numbers: list[int | None] = []
    cursor = None
    while True:
        page = list_steps(run, cursor, page_size=3, newest_first=newest_first)
        numbers += [entry.step.n for entry in page.page]
        if page.is_done:
            break
        cursor = page.continue_cursor
    assert numbers == (list(range(7))[::-1] if newest_first else list(range(7)))


def test_a_step_names_its_child_and_its_event(world: World) -> None:
    parent, asker = start(samples.parent, 2), start(samples.asks)
    drain()
    event = send_event(asker, "choice", 1)
    drain()
    first, second = list_steps(parent).page
    child = WorkflowRun.objects.get(parent_step=first.step)
    assert (first.child_id, first.event_id) == (child.pk, None)
    assert (second.child_id, second.step.result) == (None, 200)
    [asked] = list_steps(asker).page
    assert asked.event_id == event.pk
    [sent] = list_events(asker)
    assert (sent.consumed_by, sent.payload_text) == (0, "1")  # type: ignore[attr-defined]


def test_long_values_are_cut_by_the_database(world: World) -> None:
    run = start(samples.returns_big, 50_000)
    drain()
    [entry] = list_steps(run, shorten_to=100).page
    assert len(entry.result_text) == 100
    assert entry.arguments_text == '{"size": 50000}'
    assert "result" in entry.step.get_deferred_fields()
    assert len(list_steps(run).page[0].step.result) == 50_000  # type: ignore[arg-type]


def test_status_tells_open_steps_then_the_result(world: World) -> None:
    run = start(samples.asks)
    drain()
    report = run_status(run)
    assert (report.status, report.result) == ("running", None)
    assert [step.name for step in report.open_steps] == ["choice"]
    send_event(run, "choice", 1)
    drain()
    report = run_status(run)
    assert (report.status, report.result, report.open_steps) == ("success", "proposal2", [])
    samples.FAIL["a"] = 1
    failed = start(samples.tries, "a", 0)
    drain()
    assert run_status(failed).error == "a fails"
    clean_up(failed)
    with pytest.raises(WorkflowNotFound):
        run_status(failed)


def test_runs_are_counted_by_state_up_to_a_limit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(4):
        start(samples.three, n)
    drain()
    start(samples.asks)
    counts = count_by_state(all_runs())
    assert counts == {"running": 1, "paused": 0, "success": 4, "error": 0, "canceled": 0}
    assert throughput(all_runs()) == 4
    WorkflowRun.objects.update(finished_at=timezone.now() - timedelta(minutes=2))
    assert throughput(all_runs()) == 0
    monkeypatch.setattr(reading, "COUNT_LIMIT", 2)
    assert count_by_state(all_runs())["success"] == 3


def test_a_retry_begins_at_the_first_step_without_a_result(world: World) -> None:
    samples.FAIL["noted 2"] = 1
    failed, canceled, fine = start(samples.three, 1), start(samples.asks), start(samples.three, 5)
    drain()
    cancel_run(canceled)
    assert first_failed_step(failed) == 1
    assert first_failed_step(canceled) == 0
    assert first_failed_step(fine) is None


def test_the_loser_of_a_race_needs_no_retry(world: World) -> None:
    run = start(samples.races)
    drain()
    send_event(run, "go", "now")
    drain()
    assert fresh(run).status == "success"
    assert WorkItem.objects.get(run=run, n=1).status == "canceled"
    assert first_failed_step(run) is None


def test_a_scraper_reads_pools_and_runs_from_the_database(world: World) -> None:
    samples.FAIL["a"] = 1
    start(samples.tries, "a", 0)
    drain()
    start(samples.asks)
    text = render_metrics()
    assert 'one_work_failed_last_minute{pool="default"} 1' in text
    assert 'one_work_backlog{pool="default"} 0' in text
    assert 'one_work_running{pool="default"} 0' in text
    assert 'one_work_oldest_seconds{pool="default"} 0.0' in text
    assert 'one_workflow_runs{state="running"} 1' in text
    assert 'one_workflow_runs_ended_last_minute{state="error"} 1' in text
    assert text.count("# TYPE one_workflow_runs gauge") == 1


def test_labels_of_figures_are_escaped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = Figure("one_odd", 1, {"name": 'a "b" \\ \n'})
    monkeypatch.setattr(metrics, "_collectors", [lambda: [figure]])
    assert r'one_odd{name="a \"b\" \\ \n"} 1' in render_metrics()


def test_figures_of_the_process_are_there_without_a_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away() -> list[Figure]:
        raise OperationalError("the database is away")

    monkeypatch.setattr(metrics, "_collectors", [away])
    monkeypatch.setattr(metrics, "_counters", {})
    metrics.count("one_still_here_total")
    assert "one_still_here_total 1" in render_metrics()
