"""Makes the passwords and keys of a deployment, once: `python -m infra.compose.passwords`.

Each goes to a file of its own under SECRETS_DIR (/run/flashsale), and stays there:

    all/        every secret, for its owner alone: what goes to Secrets Manager is read from here
    postgres/   the passwords of PostgreSQL's users
    redis/      users.acl, made anew each time: hashes, and the rules of this version
    viewer/     the passwords of those who may only look
"""

import hashlib
import os
import secrets
from pathlib import Path

RULES = Path(__file__).parent / "valkey/users.acl"
POSTGRES = ("postgres-superuser", "postgres-owner", "postgres-serving", "postgres-read")
REDIS = ("redis-service", "redis-operator", "redis-viewer")
VIEWER = ("postgres-read", "redis-viewer")
CODE_KEYS = "code-keys"


def make(root: Path) -> None:
    """Make what is missing. The folders exist: they are volumes."""
    for name in (*POSTGRES, *REDIS):
        _keep(root / "all" / name, secrets.token_hex(32))
    _keep(root / "all" / CODE_KEYS, f"1:{secrets.token_hex(32)}")
    for folder, names in (("postgres", POSTGRES), ("viewer", VIEWER)):
        for name in names:
            _write(root / folder / name, (root / "all" / name).read_text(), mode=0o444)
    hashes = {
        name.removeprefix("redis-"): hashlib.sha256((root / "all" / name).read_bytes()).hexdigest()
        for name in REDIS
    }
    _write(root / "redis/users.acl", users_acl(hashes), mode=0o444)


def users_acl(hashes: dict[str, str]) -> str:
    """Valkey's users, by the hashes of their passwords. Its format has no comments."""
    rules = [line for line in RULES.read_text().splitlines() if not line.startswith("#")]
    return "\n".join(rules).format(**hashes) + "\n"


def _keep(file: Path, secret: str) -> None:
    if not file.exists():
        _write(file, secret, mode=0o400)


def _write(file: Path, text: str, *, mode: int) -> None:
    """Whole or not at all: a start that is cut off leaves no half of a password."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    new.chmod(mode)
    new.replace(file)


if __name__ == "__main__":
    make(Path(os.environ.get("SECRETS_DIR", "/run/flashsale")))
