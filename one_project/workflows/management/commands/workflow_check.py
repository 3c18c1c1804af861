"""``workflow_check``: would everything that is open go on with this code? Exit code 1 when not."""

import json
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from one_project.workflows.services.checking import Report, check_open

SHOWN = 20


class Command(BaseCommand):
    help = (
        "Replay all open workflow runs with the code at hand, without writing anything, and report "
        "those that would fail. Run it with new code before the old workers are stopped."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print all findings as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        report = check_open()
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(report), indent=2))
        else:
            self._tell(report)
        if report.problems:
            raise SystemExit(1)

    def _tell(self, report: Report) -> None:
        self.stdout.write(f"{report.runs} open runs and {report.work} open pieces of work checked.")
        if not report.problems:
            self.stdout.write(self.style.SUCCESS("All of them go on with this code."))
            return
        self.stdout.write(self.style.ERROR(f"{len(report.problems)} would not go on:"))
        for problem in report.problems[:SHOWN]:
            self.stdout.write(f"  {problem.what} {problem.id} of {problem.name}")
            self.stdout.write(f"    {problem.kind}: {problem.message}")
        if len(report.problems) > SHOWN:
            self.stdout.write("  and others; all of them by name:")
            for (name, kind), count in Counter((p.name, p.kind) for p in report.problems).items():
                self.stdout.write(f"    {count} × {name}: {kind}")


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "ok": not report.problems,
        "runs": report.runs,
        "work": report.work,
        "problems": [problem.to_json() for problem in report.problems],
    }
