"""Limits of flows and lessons."""

from typing import Final

NAME_LIMIT: Final = 120
# What a page can still show and a person still follow.
MAX_STEPS: Final = 200
MAX_PREREQUISITES: Final = 20
MAX_CHECKLIST: Final = 100
MAX_FIELDS: Final = 50
MAX_CONTENT: Final = 50_000
MAX_NOTES: Final = 4_000
MAX_COMMENT: Final = 10_000
MAX_COURSE_FLOWS: Final = 50
# Rows of one bulk assignment; also the lines of a CSV.
MAX_BULK: Final = 10_000
# A due offset of a step: ten years.
MAX_DUE_DAYS: Final = 3_660
# Hours after which staff are reminded of a draft nobody has looked at.
REVIEW_HOURS: Final = 48
