"""When a restart may skip preparing the database."""

import os
from pathlib import Path

from one_project.embedded.prepared import Prepared, code_fingerprint

SETTINGS = {"DJANGO_SETTINGS_MODULE": "one_project.settings.development"}


def test_fingerprint_follows_code_lock_and_settings(tmp_path: Path) -> None:
    module = tmp_path / "some_app" / "migrations" / "0001_initial.py"
    module.parent.mkdir(parents=True)
    (tmp_path / "some_app" / "__init__.py").touch()
    (tmp_path / "requirements.lock").write_text("a==1")
    seen = [code_fingerprint(tmp_path, SETTINGS)]

    def is_new() -> bool:
        seen.append(code_fingerprint(tmp_path, SETTINGS))
        return seen[-1] not in seen[:-1]

    assert not is_new()
    module.write_text("")
    assert is_new()
    os.utime(module, (1, 1))
    assert is_new()
    (tmp_path / "requirements.lock").write_text("a==1.1")
    assert is_new()
    (tmp_path / "README.md").touch()
    assert not is_new()
    assert code_fingerprint(tmp_path, {}) not in seen


def test_note_holds_for_one_code_and_one_state(tmp_path: Path) -> None:
    note = Prepared(tmp_path / "prepared", "code")
    assert not note.still("1 2 3")
    note.remember("1 2 3")
    assert note.still("1 2 3")
    assert not note.still("1 3 4")
    assert not note.still("")
    assert not Prepared(tmp_path / "prepared", "other").still("1 2 3")
    note.remember("")
    assert not note.still("")
