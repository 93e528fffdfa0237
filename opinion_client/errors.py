"""What no retry can mend."""


class StreamError(Exception):
    """The console refuses the request: a wrong filter, a cursor of another stream, no right to read.

    Attributes:
        status: of HTTP.
        code: the console's name for the problem; empty if somebody else answered.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
