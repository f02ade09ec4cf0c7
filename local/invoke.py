"""One request, one invocation: reads the body, makes the event, answers with the result.

What API Gateway says by itself it says as `{"message": ...}`: 413 to a body over 10 MB, 500 if the
function failed, timed out, or gave a result that is no response, 503 if Lambda had no room for it.
"""

import json

from starlette.types import Receive, Send

from local.events import Response, Scope, require_payload, to_event, to_response
from local.runtime.errors import ThrottledError
from local.runtime.function import Function

BODY_BYTES_MAX = 10_485_760

# Of all bodies that one process holds at once: 10 MB each, a crowd's would fill the memory.
BODIES_BYTES_MAX = 4 * BODY_BYTES_MAX


class ClientGoneError(Exception):
    """The client left in the middle of its request, and so has not asked for anything."""


class RefusedError(Exception):
    """The gateway answers by itself, with `response`."""

    def __init__(self, status: int, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.response = says(status, message, *headers)


class Bodies:
    """Reads the bodies of requests, so many bytes at once and no more."""

    def __init__(self, bytes_max: int = BODIES_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._held = 0

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """A request's body, to be given back by `release`. Most have none at all, and asking the
        server for it costs as much as parsing the request.

        Raises:
            ClientGoneError: what came of it is not all of it.
            RefusedError: it is longer than API Gateway takes, or all that are read together are.
        """
        headers = scope["headers"]
        if not any(name in (b"content-length", b"transfer-encoding") for name, _ in headers):
            return b""
        chunks: list[bytes] = []
        length = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                chunk = bytes(message.get("body", b""))
                chunks.append(chunk)
                length += len(chunk)
                self._held += len(chunk)
                if length > BODY_BYTES_MAX:
                    raise RefusedError(413, "Request Entity Too Large")
                if self._held > self._bytes_max:
                    raise RefusedError(503, "Service Unavailable")
                if not message.get("more_body"):
                    return b"".join(chunks)
        except BaseException:
            self._held -= length
            raise

    def release(self, body: bytes) -> None:
        """Forget a body that was read."""
        self._held -= len(body)


class Invoke:
    """A plain ASGI callable that turns one request into one invocation of one function."""

    def __init__(self, function: Function, route_key: str, bodies: Bodies) -> None:
        self._function = function
        self._route_key = route_key
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self._bodies.read(scope, receive)
        except ClientGoneError:
            return
        except RefusedError as refused:
            await answer(send, refused.response)
            return
        try:
            response = await self.respond(scope, body)
        finally:
            self._bodies.release(body)
        await answer(send, response)

    async def respond(self, scope: Scope, body: bytes) -> Response:
        """Invoke the function with the event of a request: status, headers, body."""
        event = to_event(scope, body, route_key=self._route_key)
        try:
            if body:
                require_payload(event)
            return to_response(await self._function.invoke(event))
        except Exception as error:
            return self._failed(error)

    def _failed(self, error: BaseException) -> Response:
        """The function has a place to log its faults; what escapes it is ours to log."""
        from flashsale.logs import logger

        told = {"function": self._function.spec.name}
        if isinstance(error, ThrottledError):
            logger().warning("function throttled", extra=told | {"reason": error.reason})
            return says(503, "Service Unavailable")
        logger().error("function failed", exc_info=error, extra=told)
        return says(500, "Internal Server Error")


def says(status: int, message: str, *headers: tuple[bytes, bytes]) -> Response:
    """An answer of API Gateway's own."""
    body = json.dumps({"message": message}, separators=(",", ":")).encode()
    length = (b"content-length", b"%d" % len(body))
    return status, [(b"content-type", b"application/json"), *headers, length], body


async def answer(send: Send, response: Response) -> None:
    """Send a whole response by ASGI."""
    status, headers, content = response
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
