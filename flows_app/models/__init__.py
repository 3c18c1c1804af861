from flows_app.models.bulk import BulkAssignment, BulkStatus
from flows_app.models.flows import Course, CourseFlow, Flow, FlowRevision, FlowStep, StepKind
from flows_app.models.lessons import Lesson, LessonTarget, Resolution
from flows_app.models.progress import ActorType, FlowProgress, LogKind, Status, StepState
from flows_app.models.submissions import Submission, SubmissionStatus
from flows_app.models.talk import (
    Comment,
    Mailing,
    Notice,
    NoticeKind,
    Reminder,
    ReminderKind,
    ReminderWish,
)

__all__ = [
    "ActorType",
    "BulkAssignment",
    "BulkStatus",
    "Comment",
    "Course",
    "CourseFlow",
    "Flow",
    "FlowProgress",
    "FlowRevision",
    "FlowStep",
    "Lesson",
    "LessonTarget",
    "LogKind",
    "Mailing",
    "Notice",
    "NoticeKind",
    "Reminder",
    "ReminderKind",
    "ReminderWish",
    "Resolution",
    "Status",
    "StepKind",
    "StepState",
    "Submission",
    "SubmissionStatus",
]
