"""Courses: flows in an order, of one organisation, made by staff."""

import pytest
from django.test import Client

from flows_app.errors import CourseNotFound
from flows_app.models import Course, Flow
from flows_app.services.courses import archive_course, create_course, update_course
from one_project.accounts.models import User
from one_project.common.errors import AccessDenied, InvalidInput
from tests.flows.samples import make_flow
from tests.people import World


def browser(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def order(course: Course) -> list[str]:
    return [one.flow.name for one in course.course_flows.select_related("flow")]


@pytest.fixture
def flows(world: World) -> list[Flow]:
    return [make_flow(world, name=name) for name in ("First", "Second", "Third")]


def test_staff_make_a_course_and_change_its_order(world: World, flows: list[Flow]) -> None:
    course = create_course(world.organisation, by=world.stella, name="Start", flows=flows)
    assert order(course) == ["First", "Second", "Third"]
    update_course(course, by=world.stella, name="Start", flows=[flows[2], flows[0]])
    assert order(course) == ["Third", "First"]


def test_what_cannot_be_is_refused_in_words(world: World, flows: list[Flow]) -> None:
    course = create_course(world.organisation, by=world.stella, name="Start", flows=flows)
    for fields, told in (
        ({"name": " "}, "a name"),
        ({"name": "start"}, "already"),
        ({"name": "New", "flows": [flows[0], flows[0]]}, "twice"),
    ):
        with pytest.raises(InvalidInput, match=told):
            create_course(world.organisation, by=world.stella, **fields)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="flows of this organisation"):
        create_course(world.elsewhere, by=world.charlie, name="Theirs", flows=flows)
    with pytest.raises(AccessDenied):
        create_course(world.organisation, by=world.bob, name="Mine")
    with pytest.raises(CourseNotFound):
        archive_course(course, by=world.charlie)


def test_the_name_of_an_archived_course_is_free(world: World) -> None:
    course = create_course(world.organisation, by=world.stella, name="Start")
    archive_course(course, by=world.stella)
    create_course(world.organisation, by=world.stella, name="Start")
    with pytest.raises(InvalidInput, match="already"):
        archive_course(course, by=world.stella, archived=False)


def test_a_course_is_put_together_on_its_page(world: World, flows: list[Flow]) -> None:
    client = browser(world.stella)
    first, second, third = (str(one.pk) for one in flows)
    typed = {"name": "Typed", "description": "What for", "in_order": "on", "flow": [first, second]}
    for do, more, expected in (
        ("add", {"add": third}, [first, second, third]),
        (f"up:{second}", {}, [second, first]),
        (f"down:{second}", {}, [first, second]),
        (f"remove:{first}", {}, [second]),
    ):
        answer = client.post(
            "/flows/courses/new/part/",
            {**typed, **more, "do": do},
            headers={"HX-Request": "true"},
        )
        assert [str(one.pk) for one in answer.context["flows"]] == expected
        assert 'value="Typed"' in answer.content.decode()
        assert Course.objects.count() == 0
    made = client.post("/flows/courses/new/", typed)
    course = Course.objects.get()
    assert (made.status_code, made["Location"]) == (303, f"/flows/courses/{course.pk}/")
    assert order(course) == ["First", "Second"]
    wrong = client.post(made["Location"], {**typed, "name": ""})
    assert wrong.status_code == 422
    assert "What for" in wrong.content.decode()
    foreign = browser(world.charlie).post("/flows/courses/new/", {"name": "X", "flow": [first]})
    assert foreign.status_code == 422
