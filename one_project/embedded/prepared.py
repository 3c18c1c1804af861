"""What a database was last brought up to date for, so that a restart need not do it again."""

import hashlib
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from one_project.embedded.data_dir import write_private

# What in the environment decides about the work: which settings, hence which apps and accounts.
VARIABLES = ("DJANGO_SETTINGS_MODULE",)


def code_fingerprint(root: Path, environment: Mapping[str, str]) -> str:
    """Changes with every change of a module below ``root``, of the lock file or the settings.

    Sizes and times of change stand for the contents: a file touched for nothing costs one
    superfluous run, and reading them all would cost more than that saves.
    """
    digest = hashlib.sha256(sys.version.encode())
    for name in VARIABLES:
        digest.update(f"{name}={environment.get(name, '')}\n".encode())
    packages = [path.parent for path in root.glob("*/__init__.py") if path.parent.name != "tests"]
    files = [path for package in packages for path in package.rglob("*.py")]
    for path in sorted([*files, *root.glob("*.lock")]):
        status = path.stat()
        digest.update(f"{path.relative_to(root)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


class Prepared:
    """A note beside the database: for which code, in which state, it was last prepared."""

    def __init__(self, path: Path, code: str) -> None:
        """``path`` is the note, ``code`` the fingerprint of the present code."""
        self._path = path
        self._code = code

    def still(self, database_mark: str) -> bool:
        """Whether neither code nor database changed; never for an empty mark."""
        with suppress(FileNotFoundError):
            return bool(database_mark) and self._path.read_text() == self._note(database_mark)
        return False

    def remember(self, database_mark: str) -> None:
        """Note that the database, with this mark now, is up to date."""
        write_private(self._path, self._note(database_mark))

    def _note(self, database_mark: str) -> str:
        return f"{self._code} {database_mark}"
