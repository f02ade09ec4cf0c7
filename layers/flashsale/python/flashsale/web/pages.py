"""The pages and their assets: text that stays as it is until the next deployment."""

from flashsale.api import Reply
from flashsale.errors import NotFound
from flashsale.request import Request
from flashsale.web.assets import assets, etag, page, version

# Nothing from elsewhere, no script or style within the page, no frame around it, no form that
# leaves it; and what scripts write into a page is text, never markup.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)
PAGE_HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": POLICY,
    "content-type": "text/html; charset=utf-8",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def show(name: str, request: Request) -> Reply:
    """A page, or 304 where the browser has it. Its own parameters are for its script to read."""
    return kept(page(name), PAGE_HEADERS, request)


def asset(request: Request, *, name: str, asked_version: str) -> Reply:
    """One asset. At the address of another version it is still the right answer, for now.

    Raises:
        NotFound: there is no such asset.
    """
    found = assets().get(name)
    if found is None:
        raise NotFound
    for_ever = asked_version == version()
    headers = {
        "cache-control": "public, max-age=31536000, immutable" if for_ever else "no-cache",
        "content-type": found.media_type,
        "x-content-type-options": "nosniff",
    }
    return kept(found.text, headers, request)


def kept(text: str, headers: dict[str, str], request: Request) -> Reply:
    """A text that the client may have already."""
    headers = {**headers, "etag": etag(text)}
    seen = headers["etag"] in request.header("if-none-match")
    return Reply(304, "", headers) if seen else Reply(200, text, headers)
