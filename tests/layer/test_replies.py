"""Refusals become statuses, by one table; every reason is a word that clients may rely on."""

import json
from collections.abc import Iterator

import pytest
from flashsale import errors
from flashsale.api import Reply
from flashsale.errors import Refusal
from flashsale.routes import unrouted

TABLE = {
    errors.Malformed: (400, "malformed"),
    errors.InvalidCode: (400, "invalid_code"),
    errors.Unauthorized: (401, "unauthorized"),
    errors.Forbidden: (403, "forbidden"),
    errors.NotFound: (404, "not_found"),
    errors.UnknownItem: (404, "unknown_item"),
    errors.MethodNotAllowed: (405, "method_not_allowed"),
    errors.SoldOut: (409, "sold_out"),
    errors.LimitExceeded: (409, "limit_exceeded"),
    errors.CodeExpired: (410, "code_expired"),
    errors.SaleEnded: (410, "sale_ended"),
    errors.BodyTooLarge: (413, "too_large"),
    errors.QueryTooLong: (414, "too_long"),
    errors.Busy: (503, "busy"),
    errors.OutcomeUnknown: (503, "outcome_unknown"),
    errors.Unavailable: (503, "unavailable"),
    errors.Overloaded: (503, "overloaded"),
    errors.RateLimited: (429, "rate_limited"),
    errors.SaleNotReady: (503, "sale_not_ready"),
}
ROUTES = "POST /checkout, GET /items, GET /items/{id}, PUT /items/{id}, GET /items/{id}/image"


def refusals(kind: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    for each in kind.__subclasses__():
        yield each
        yield from refusals(each)


def made(kind: type[Refusal]) -> Refusal:
    if kind is errors.RateLimited:
        return errors.RateLimited("buyer", burst=9, wait_ms=2_001)
    return kind("POST") if kind is errors.MethodNotAllowed else kind()


def test_the_table_has_every_refusal() -> None:
    """But TryAgain, which nobody raises: only its kinds say what to do; and what is told as any
    other invalid code."""
    assert set(refusals()) == {*TABLE, errors.TryAgain, errors.UnknownKey}
    assert Reply.refused(errors.UnknownKey()) == Reply.refused(errors.InvalidCode())


def test_every_reason_is_a_word_of_its_own() -> None:
    reasons = [reason for _, reason in TABLE.values()]
    assert len(set(reasons)) == len(reasons)


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.__name__)
def test_a_refusal_has_its_status_its_reason_and_the_documented_shape(kind: type[Refusal]) -> None:
    status, reason = TABLE[kind]
    refusal = made(kind)
    response = Reply.refused(refusal).response()
    assert response["statusCode"] == status
    told = json.loads(response["body"])
    assert told == {"success": False, "error": reason, "message": refusal.message}
    assert told["message"]
    assert response["headers"]["content-type"] == "application/json"
    assert response["headers"]["cache-control"] == "no-store"
    assert ("retry-after" in response["headers"]) == (status in (429, 503))
    assert ("allow" in response["headers"]) == (status == 405)
    assert ("www-authenticate" in response["headers"]) == (status == 401)
    assert Reply.refused(refusal).outcome == reason


def test_the_original_s_two_messages_are_word_for_word() -> None:
    assert errors.SoldOut().message == "item sold out"
    assert errors.LimitExceeded().message == "user purchase limit exceeded"


def test_a_success_has_the_documented_shape() -> None:
    response = Reply.ok(purchase_id="purchase_1").response()
    assert response["statusCode"] == 200
    assert json.loads(response["body"]) == {"success": True, "purchase_id": "purchase_1"}


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/checkout", "POST"),
        ("/items", "GET"),
        ("/items/7", "GET, PUT"),
        ("/items/x y", "GET, PUT"),
        ("/items/7/image", "GET"),
        ("/checkout/", None),
        ("/items/", None),
        ("/items/7/8/image", None),
        ("/itemsX", None),
        ("/", None),
        ("", None),
        ("//checkout", None),
        ("/{id}", None),
    ],
)
def test_a_path_without_such_a_method_names_those_it_has(path: str, allow: str | None) -> None:
    refusal = unrouted(ROUTES, path)
    if allow is None:
        assert type(refusal) is errors.NotFound
    else:
        assert isinstance(refusal, errors.MethodNotAllowed)
        assert Reply.refused(refusal).headers["allow"] == allow


def test_without_routes_nothing_is_found() -> None:
    assert isinstance(unrouted("", "/checkout"), errors.NotFound)
