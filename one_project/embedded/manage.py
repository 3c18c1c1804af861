"""``python -m one_project.embedded.manage COMMAND …``: ``manage.py`` on the data of ``make run``.

With DATABASE_URL it is ``manage.py`` and no more; without, it speaks to the Postgres and the Redis
that ``make run`` has started, which has to be running.
"""

import os
import sys
from pathlib import Path
from urllib.parse import quote

from one_project.embedded import roles
from one_project.embedded.data_dir import DataDir, port_is_free
from one_project.embedded.postgres import DATABASE, SECRETS

ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS = "one_project.settings.development"


def running_servers(data_dir: Path) -> dict[str, str]:
    """What the servers on ``data_dir`` are reached by; empty where one is not running."""
    if not (data_dir / "run").is_dir():
        return {}
    state = DataDir(data_dir)
    postgres, redis = state.last_port("postgres"), state.last_port("redis")
    if not postgres or not redis or port_is_free(postgres) or port_is_free(redis):
        return {}
    password = quote(state.secret(SECRETS[roles.APP]), safe="")
    return {
        "DATABASE_URL": f"postgres://{roles.APP}:{password}@127.0.0.1:{postgres}/{DATABASE}",
        "REDIS_URL": f"redis://:{quote(state.secret('redis'), safe='')}@127.0.0.1:{redis}/0",
        "DJANGO_SECRET_KEY": state.secret("django", 48),
        "ONE_CREDENTIAL_KEYS": f"made:{state.secret('credentials')}",
        "ONE_DATA_DIR": str(state.path),
    }


def main() -> None:
    """Run the command; ends the program with a sentence where nothing is running."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
    if not os.environ.get("DATABASE_URL"):
        folder = Path(os.environ.get("ONE_DATA_DIR") or ROOT / "var").expanduser().resolve()
        found = running_servers(folder)
        if not found:
            sys.exit("ONE is not running on this data. Start it (make run), then try again.")
        for name, value in found.items():
            if not os.environ.get(name):
                os.environ[name] = value
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", *sys.argv[1:]])


if __name__ == "__main__":
    main()
