"""What a user can cause, and what they are told.

    VisitError
    ├── RequestError    a prompt, target, position, layer or count that cannot be served
    ├── ModelError      a model that cannot be found, read, or taken apart
    │   └── NotLoaded   a model that is not in memory, and was not to be loaded without asking
    ├── DocumentError   a flow document that cannot be read
    ├── OutputError     a file or port that cannot be written or opened
    └── Cancelled       the user stopped it

Every message is one line that says what was given, what is allowed and what to do. A caller's own
mistake (a wrong shape, say) is a ``ValueError`` instead.
"""


class VisitError(Exception):
    """Something a user can cause and can mend; its text is shown as it is."""


class RequestError(VisitError):
    """The request asks for something that the model or the prompt does not have."""


class ModelError(VisitError):
    """The model cannot be found, read, or taken apart."""


class NotLoaded(ModelError):
    """The model is not in memory, and the question does not allow to load it."""


class DocumentError(VisitError):
    """The document is not a flow document that this version can read."""


class OutputError(VisitError):
    """A file or a port that was asked for cannot be used."""


class Cancelled(VisitError):
    """The user stopped the work before it was done."""
