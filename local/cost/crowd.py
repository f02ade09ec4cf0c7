"""Who comes to a sale, and what waits for them."""

from dataclasses import dataclass

ITEMS = 10_000
FULL_VCPU_MB = 1_769  # Lambda gives a function CPU by its memory: with so much, one whole vCPU


@dataclass(frozen=True, kw_only=True)
class Request:
    """One kind of request, in Lambda: CPU of a warm invocation, measured by
    `python -m tests.performance.invocations`, and how often it waits for a store."""

    cpu_us: float
    scripts: float
    commits: float
    bytes_out: int


# docs/PERFORMANCE.md, "In Lambda". A refused purchase claims, and neither commits nor confirms.
CHECKOUT = Request(cpu_us=279, scripts=1, commits=0, bytes_out=700)
PURCHASE = Request(cpu_us=704, scripts=2, commits=1, bytes_out=600)
REFUSED_PURCHASE = Request(cpu_us=400, scripts=1, commits=0, bytes_out=500)
READ = Request(cpu_us=164, scripts=1, commits=0, bytes_out=700)


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """`requests` of `buyers` in one sale: each buyer looks once, some of the codes are purchased,
    and the rest of the requests are checkouts."""

    buyers: int = 100_000
    requests: int = 10_000_000
    purchases: int = 50_000
    sold: int = ITEMS
    cold: float = 0.001
    """Part of the invocations that start an environment."""

    def __post_init__(self) -> None:
        if not 0 <= self.sold <= min(self.purchases, ITEMS):
            raise ValueError(f"sold is not between 0 and purchases, nor {ITEMS}")
        if self.requests < self.buyers + self.purchases:
            raise ValueError("requests are less than a look of each buyer, and the purchases")

    def parts(self) -> dict[str, tuple[int, Request]]:
        """How many requests of each kind."""
        checkouts = self.requests - self.buyers - self.purchases
        return {
            "checkout": (checkouts, CHECKOUT),
            "purchase, sold": (self.sold, PURCHASE),
            "purchase, refused": (self.purchases - self.sold, REFUSED_PURCHASE),
            "stats": (self.buyers, READ),
        }


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What stands by, as samconfig.toml has it; stores as the template names them."""

    redis_node: str
    db_instance: str
    storage_gb: int
    zones: int
    warm: int = 0
    """Environments of provisioned concurrency, for a quarter of each hour."""
    edge: bool = False
    memory_mb: int = 512
    redis_ms: float = 0.8
    """A round trip to Redis in the same region, over TLS."""
    commit_ms: float = 5.0
    """A commit that a standby in another zone has, through the proxy."""
    cold_ms: float = 600.0

    def milliseconds(self, request: Request) -> float:
        """What Lambda bills for one warm invocation, whole milliseconds."""
        cpu_ms = request.cpu_us / 1_000 * max(1.0, FULL_VCPU_MB / self.memory_mb)
        waits_ms = request.scripts * self.redis_ms + request.commits * self.commit_ms
        return float(-(-(cpu_ms + waits_ms) // 1))


STAGES = {
    "dev": Stage(redis_node="cache.t4g.micro", db_instance="db.t4g.micro", storage_gb=20, zones=1),
    "staging": Stage(
        redis_node="cache.t4g.small", db_instance="db.t4g.medium", storage_gb=50, zones=2
    ),
    "prod": Stage(
        redis_node="cache.m7g.large",
        db_instance="db.m7g.large",
        storage_gb=100,
        zones=2,
        warm=150,
    ),
}
