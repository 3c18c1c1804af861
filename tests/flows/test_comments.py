"""What is said about work, who may say it, and who is told."""

import threading

import pytest
from django.db import connections

from flows_app.errors import CommentNotFound, LessonNotFound
from flows_app.models import Comment, LessonTarget, Notice, NoticeKind
from flows_app.runtime.actors import Actor
from flows_app.runtime.mentions import find_names, mark_names
from flows_app.services.comments import (
    access_comment,
    comment,
    comments_of,
    delete_comment,
    edit_comment,
)
from one_project.accounts.models import Role, User
from one_project.accounts.services.organisations import add_member
from one_project.common.errors import AccessDenied, Conflict, InvalidInput
from one_project.common.markdown import render
from tests.flows.samples import assign, make_flow, steps
from tests.people import World, make_person


def say(target: LessonTarget, by: User, text: str, **more: object) -> Comment:
    return comment(target, by=Actor(user=by), text=text, **more)  # type: ignore[arg-type]


def told(user: User) -> list[str]:
    rows = Notice.objects.filter(user=user, kind=NoticeKind.MENTION)
    return [one.text for one in rows.order_by("created_at", "pk")]


def test_comments_of_a_step_and_of_all_are_oldest_first(world: World) -> None:
    target = assign(world, make_flow(world, "Read", "Sign"))
    read = steps(target)["Read"]
    first = say(target, world.bob, "Which page?", step=read)
    second = say(target, world.stella, "All of it.")
    assert comments_of(target) == [first, second]
    assert comments_of(target, read) == [first]


def test_who_may_not_see_the_work_neither_reads_nor_writes(world: World) -> None:
    target = assign(world, make_flow(world), user=world.adam)
    said = say(target, world.adam, "Mine")
    for person in (world.bob, world.charlie):
        with pytest.raises(LessonNotFound):
            say(target, person, "Hello")
        with pytest.raises(CommentNotFound):
            access_comment(person, world.organisation, said.pk)


def test_people_who_may_see_it_can_be_mentioned(world: World) -> None:
    dora = make_person("Dora")
    add_member(world.organisation, user=dora, role=Role.MEMBER)
    target = assign(world, make_flow(world))
    text = "@Stella and @adam@example.test, not @Dora, @charlie@example.test nor @nobody"
    said = say(target, world.bob, text)
    assert set(said.mentions.all()) == {world.stella, world.adam}
    assert told(world.stella) == [f"Bob mentioned you about “Onboarding”: {text}"]
    assert told(dora) == told(world.charlie) == told(world.bob) == []


def test_whose_work_it_is_and_who_assigned_it_are_told_of_what_others_say(world: World) -> None:
    target = assign(world, make_flow(world))
    say(target, world.bob, "A question")
    say(target, world.adam, "An answer")
    assert told(world.stella) == [
        "Bob about “Onboarding”: A question",
        "Adam about “Onboarding”: An answer",
    ]
    assert told(world.bob) == ["Adam about “Onboarding”: An answer"]
    assert told(world.alice) == told(world.adam) == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("@Ann Lee", "ann"),
        ("@ann lee: look", "ann"),
        ("(@ann@a.test)", "ann"),
        ("@Ann", ""),  # two of them
        ("@Bo", "bo"),
        ("@Bob", ""),
        ("mail@Bo", ""),
        ("@Bo, @Ann Lee and @Bo", "bo ann"),
    ],
)
def test_a_name_names_somebody_only_where_it_is_theirs_alone(text: str, named: str) -> None:
    people = [
        User(email="ann@a.test", name="Ann Lee"),
        User(email="anne@a.test", name="Ann Moe"),
        User(email="bo@a.test", name="Bo"),
    ]
    assert [one.email.split("@")[0] for one in find_names(text, people)] == named.split()


def test_names_are_marked_in_text_and_nothing_else_is_touched() -> None:
    bo = User(email="bo@a.test", name="Bo")
    plain = render('`@Bo` [@Bo](https://a.test "@Bo") <img title="> @Bo"> & @Nobody')
    assert mark_names(plain, [bo]).replace('<mark class="mention">@Bo</mark>', "@Bo") == plain
    assert mark_names(plain, [bo]).count("<mark") == 1  # in what was shown as text
    assert mark_names(render("Hi *@Bo*"), [bo]) == (
        '<p dir="auto">Hi <em><mark class="mention">@Bo</mark></em></p>\n'
    )


def test_own_words_can_be_changed_and_the_earlier_ones_stay(world: World) -> None:
    target = assign(world, make_flow(world))
    said = say(target, world.bob, "Frist @Stella")
    changed = edit_comment(said, by=world.bob, text="First @Stella @Adam")
    assert [edit["text"] for edit in changed.edits] == ["Frist @Stella"]
    assert (len(told(world.stella)), len(told(world.adam))) == (1, 1)
    with pytest.raises(AccessDenied):
        edit_comment(said, by=world.stella, text="Mine now")


def test_a_deleted_comment_leaves_its_place_and_no_words(world: World) -> None:
    target = assign(world, make_flow(world))
    said, other = say(target, world.bob, "Oops @Stella"), say(target, world.stella, "Hm")
    with pytest.raises(AccessDenied):
        delete_comment(other, by=world.bob)
    edit_comment(said, by=world.bob, text="Oops")
    delete_comment(said, by=world.stella)
    left = comments_of(target)[0]
    assert (left.text, left.edits, left.deleted_at is None) == ("", [], False)
    with pytest.raises(CommentNotFound):
        edit_comment(said, by=world.bob, text="Back")


def test_an_agent_speaks_for_the_person_and_under_its_own_name(world: World) -> None:
    target = assign(world, make_flow(world))
    said = comment(target, by=Actor(user=world.bob, agent=world.agent), text="Half done")
    assert (said.author, said.agent) == (world.bob, world.agent)
    with pytest.raises(AccessDenied):
        edit_comment(said, by=world.bob, text="All done")


@pytest.mark.parametrize("text", ["", "  \n", "x" * 10_001])
def test_nothing_and_too_much_are_refused(world: World, text: str) -> None:
    with pytest.raises(InvalidInput):
        say(assign(world, make_flow(world)), world.bob, text)


def test_nothing_is_added_to_what_has_ended(world: World) -> None:
    target = assign(world, make_flow(world))
    LessonTarget.objects.filter(pk=target.pk).update(ended_at=target.assigned_at, ended="withdrawn")
    with pytest.raises(Conflict):
        say(target, world.bob, "Hello?")


def test_a_double_click_says_it_once(committed_world: World) -> None:
    world = committed_world
    target = assign(world, make_flow(world))
    found = []
    start = threading.Barrier(4)

    def send() -> None:
        start.wait()
        try:
            found.append(say(target, world.bob, "Once", request_id="r1").pk)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == Comment.objects.count() == len(told(world.stella)) == 1
