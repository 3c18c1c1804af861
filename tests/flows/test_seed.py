"""The demonstration course of ``make run``: made once, and never a second time."""

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from agents_app.models import Agent
from flows_app.models import Course, Flow, LessonTarget, StepKind
from flows_app.services.reading import lines_of, share_of_lines
from one_project.accounts.models import User


@override_settings(DEBUG=True)
def test_the_demonstration_course_is_made_once(db: None) -> None:
    call_command("seed_development")
    call_command("seed_flows")
    flow = Flow.objects.get(name="Welcome aboard")
    assert flow.published is not None
    kinds = set(flow.published.steps.values_list("kind", flat=True))
    assert kinds == set(StepKind.values) - {StepKind.WORKFLOW}
    target = LessonTarget.objects.get(flow=flow, user__email="learner@one.test")
    lines = lines_of(target)
    assert 0 < share_of_lines(lines).percent < 100
    assert {"", "Opens when “About you” is done."} <= {line.locked for line in lines}

    # What people make of it stays theirs.
    flow.name = "Our own"
    flow.save()
    Course.objects.update(name="Our own course")
    call_command("seed_flows")
    assert Flow.objects.count() == 2
    assert Course.objects.count() == 1
    assert LessonTarget.objects.count() == 2


@override_settings(DEBUG=True)
def test_without_its_agent_the_course_has_fewer_steps(db: None) -> None:
    call_command("seed_development")
    Agent.objects.filter(name="Guide").update(is_active=False)
    call_command("seed_flows")
    flow = Flow.objects.get(name="Welcome aboard")
    assert flow.published is not None
    assert not flow.published.steps.exclude(agent=None).exists()


@override_settings(DEBUG=True)
def test_a_name_that_is_taken_leaves_the_course_out(
    db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("seed_development")
    staff = User.objects.get(email="staff@one.test")
    organisation = staff.memberships.get().organisation
    Flow.objects.create(organisation=organisation, name="safe at work")
    call_command("seed_flows")
    assert "was left out" in capsys.readouterr().err
    assert Flow.objects.count() == 1


def test_the_demonstration_course_is_never_made_in_production(db: None) -> None:
    with pytest.raises(CommandError):
        call_command("seed_flows")
