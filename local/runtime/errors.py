"""What an invocation may end in besides a result, as Lambda tells it.

TimeLimitError    it took longer than the template allows
ThrottledError    there was no room for it
FunctionError     the function raised, could not be loaded, or its process ended
"""

import traceback
from typing import Any

Payload = dict[str, Any]


class TimeLimitError(TimeoutError):
    """A function took longer than the template allows; its own timeouts are its own affair."""


class ThrottledError(Exception):
    """Lambda's TooManyRequestsException: 429 to who invokes, 503 by way of an HTTP API."""

    def __init__(self, reason: str) -> None:
        super().__init__("Rate Exceeded.")
        self.reason = reason


class FunctionError(Exception):
    """`payload` is what Lambda hands whoever invoked: errorType, errorMessage and, if the function
    raised, requestId and stackTrace."""

    def __init__(self, payload: Payload) -> None:
        super().__init__(f"{payload.get('errorType', 'Error')}: {payload.get('errorMessage', '')}")
        self.payload = payload


def time_out(request_id: str, seconds: float) -> Payload:
    """What Lambda says of an invocation that it ended."""
    message = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
    return {"errorType": "Sandbox.Timedout", "errorMessage": message}


def ended(request_id: str, how: str) -> Payload:
    """What Lambda says of an invocation whose process ended, `how` as in "exit status 1"."""
    message = f"RequestId: {request_id} Error: Runtime exited with error: {how}"
    return {"errorType": "Runtime.ExitError", "errorMessage": message}


def payload_of(error: Exception, *, request_id: str = "", seconds: float = 0) -> Payload:
    """What Lambda would hand whoever invoked, had its function ended like this. `seconds` is the
    function's timeout."""
    if isinstance(error, FunctionError):
        return error.payload
    if isinstance(error, TimeLimitError):
        return time_out(request_id, seconds)
    if isinstance(error, ThrottledError):
        kind = "TooManyRequestsException"
        return {"errorType": kind, "errorMessage": str(error), "reason": error.reason}
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_ours(frame)]
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_list(ours),
    }


def _is_ours(frame: traceback.FrameSummary) -> bool:
    """Whether it lies between the emulation and the function, and so is nothing to its author."""
    return "/local/runtime/" in frame.filename or frame.filename.endswith(
        ("/local/functions.py", "/asyncio/threads.py", "/concurrent/futures/thread.py")
    )
