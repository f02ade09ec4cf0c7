"""A short run of the fuzzer, and that it would see what it looks for."""

import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from flashsale.codes import CodeSigner

from local.environment import ROOT
from tests.fuzz.asks import Asker, http_event, rest_event
from tests.fuzz.forgery import Accepted, forge


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_two_thousand_strange_requests_and_forged_codes_find_nothing() -> None:
    told = run("-n", "2000")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "answered 200 ok" in told.stdout
    assert "answered 400 malformed" in told.stdout
    assert told.stdout.endswith("0 wrong\n")


def test_a_seed_asks_the_same_again_and_another_something_else() -> None:
    codes = ["A" * 100, "B" * 100]
    one, two, other = (Asker(seed, codes) for seed in (1, 1, 2))
    asks = [one.ask() for _ in range(200)]
    assert asks == [two.ask() for _ in range(200)]
    assert asks != [other.ask() for _ in range(200)]
    assert {"CheckoutFunction", "PurchaseFunction", "UnroutedFunction"} <= {
        ask.function for ask in asks
    }
    assert all(http_event(ask)["rawQueryString"] == ask.raw for ask in asks)
    assert any(rest_event(ask) is None for ask in asks)


def test_a_signer_that_does_not_look_at_the_tag_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hmac.compare_digest", lambda one, other: True)
    with pytest.raises(Accepted):
        forge(1_000, 1, lambda done: None)


def test_a_second_spelling_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    right: Callable[[CodeSigner, str], Any] = CodeSigner.read
    monkeypatch.setattr(CodeSigner, "read", lambda self, text: right(self, text.strip()))
    with pytest.raises(Accepted, match="spelt otherwise"):
        forge(1_000, 1, lambda done: None)


def test_forged_codes_are_of_every_kind() -> None:
    refused = forge(9_000, random.SystemRandom().getrandbits(32), lambda done: None)
    assert len(refused) == 9
    assert min(refused.values()) > 500
