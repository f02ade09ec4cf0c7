"""Where everything is, as curl, redis-cli and psql take it."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, unquote, urlsplit

Environment = Mapping[str, str]


def gateway_url(environment: Environment) -> str:
    """The gateway's base URL, as a client on this machine reaches it."""
    host = environment.get("HOST", "127.0.0.1")
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - a comparison
    return f"http://{shown}:{environment.get('PORT', '8080')}"


def addresses(environment: Environment) -> dict[str, str]:
    """The URLs of the gateway, Redis and PostgreSQL; the stores' hold their passwords."""
    return {
        "gateway": gateway_url(environment),
        "redis": _redis_url(environment),
        "postgres": _postgres_url(environment),
    }


def store_variables(urls: Mapping[str, str]) -> dict[str, str]:
    """The way back: the settings that lead to the stores at these URLs."""
    redis, postgres = urlsplit(urls["redis"]), urlsplit(urls["postgres"])
    return {
        "REDIS_ADDR": redis.netloc.rpartition("@")[2],
        "REDIS_USERNAME": unquote(redis.username or ""),
        "REDIS_PASSWORD": unquote(redis.password or ""),
        "REDIS_DB": redis.path[1:] or "0",
        "REDIS_TLS": "on" if redis.scheme == "rediss" else "off",
        "DB_HOST": postgres.hostname or "",
        "DB_PORT": str(postgres.port or 5432),
        "DB_USER": unquote(postgres.username or ""),
        "DB_PASSWORD": unquote(postgres.password or ""),
        "DB_NAME": unquote(postgres.path[1:]),
        "DB_SSLMODE": dict(parse_qsl(postgres.query)).get("sslmode", "disable"),
    }


def _redis_url(environment: Environment) -> str:
    scheme = "rediss" if environment.get("REDIS_TLS") == "on" else "redis"
    login = _login(environment.get("REDIS_USERNAME", ""), environment.get("REDIS_PASSWORD", ""))
    return f"{scheme}://{login}{environment['REDIS_ADDR']}/{environment.get('REDIS_DB', '0')}"


def _postgres_url(environment: Environment) -> str:
    login = _login(environment.get("DB_USER", "flashsale"), environment.get("DB_PASSWORD", ""))
    place = f"{environment['DB_HOST']}:{environment.get('DB_PORT', '5432')}"
    mode = environment.get("DB_SSLMODE", "disable")
    query = "" if mode == "disable" else f"?sslmode={mode}"
    return f"postgresql://{login}{place}/{_quoted(environment.get('DB_NAME', 'flashsale'))}{query}"


def _login(user: str, password: str) -> str:
    if not password:
        return f"{_quoted(user)}@" if user else ""
    return f"{_quoted(user)}:{_quoted(password)}@"


def _quoted(text: str) -> str:
    return quote(text, safe="")
