"""The keys of checkout codes as they are now: they may change while a process lives."""

import asyncio
import time
from collections.abc import Callable

from flashsale.codes import CheckoutCode, CodeSigner
from flashsale.config import Settings
from flashsale.errors import ConfigError, Unavailable, UnknownKey
from flashsale.logs import logger
from flashsale.secrets import KEPT_SECONDS, code_keys

# Whoever makes keys up may make us ask this often, and no more.
_PAUSE_SECONDS = 1.0


class Keyring:
    """Mints and reads codes. Keys from CODE_KEYS stay as they are. Keys from a secret are fetched
    when first needed, again after five minutes, and at once when a code names one that is not known
    yet: then they have just been rotated, and somebody else was told before us."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises:
        ConfigError: CODE_KEYS is wrong.
        """
        self._settings = settings
        self._clock = clock
        self._rotates = bool(settings.code_keys_secret and not settings.code_keys)
        self._fetched_at = 0.0
        self._renewing: asyncio.Task[None] | None = None
        self._signer: CodeSigner | None = None
        self._bucket_key = b""
        if not self._rotates:
            self._adopt(settings.code_keys)

    @property
    def signer(self) -> CodeSigner:
        """Who signs now.

        Raises:
            ConfigError: the secret can't be read, or holds no keys.
        """
        if self._signer is None:
            self._fetched_at = self._clock()
            self._adopt(code_keys(self._settings))
        elif self._rotates and self._clock() - self._fetched_at > KEPT_SECONDS:
            self._renew()
        assert self._signer is not None  # noqa: S101 - adopted
        return self._signer

    def bucket_key(self) -> bytes:
        """A secret of 32 bytes, the same wherever the first key is."""
        if not self._bucket_key:
            self._bucket_key = self.signer.derived("rates")
        return self._bucket_key

    async def read(self, text: str) -> CheckoutCode:
        """Check a code's signature and say what it holds.

        Raises:
            InvalidCode: the code is not one of ours.
            Unavailable: its key may be one that was made within the last second, or can't be
                fetched now; nothing final is said.
        """
        signer = self.signer
        try:
            return signer.read(text)
        except UnknownKey:
            if not self._rotates:
                raise
            if self._renewing is None and self._clock() - self._fetched_at < _PAUSE_SECONDS:
                raise Unavailable from None
            await asyncio.shield(self._renew())
        if self._signer is signer:
            raise Unavailable
        return self.signer.read(text)

    async def settled(self) -> None:
        """Wait for a renewal that is under way."""
        if self._renewing is not None:
            await asyncio.wait([self._renewing])

    def _renew(self) -> "asyncio.Task[None]":
        """Fetch the keys again, for all who want it at once."""
        if self._renewing is None:
            self._fetched_at = self._clock()
            self._renewing = asyncio.get_running_loop().create_task(self._fetch())
        return self._renewing

    async def _fetch(self) -> None:
        try:
            keys = await asyncio.to_thread(code_keys, self._settings, fresh=True)
            self._adopt(keys)
        except ConfigError as error:  # those that we have are good, and are kept
            logger().error("code keys not renewed", extra={"reason": str(error)})
        finally:
            self._renewing = None

    def _adopt(self, keys: str) -> None:
        self._signer, self._bucket_key = CodeSigner.parse(keys), b""
