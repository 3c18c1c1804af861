"""Rules of the house that no linter knows: short files, writes in services, whole partials."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = ("one_project", "agents_app", "chat_app", "flows_app", "integrations_app", "billing_app")
MAX_LINES = 500
MAX_SCRIPT_LINES = 300


def tracked(*endings: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    return [ROOT / name for name in listed if name.endswith(endings) and (ROOT / name).exists()]


def test_no_file_is_too_long_to_read() -> None:
    too_long = [
        f"{path.relative_to(ROOT)}: {count}"
        for path in tracked(".py", ".js", ".css")
        if "/migrations/" not in str(path)
        and (count := len(path.read_text().splitlines())) > MAX_LINES
    ]
    assert too_long == []


def test_our_own_script_stays_small() -> None:
    assert sum(len(path.read_text().splitlines()) for path in tracked(".js")) < MAX_SCRIPT_LINES


WRITES = {"create", "bulk_create", "get_or_create", "update_or_create", "bulk_update", "update"}
SETS = {"objects", "filter", "exclude", "all", "select_for_update"}
# Rooms whose job it is to write, and where a row is made for a test or a start.
WRITERS = ("/services/", "/migrations/", "/management/")


def chain(node: ast.expr) -> set[str]:
    """The names along ``Model.objects.filter(...).update``."""
    names = set()
    while isinstance(node, ast.Attribute | ast.Call):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
            node = node.value
        else:
            node = node.func
    return names


def is_write(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute):
        return False
    receiver = chain(call.func.value)
    if call.func.attr in WRITES:
        return bool(receiver & SETS)
    return call.func.attr == "delete" and bool(receiver & SETS)


def test_rows_are_written_in_services_only() -> None:
    found = []
    for path in tracked(".py"):
        name = "/" + str(path.relative_to(ROOT))
        if not name.startswith(tuple(f"/{app}/" for app in OURS)) or any(
            room in name for room in WRITERS
        ):
            continue
        calls = [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
        ]
        found += [f"{name}:{call.lineno}" for call in calls if is_write(call)]
    assert found == []


def test_the_rule_about_writes_sees_a_write() -> None:
    for code in ("Model.objects.create(x=1)", "Model.objects.filter(a=1).update(b=2)"):
        call = ast.parse(code).body[0].value  # type: ignore[attr-defined]
        assert is_write(call)
    assert not is_write(ast.parse("{}.update(a=1)").body[0].value)  # type: ignore[attr-defined]


@pytest.mark.parametrize("word", ["utils", "helpers", "managers", "selectors"])
def test_no_room_for_odds_and_ends(word: str) -> None:
    assert [path for path in tracked(".py") if word in (path.stem, path.parent.name)] == []
