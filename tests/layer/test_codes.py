"""Checkout codes: what was signed is read back, and nothing else is."""

import base64
import re

import pytest
from flashsale.codes import CodeSigner, new_nonce
from flashsale.errors import ConfigError, InvalidCode
from hypothesis import given
from hypothesis import strategies as st

OLD, NEW = bytes(range(32)), bytes(range(100, 132))
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

buyers = st.text("ABCXYZabcxyz0189._@:-", min_size=1, max_size=64)
seconds = st.integers(0, 2**32 - 1)


@pytest.fixture
def signer() -> CodeSigner:
    return CodeSigner({1: NEW})


def mint(signer: CodeSigner, *, buyer: str = "ann", nonce: bytes = bytes(16)) -> str:
    return signer.mint(starts_at=3600, item=7, expires_at=4500, buyer=buyer, nonce=nonce)


def raw(code: str) -> bytes:
    return base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))


def spelled(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@given(seconds, st.integers(1, 10_000), seconds, buyers, st.binary(min_size=16, max_size=16))
def test_a_code_says_what_it_was_minted_with(
    starts_at: int, item: int, expires_at: int, buyer: str, nonce: bytes
) -> None:
    signer = CodeSigner({1: NEW})
    text = signer.mint(
        starts_at=starts_at, item=item, expires_at=expires_at, buyer=buyer, nonce=nonce
    )
    code = signer.read(text)
    assert (code.starts_at, code.item, code.expires_at) == (starts_at, item, expires_at)
    assert (code.buyer, code.nonce) == (buyer, nonce.hex())


@pytest.mark.parametrize("buyer", ["a", "ab", "abc", "x" * 64])
def test_every_flip_of_a_single_bit_is_refused(signer: CodeSigner, buyer: str) -> None:
    content = raw(mint(signer, buyer=buyer))
    for bit in range(len(content) * 8):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InvalidCode):
            signer.read(spelled(bytes(flipped)))


@pytest.mark.parametrize("buyer", ["a", "ab", "abc"])
def test_only_one_spelling_of_a_code_is_accepted(signer: CodeSigner, buyer: str) -> None:
    """The last character of base64 may hold spare bits, which decoders ignore; so do they ignore
    padding and what is not in the alphabet, and take the other alphabet's two characters."""
    text = mint(signer, buyer=buyer, nonce=b"\xff\xfe" * 8)
    assert "_" in text
    others = [text[:-1] + last for last in ALPHABET if last != text[-1]]
    others += [text + "=", text + "==", text + "\n", " " + text, text + "\0", text.swapcase()]
    others += [text.replace("_", "/"), text[:30] + "\n" + text[30:], text[:-1], text + "A"]
    others += [text + "é", text.replace("A", "\uff21"), ""]
    for other in others:
        with pytest.raises(InvalidCode):
            signer.read(other)
    assert signer.read(text).buyer == buyer


@given(st.text(ALPHABET, min_size=55, max_size=150) | st.text())
def test_what_we_did_not_sign_is_refused(text: str) -> None:
    with pytest.raises(InvalidCode):
        CodeSigner({1: NEW}).read(text)


def test_while_keys_rotate_both_are_good_and_a_retired_one_is_not() -> None:
    before, during, after = CodeSigner({1: OLD}), CodeSigner({2: NEW, 1: OLD}), CodeSigner({2: NEW})
    old, new = mint(before), mint(during)
    assert raw(old)[1] == 1
    assert raw(new)[1] == 2
    assert during.read(old) == before.read(old)
    assert during.read(new) == after.read(new)
    with pytest.raises(InvalidCode):
        after.read(old)
    with pytest.raises(InvalidCode):
        before.read(new)


def test_a_key_that_comes_back_under_another_number_signs_other_codes() -> None:
    with pytest.raises(InvalidCode):
        CodeSigner({2: OLD}).read(mint(CodeSigner({1: OLD})))


def test_one_code_gives_one_purchase_id_and_another_nonce_another(signer: CodeSigner) -> None:
    text = mint(signer)
    ids = {signer.read(text).purchase_id for _ in range(10)}
    assert len(ids) == 1
    assert all(len(each) == 25 and each.startswith("purchase_") for each in ids)
    assert bytes.fromhex(ids.pop().removeprefix("purchase_"))
    others = {signer.read(mint(signer, nonce=bytes([n] * 16))).purchase_id for n in range(100)}
    assert len(others) == 100


def test_a_nonce_is_random_unless_given(signer: CodeSigner) -> None:
    texts = {signer.mint(starts_at=0, item=1, expires_at=1, buyer="ann") for _ in range(100)}
    assert len(texts) == 100


@pytest.mark.parametrize(
    ("starts_at", "hour"),
    [(1_640_995_200, "f498"), (1_640_998_800, "f499"), (65_536 * 3_600, "0000")],
)
def test_nonces_and_purchase_ids_begin_with_the_hour_of_their_sale(
    signer: CodeSigner, starts_at: int, hour: str
) -> None:
    """Sales of different hours share no pages of the ledger's index, and an id tells its hour."""
    text = signer.mint(starts_at=starts_at, item=7, expires_at=starts_at + 900, buyer="ann")
    code = signer.read(text)
    assert code.nonce.startswith(hour)
    assert code.purchase_id.startswith(f"purchase_{hour}")
    nonces = {new_nonce(starts_at) for _ in range(100)}
    assert all(re.fullmatch(hour + "[0-9a-f]{28}", nonce) for nonce in nonces)
    assert len({nonce[4:] for nonce in nonces}) == 100


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "5a" * 32,
        "1:" + "5a" * 31,
        "1:" + "5a" * 31 + "zz",
        "256:" + "5a" * 32,
        "-1:" + "5a" * 32,
        "one:" + "5a" * 32,
        "1:" + "5a" * 32 + ",1:" + "6b" * 32,
    ],
)
def test_wrong_keys_are_refused_by_name_and_never_shown(text: str) -> None:
    with pytest.raises(ConfigError, match="CODE_KEYS") as caught:
        CodeSigner.parse(text)
    assert "5a5a" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_the_first_key_signs() -> None:
    signer = CodeSigner.parse(f"7:{NEW.hex()}, 3:{OLD.hex()}")
    assert raw(mint(signer))[1] == 7
    assert signer.read(mint(CodeSigner({3: OLD}))).item == 7
