"""Why there is no answer. No message names a person or has a value of a question: messages are logged (PEP-11)."""

from __future__ import annotations


class NoAnswer(Exception):
    """There is no answer that can be understood. What was asked is not permitted."""


class Unreachable(NoAnswer):
    """The decision point cannot be reached, or the connection failed."""


class TimedOut(NoAnswer):
    """The decision point did not answer in time."""

    def __init__(self) -> None:
        super().__init__("the decision point did not answer in time")


class BadStatus(NoAnswer):
    """The decision point answered with a status that is not one of an answer. 401 means that the token is missing or wrong."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the decision point answered with status {status}")
        self.status = status


class NotPermitted(Exception):
    """Base of `Refused`: what a person wants to do may not be done."""


class TokenInvalid(Exception):
    """A token is not valid. The message does not quote it."""


class KeysUnavailable(Exception):
    """It cannot be found out now whether a token is valid."""

    def __init__(self) -> None:
        super().__init__("the keys of the issuer are not available")
