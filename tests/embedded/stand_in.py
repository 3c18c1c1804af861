"""A launcher with small programs in place of the Django ones: ``python -m ... stand_in``."""

import signal
import sys
from collections.abc import Mapping

from one_project import run
from one_project.run import Launcher

WEB = """
import http.server, os, sys
print("web runs", os.getpid(), os.environ["DATABASE_URL"], os.environ["REDIS_URL"])
print("web told of the owner:", "DATABASE_OWNER_URL" in os.environ)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
    def log_message(self, *arguments):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
WORKER = """
import os, signal, time
if os.environ.get("DEAF"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("worker told of the owner:", "DATABASE_OWNER_URL" in os.environ)
print("worker runs", os.getpid(), os.environ.get("ONE_DEMO_URL"))
time.sleep(600)
"""


class StandIn(Launcher):
    """Everything as in ``Launcher`` but the programs run."""

    def _run_prepare(self, environment: Mapping[str, str]) -> None:
        settings = environment["DJANGO_SETTINGS_MODULE"]
        sys.stdout.write(f"prepared {settings} {environment['ONE_DATA_DIR']}\n")
        sys.stdout.flush()

    def _commands(self, environment: Mapping[str, str]) -> dict[str, list[str]]:
        return {
            "web": [sys.executable, "-c", WEB, str(self.options.port)],
            "worker": [sys.executable, "-c", WORKER],
        }


if __name__ == "__main__":
    run.Launcher = StandIn  # type: ignore[misc]
    # Whoever edits the code while the tests run does not disturb them.
    run.code_fingerprint = lambda *_: "code"
    signal.alarm(120)  # should a test forget it
    # Under nohup the launcher rightly ignores it; the tests may run under nohup themselves.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    sys.exit(run.main())
