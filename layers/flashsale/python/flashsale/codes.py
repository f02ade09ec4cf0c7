"""Checkout codes: signed tickets that carry all that a purchase needs, so that no store keeps them.

Layout, before base64url without padding: version (1 byte), key id (1), sale's start (4, Unix
seconds), item (2), expiry (4, Unix seconds), nonce (16), buyer (1 to 64 ASCII), tag (16: the first
half of HMAC-SHA256 over all before it). Integers are big-endian. The nonce is the idempotency key
of the purchase, and the purchase's id derives from it. Both begin with the number of the sale's
hour: so they lie together in the ledger's index, and tell whoever has only a purchase's id which
sale to look in.
"""

import base64
import binascii
import hmac
import os
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from flashsale.errors import ConfigError, InvalidCode, UnknownKey

_VERSION = 1
_HEAD = struct.Struct(">BBIHI16s")
_TAG_BYTES = 16
_ALPHABET = re.compile(r"[A-Za-z0-9_-]{60,144}")
_HOURS = 65_536  # what two bytes hold: it begins anew after seven years


@dataclass(frozen=True, slots=True)
class CheckoutCode:
    """What a code says. Times are Unix seconds, `nonce` is 32 hex digits."""

    starts_at: int
    item: int
    expires_at: int
    nonce: str
    buyer: str
    purchase_id: str


class CodeSigner:
    """Mints and reads codes. The first key signs, every key reads, so that keys can rotate."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        if not keys:
            raise ConfigError("CODE_KEYS is empty, so no checkout code can be signed")
        # Each key's part of the digest is computed once, and copied.
        self._macs = {key_id: hmac.new(key, digestmod="sha256") for key_id, key in keys.items()}
        self._signing_id = next(iter(self._macs))

    @classmethod
    def parse(cls, text: str) -> "CodeSigner":
        """Make a signer from `id:hex,id:hex`; ids are 0 to 255, keys 32 bytes or more."""
        keys: dict[int, bytes] = {}
        for part in filter(None, text.split(",")):
            key_id, _, digits = part.strip().partition(":")
            try:
                key = bytes.fromhex(digits)
                number = int(key_id)
            except ValueError:
                raise ConfigError("CODE_KEYS is not of the form id:hex,id:hex") from None
            if len(key) < 32 or not 0 <= number <= 255 or number in keys:
                raise ConfigError(
                    "CODE_KEYS wants ids from 0 to 255, each once, and keys of at least 32 bytes"
                )
            keys[number] = key
        return cls(keys)

    def mint(
        self, *, starts_at: int, item: int, expires_at: int, buyer: str, nonce: bytes | None = None
    ) -> str:
        """Sign a new code. `nonce` is 16 bytes, new ones unless given."""
        key_id = self._signing_id
        nonce = nonce or bytes.fromhex(new_nonce(starts_at))
        head = _HEAD.pack(_VERSION, key_id, starts_at, item, expires_at, nonce)
        body = head + buyer.encode("ascii")
        tag = _digest(self._macs[key_id], body)[:_TAG_BYTES]
        return base64.urlsafe_b64encode(body + tag).rstrip(b"=").decode("ascii")

    def derived(self, purpose: str) -> bytes:
        """A key of 32 bytes for something else, the same wherever the first key is."""
        return _digest(self._macs[self._signing_id], b"derived " + purpose.encode("ascii"))

    def read(self, text: str) -> CheckoutCode:
        """Check a code's signature and say what it holds; touches no store.

        Raises:
            InvalidCode: the code is not one of ours, in exactly the spelling it was given in.
            UnknownKey: it would have to be signed by a key that we don't have.
        """
        if not _ALPHABET.fullmatch(text):
            raise InvalidCode
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except binascii.Error:
            raise InvalidCode from None
        body, tag = raw[:-_TAG_BYTES], raw[-_TAG_BYTES:]
        mac = self._macs.get(body[1])
        if body[0] != _VERSION:
            raise InvalidCode
        if mac is None:
            raise UnknownKey
        if not hmac.compare_digest(_digest(mac, body)[:_TAG_BYTES], tag):
            raise InvalidCode
        # base64 lets the last character's spare bits vary; one code has one spelling.
        if base64.urlsafe_b64encode(raw).rstrip(b"=") != text.encode("ascii"):
            raise InvalidCode
        _, _, starts_at, item, expires_at, nonce = _HEAD.unpack_from(body)
        return CheckoutCode(
            starts_at=starts_at,
            item=item,
            expires_at=expires_at,
            nonce=nonce.hex(),
            buyer=body[_HEAD.size :].decode("ascii"),
            purchase_id=_purchase_id(mac, nonce, starts_at),
        )


def new_nonce(starts_at: int) -> str:
    """Make the nonce of a new code: 32 hex digits, four for the sale's hour and the rest random."""
    return _hour(starts_at) + os.urandom(14).hex()


def _digest(mac: hmac.HMAC, message: bytes) -> bytes:
    mac = mac.copy()
    mac.update(message)
    return mac.digest()


def _purchase_id(mac: hmac.HMAC, nonce: bytes, starts_at: int) -> str:
    digest = _digest(mac, b"purchase" + nonce)
    return f"purchase_{_hour(starts_at)}{digest[:6].hex()}"


def _hour(starts_at: int) -> str:
    return f"{starts_at // 3_600 % _HOURS:04x}"
