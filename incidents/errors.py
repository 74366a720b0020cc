"""What the services of this app answer when they do not do what was asked."""


class Refused(Exception):  # noqa: N818 - it is an answer, not a failure
    """Nothing was changed; `message` tells a person why, and what to do instead."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
