"""Which user an embedded server runs as, and how a process gets there.

Postgres refuses to run as root. Started by root it runs as ``nobody``; where ``nobody`` could
not reach its files (a clone below a folder of mode 0700) it keeps the one capability needed to
read them, because widening the permissions of somebody's folders is not ours to do.
"""

import os
import pwd
import shutil
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from one_project.embedded.errors import EmbeddedServerError

# Numbers from linux/capability.h.
CAPABILITIES = {"dac_override": 1, "dac_read_search": 2}


@dataclass(frozen=True)
class Identity:
    """A user to run as; ``uid`` None means the present user."""

    uid: int | None = None
    gid: int | None = None
    capability: str | None = None

    def command(self, command: list[str], death_signal: str = "KILL") -> list[str]:
        """``command`` with what takes the capability along; unchanged where none is needed.

        ``death_signal`` is what the kernel sends when the parent dies: a change of user clears
        what the parent has set, so it has to be set again afterwards.
        """
        if self.capability is None:
            return command
        only = f"-all,+{self.capability}"
        return [
            "setpriv",
            f"--reuid={self.uid}",
            f"--regid={self.gid}",
            "--clear-groups",
            # Without it access(2) ignores capabilities, and initdb asks access(2).
            "--securebits=+no_setuid_fixup",
            f"--inh-caps={only}",
            f"--ambient-caps={only}",
            f"--bounding-set={only}",
            "--no-new-privs",
            f"--pdeathsig={death_signal}",
            "--",
            *command,
        ]

    @property
    def user(self) -> tuple[int, int] | None:
        """(uid, gid) the parent has to switch to, None when the command does so by itself."""
        if self.uid is None or self.gid is None or self.capability is not None:
            return None
        return self.uid, self.gid

    def own(self, path: Path) -> None:
        """Make ``path`` this user's and nobody else's (mode 0700 or 0600).

        Raises ``PermissionError`` where the file system does not allow it.
        """
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)
        path.chmod(0o700 if path.is_dir() else 0o600)


def server_identity(program: Path, data: Path) -> Identity:
    """Who should run ``program`` on the directory ``data``, which may not exist yet.

    Not root: ourselves. Root: the owner of ``data``, or ``nobody`` where root made it. Raises
    ``EmbeddedServerError`` when that user can reach the files in no way.
    """
    if os.geteuid() != 0:
        return Identity()
    owner = data.stat().st_uid if data.exists() else 0
    try:
        account = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
        uid, gid = account.pw_uid, account.pw_gid
    except KeyError:
        uid = gid = owner or 65534
    if not _may(program, uid, gid, 0o5):
        return Identity(uid, gid, _capability(["dac_override"], program))
    reached = all(
        _may(folder, uid, gid, 0o1)
        for folder in _folders([program.resolve(), data.resolve()])
        if folder != data.resolve()
    )
    if reached:
        return Identity(uid, gid)
    return Identity(uid, gid, _capability(["dac_read_search", "dac_override"], program))


def _folders(paths: Iterable[Path]) -> set[Path]:
    return {folder for path in paths for folder in path.parents if folder.exists()}


def _may(path: Path, uid: int, gid: int, wanted: int) -> bool:
    """Whether the mode of ``path`` grants the ``rwx`` bits ``wanted`` to the user."""
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid == uid:
        granted = mode >> 6
    elif status.st_gid == gid:
        granted = mode >> 3
    else:
        granted = mode
    return granted & wanted == wanted


def _capability(candidates: list[str], program: Path) -> str:
    """The first of ``candidates`` this process may hand on."""
    if sys.platform == "linux" and shutil.which("setpriv"):
        bounds = int(_status_field("CapBnd"), 16)
        for name in candidates:
            if bounds & (1 << CAPABILITIES[name]):
                return name
    raise EmbeddedServerError(
        f"{program.name} does not run as root, and the user it would run as cannot reach "
        f"{program.parent} or the data directory. Install ONE in a folder other users may "
        "enter, run it as an ordinary user, or set DATABASE_URL and REDIS_URL."
    )


def _status_field(name: str) -> str:
    """A field of this process in the proc file system."""
    for line in Path("/proc/self/status").read_text().splitlines():
        field, _, value = line.partition(":")
        if field == name:
            return value.strip()
    return "0"
