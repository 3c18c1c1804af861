"""What can go wrong around agents, as typed errors."""

from collections.abc import Mapping

from one_project.common.errors import AppError, Conflict, InvalidInput, NotFound


class AgentNotFound(NotFound):
    """No such agent, or not for this person."""

    code = "agent_not_found"
    user_message = "This agent does not exist, or you have no access to it."


class PromptNotFound(NotFound):
    """No such prompt, or not for this person."""

    code = "prompt_not_found"
    user_message = "This prompt does not exist, or you have no access to it."


class ToolNotFound(NotFound):
    """No such tool, or not for this person."""

    code = "tool_not_found"
    user_message = "This tool does not exist, or you have no access to it."


class ToolCallNotFound(NotFound):
    """No such call of a tool, or not for this person."""

    code = "tool_call_not_found"
    user_message = "This does not exist, or you have no access to it."


class CollectionNotFound(NotFound):
    """No such collection of documents, or not for this person."""

    code = "collection_not_found"
    user_message = "This collection does not exist, or you have no access to it."


class DocumentNotFound(NotFound):
    """No such document, version or page, or not for this person."""

    code = "document_not_found"
    user_message = "This document does not exist, or you have no access to it."


class StoredFileNotFound(NotFound):
    """No such file, or not for this person."""

    code = "file_not_found"
    user_message = "This file does not exist, or you have no access to it."


class FileTooLarge(InvalidInput):
    """More bytes than ONE_FILE_MAX_BYTES."""

    code = "file_too_large"
    status = 413


class FileDamaged(InvalidInput):
    """The bytes are not those of the hash that was given."""

    code = "file_damaged"
    user_message = "This file did not arrive whole. Please send it again."


class ApprovalGone(Conflict):
    """It waits for nobody any more: decided, expired, withdrawn, or it has changed."""

    code = "approval_gone"
    user_message = "This has been decided already, or it is not waiting any more."


class InvalidArguments(InvalidInput):
    """Changed arguments that do not fit the tool; the message says what is wrong."""

    code = "invalid_arguments"


class InvalidFields(InvalidInput):
    """Some fields cannot be used: ``fields`` says by name what to change in each."""

    code = "invalid_fields"

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = dict(fields)
        super().__init__(" ".join(self.fields.values()))


class AgentExecutionError(AppError):
    """An agent could not answer. ``cause`` goes to the log and the event, not to people."""

    code = "agent_error"
    status = 502
    retryable = True
    user_message = "Failed to generate a response. Please try again."

    def __init__(self, agent: str, thread: str, cause: object) -> None:
        self.agent = agent
        self.thread = thread
        self.cause = cause
        super().__init__(detail=f"agent {agent} in thread {thread}: {cause}")


class ObjectInvalid(AppError):
    """The model gave no object that fits, also when told what was wrong with its first try.

    ``text`` is what it said last, ``problems`` what does not fit; neither is for people.
    """

    code = "object_invalid"
    status = 502
    retryable = True
    user_message = "The model gave an answer that could not be used. Please try again."

    def __init__(self, text: str, problems: str) -> None:
        self.text = text
        self.problems = problems
        super().__init__(detail=problems)


class SpaceNotReady(Conflict):
    """An embedding space is not in the state the verb needs; the message says why."""

    code = "space_not_ready"
