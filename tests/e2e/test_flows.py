"""Staff assign a course to a role; a learner and agents work through it; the board follows live."""

import json
import re

from playwright.sync_api import Locator, Page, expect

from tests.e2e.chat import send
from tests.e2e.conftest import SignIn
from tests.e2e.test_safety_and_access import serious
from tests.e2e.test_tools import card, ended

# An agent's answer, on a busy machine.
SLOW = 60_000
COURSE, NAME = "First steps", "First day"
READ, TALK, PLAN = "Read the rules", "Talk it over", "Your first week"
FLOW = {
    "format": "one.flow",
    "version": 1,
    "name": NAME,
    "completion_message": "You are one of us.",
    "steps": [
        {"name": READ, "kind": "reading", "content": "# Rules\n\nBe kind."},
        {
            "name": TALK,
            "kind": "chat",
            "after": [READ],
            "agent": {"name": "Guide"},
            "settings": {"opening": "What would you like to know?"},
        },
        {
            "name": PLAN,
            "kind": "agent_task",
            "after": [READ],
            "agent": {"name": "Guide"},
            "settings": {"task": "Write a list of three tips for the first week at work"},
        },
    ],
}


def post(page: Page, path: str, **form: str) -> str:
    """As the forms of the open page would; where it led to."""
    token = page.locator("[name=csrfmiddlewaretoken]").first.input_value()
    answer = page.request.post(path, form={"csrfmiddlewaretoken": token, **form})
    assert answer.ok, answer.text()
    return answer.url


def id_in(address: str) -> str:
    found = re.search(r"[0-9a-f-]{36}", address)
    assert found is not None, address
    return found[0]


def course_of_one_flow(staff: Page) -> str:
    """The flow's id."""
    flow = id_in(post(staff, "/flows/import/", document=json.dumps(FLOW), confirm="1"))
    post(staff, f"/flows/{flow}/publish/")
    post(staff, "/flows/courses/new/", name=COURSE, in_order="1", flow=flow)
    return flow


def in_column(board: Page, status: str, step: str) -> Locator:
    column = board.get_by_role("region", name=re.compile(f"^{status}"))
    return column.get_by_role("listitem").filter(has=board.get_by_role("link", name=step))


def open_step(learner: Page, name: str) -> None:
    steps = learner.get_by_role("navigation", name="Steps", exact=True)
    steps.get_by_role("link", name=name).click()
    expect(learner.get_by_role("heading", name=name)).to_be_visible()


def test_a_course_is_assigned_done_with_agents_reviewed_and_followed(sign_in: SignIn) -> None:
    staff, board, learner = sign_in("staff"), sign_in("admin"), sign_in("learner")
    flow = course_of_one_flow(staff)
    board.goto(f"/flows/board/?flow={flow}")
    expect(board.get_by_role("heading", name="Board")).to_be_visible()

    # Who, what, when, preview, and then for everybody of the role.
    staff.goto("/flows/assign/")
    staff.get_by_role("checkbox", name="Member").check()
    staff.get_by_label("and whoever joins later").check()
    staff.get_by_label("Flow or course").select_option(label=COURSE)
    staff.get_by_label("or days from now").first.fill("7")
    assert serious(staff) == []
    staff.get_by_role("button", name="Preview").click()
    expect(staff.locator("#assign-preview")).to_contain_text("1")
    staff.get_by_role("button", name="Assign", exact=True).click()
    staff.wait_for_url(re.compile(r"/flows/assignments/[0-9a-f-]{36}/"))

    expect(in_column(board, "Not Started", READ)).to_contain_text("Lee Learner")
    assert serious(board) == []

    # The learner finds it, reads, and talks with the agent, who thinks that is done.
    learner.goto("/lessons/")
    learner.get_by_role("main").get_by_role("link", name=NAME).click()
    expect(learner.get_by_role("heading", name=READ)).to_be_visible()
    assert serious(learner) == []
    learner.get_by_role("button", name="Mark as read").click()
    expect(in_column(board, "Completed", READ)).to_be_visible()
    open_step(learner, TALK)
    learner.get_by_role("button", name="Talk with Guide").click()
    learner.wait_for_url(re.compile(r"/chat/[0-9a-f-]{36}/"))
    expect(learner.get_by_role("log")).to_contain_text("What would you like to know?")
    expect(in_column(board, "In Progress", TALK)).to_be_visible()
    send(learner, "Use propose_completion to say that all questions are answered")
    expect(card(learner, "Propose that the step is done")).to_contain_text("Done in", timeout=SLOW)
    ended(learner)
    learner.locator("#thread-agent").get_by_role("link", name=TALK).click()
    expect(learner.get_by_text("Guide thinks that this is done")).to_be_visible()
    learner.get_by_role("button", name="Mark as done").click()
    expect(in_column(board, "Completed", TALK)).to_be_visible()

    # The agent drafts a step, and staff review it.
    open_step(learner, PLAN)
    learner.get_by_role("button", name="Ask Guide").click()
    expect(in_column(board, "In Progress", PLAN)).to_be_visible()
    staff.goto("/flows/reviews/")
    staff.get_by_role("link", name=PLAN).click(timeout=SLOW)
    assert serious(staff) == []
    staff.get_by_role("button", name="Approve", exact=True).click()

    # Everybody sees it, without asking for it.
    expect(in_column(board, "Completed", PLAN)).to_be_visible()
    learner.goto("/lessons/")
    expect(learner.get_by_role("progressbar", name=NAME)).to_have_attribute("value", "100")
    assert serious(learner) == []
    board.goto(f"/flows/{flow}/matrix/")
    expect(board.get_by_role("rowheader", name="Lee Learner")).to_be_visible()
    assert serious(board) == []
