"""The outcome of a trial as CSV and JSON."""

import csv
import io
from typing import Any

import orjson

from chat_app.models import Trial, TrialAnswer
from one_project.common import csv_files

COLUMNS = (
    "input", "version", "prompt", "model", "status", "answer", "error", "expected", "check",
    "passed", "input_tokens", "output_tokens", "cost_micros", "first_token_ms", "duration_ms",
)  # fmt: skip


def outcome_rows(trial: Trial) -> list[dict[str, Any]]:
    """One object for each answer, by input and version; names as in COLUMNS."""
    answers = trial.answers.order_by("position", "side")
    return [_row(trial, answer) for answer in answers]


def _row(trial: Trial, answer: TrialAnswer) -> dict[str, Any]:
    label = trial.versions[answer.side]["label"] if trial.is_comparison else ""
    values = (
        answer.position + 1,
        f"{'AB'[answer.side]}: {label}" if trial.is_comparison else "",
        answer.prompt,
        answer.answered_by or answer.model,
        answer.status,
        answer.text,
        answer.error,
        answer.expected,
        answer.check_by,
        answer.passed,
        answer.input_tokens,
        answer.output_tokens,
        answer.cost_micros,
        answer.first_token_ms,
        answer.duration_ms,
    )
    return dict(zip(COLUMNS, values, strict=True))


def as_csv(trial: Trial) -> str:
    """With a header; a cell that a spreadsheet would take for a formula begins with ``'``."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_MINIMAL)
    writer.writerow(COLUMNS)
    for row in outcome_rows(trial):
        writer.writerow([safe_cell(value) for value in row.values()])
    return out.getvalue()


def as_json(trial: Trial) -> bytes:
    """``{"agent", "kind", "versions", "options", "answers": [...]}``."""
    whole = {
        "id": str(trial.pk),
        "kind": trial.kind,
        "agent": trial.agent_name,
        "created_at": trial.created_at.isoformat(),
        "options": trial.options,
        "versions": trial.versions,
        "answers": outcome_rows(trial),
    }
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2)


def safe_cell(value: Any) -> Any:
    """As in all CSV files; but who reads trials with a program finds ``True`` and ``False``."""
    return value if isinstance(value, bool) else csv_files.safe_cell(value)
