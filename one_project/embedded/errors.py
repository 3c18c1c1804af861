"""The one error a person starting the embedded servers can be shown."""


class EmbeddedServerError(RuntimeError):
    """An embedded server cannot run; the text says why and what to do, without a traceback."""
