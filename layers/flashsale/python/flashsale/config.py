"""The settings: every environment variable the service reads, with its unit, bounds and default."""

import os
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any

from flashsale.errors import ConfigError


def setting(
    default: Any,
    doc: str,
    *,
    minimum: int | None = None,
    maximum: int | None = None,
    choices: tuple[str, ...] = (),
    address: bool = False,
    secret: bool = False,
) -> Any:
    """Declare one setting; its variable is the field's name in capitals."""
    metadata = {
        "doc": doc,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
        "address": address,
        "secret": secret,
    }
    return field(default=default, metadata=metadata, repr=not secret)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of the service. Read once, by `Settings.read`, when something is first used."""

    redis_addr: str = setting("127.0.0.1:6379", "Redis or Valkey, as host:port", address=True)
    redis_username: str = setting("", "Redis ACL user; empty: the default user")
    redis_password: str = setting("", "Redis password; empty: none", secret=True)
    redis_db: int = setting(0, "Redis database number", minimum=0, maximum=15)
    redis_tls: str = setting("off", "TLS to Redis", choices=("off", "on"))
    redis_timeout_ms: int = setting(1_000, "longest wait for Redis, ms", minimum=10, maximum=10_000)
    redis_persistence: str = setting(
        "required",
        "whether /health wants the append-only file on; optional suits a managed Redis without one",
        choices=("required", "optional"),
    )

    db_host: str = setting("127.0.0.1", "PostgreSQL host")
    db_port: int = setting(5432, "PostgreSQL port", minimum=1, maximum=65_535)
    db_user: str = setting("flashsale", "PostgreSQL user")
    db_password: str = setting("", "PostgreSQL password", secret=True)
    db_name: str = setting("flashsale", "PostgreSQL database")
    db_sslmode: str = setting(
        "disable",
        "TLS to PostgreSQL, as libpq names it",
        choices=("disable", "require", "verify-full"),
    )
    db_timeout_ms: int = setting(
        2_000, "longest run of one SQL statement, ms", minimum=50, maximum=30_000
    )

    code_keys: str = setting(
        "",
        "keys that sign checkout codes, as id:hex of 32 bytes, comma between; the first one signs",
        secret=True,
    )
    code_keys_secret: str = setting("", "Secrets Manager secret that holds CODE_KEYS instead")
    db_secret: str = setting("", "Secrets Manager secret with username and password for PostgreSQL")
    redis_secret: str = setting("", "Secrets Manager secret with username and password for Redis")
    code_seconds: int = setting(900, "life of a checkout code, s", minimum=1, maximum=3_600)

    sale_seconds: int = setting(3_600, "length of a sale, s", minimum=1, maximum=86_400)
    items_per_sale: int = setting(10_000, "items in a sale", minimum=1, maximum=10_000)
    prepare_ahead_seconds: int = setting(
        900, "how long before its start a sale is prepared, s", minimum=0, maximum=86_400
    )
    lease_ms: int = setting(
        5_000, "how long a claim waits for the ledger, ms", minimum=50, maximum=60_000
    )
    keep_seconds: int = setting(
        7_200, "how long Redis keeps a sale after its end, s", minimum=0, maximum=604_800
    )
    attempts_mode: str = setting(
        "ledger",
        "where a checkout attempt is kept before the reply: PostgreSQL, or a stream in Redis",
        choices=("ledger", "stream"),
    )
    stream_max: int = setting(
        200_000, "most attempts that wait in Redis before 503", minimum=1, maximum=10_000_000
    )
    attempts_kept_days: int = setting(
        30, "how long checkout attempts are kept, days", minimum=1, maximum=3_650
    )

    batch_max: int = setting(
        200, "most calls that share one script call or commit", minimum=1, maximum=1_000
    )
    gather_ms: int = setting(
        8, "longest that a commit waits for a crowd to join it, ms", minimum=0, maximum=100
    )
    waiting_max: int = setting(
        5_000, "most calls that wait for one store before 503", minimum=1, maximum=100_000
    )

    auth: str = setting(
        "none",
        "who may buy: anybody in any name, or the subject of the token that the gateway checked",
        choices=("none", "jwt"),
    )
    rate_buyer: int = setting(
        200,
        "checkouts, and purchases, that one buyer may ask for a second; 0: no limit",
        minimum=0,
        maximum=1_000_000,
    )
    rate_buyer_burst: int = setting(
        1_000, "the same at once, after a pause", minimum=1, maximum=1_000_000
    )
    rate_address: int = setting(
        0,
        "checkouts and purchases a second from one source address; 0: no limit",
        minimum=0,
        maximum=1_000_000,
    )
    rate_address_burst: int = setting(
        1_000, "the same at once, after a pause", minimum=1, maximum=1_000_000
    )
    rate_all: int = setting(
        0,
        "checkouts and purchases a second of everybody together; 0: no limit",
        minimum=0,
        maximum=1_000_000,
    )
    rate_all_burst: int = setting(
        10_000, "the same at once, after a pause", minimum=1, maximum=1_000_000
    )
    degraded_max: int = setting(
        500, "most calls at once that PostgreSQL answers for Redis", minimum=1, maximum=100_000
    )

    service_name: str = setting("flashsale", "which service this is, among others, in the metrics")
    log_level: str = setting(
        "INFO", "least level that is logged", choices=("DEBUG", "INFO", "WARNING", "ERROR")
    )
    log_file: str = setting("", "file for the log lines; empty: standard output")

    aws_lambda_function_name: str = setting("", "set by Lambda itself; empty elsewhere")
    host: str = setting("127.0.0.1", "address the local gateway listens on")
    port: int = setting(8_080, "port the local gateway listens on", minimum=1, maximum=65_535)
    workers: int = setting(2, "processes of the local gateway", minimum=1, maximum=64)
    data_dir: str = setting(".flashsale", "folder of the local data, logs and keys")
    routes: str = setting("", "the template's paths and methods, for the answer 405")

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read and check every setting; an empty variable counts as not set.

        Raises:
            ConfigError: names the first wrong variable, its value and the reason.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for known in fields(cls):
            text = environ.get(known.name.upper(), "")
            if text:
                values[known.name] = _parse(known, text)
        return cls(**values)


def _parse(known: Field[Any], text: str) -> Any:
    name, rules = known.name.upper(), known.metadata
    shown = "(hidden)" if rules["secret"] else repr(text)
    if known.type is int:
        if not _is_number(text):
            raise ConfigError(f"{name} is {shown}, which is not a whole number")
        value, low, high = int(text), rules["minimum"], rules["maximum"]
        if not low <= value <= high:
            raise ConfigError(f"{name} is {shown}, which is not between {low} and {high}")
        return value
    if rules["choices"] and text not in rules["choices"]:
        raise ConfigError(f"{name} is {shown}, which is not one of {', '.join(rules['choices'])}")
    if rules["address"]:
        host, _, port = text.rpartition(":")
        if not (host and _is_number(port) and 1 <= int(port) <= 65_535):
            raise ConfigError(f"{name} is {shown}, which is not of the form host:port")
    return text


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
