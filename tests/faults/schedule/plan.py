"""What a seed stands for: the size of a run, its buyers and the faults that will strike."""

from dataclasses import dataclass
from random import Random

# How often each kind is drawn. A fault of Redis and one of PostgreSQL may strike together; two of
# one store follow each other.
REDIS_KINDS = {
    "valkey_kill": 3,
    "valkey_stop": 2,
    "flushall": 3,
    "flush_storm": 2,
    "aof_tail": 3,
    "failover": 3,
    "split": 3,
    "script_flush": 1,
    "maxmemory": 1,
    "redis_cut": 1,
    "redis_delay": 1,
    "redis_hole": 2,
    "redis_ackloss": 2,
}
POSTGRES_KINDS = {
    "postgres_kill": 3,
    "postgres_stop": 2,
    "postgres_terminate": 2,
    "postgres_cut": 1,
    "postgres_delay": 1,
    "postgres_hole": 3,
    "postgres_ackloss": 3,
}
SERVICE_KINDS = {"crash": 5, "crash_in_rebuild": 3, "clock": 2}
KINDS = REDIS_KINDS | POSTGRES_KINDS | SERVICE_KINDS
NEED_REPLICA = {"failover", "split"}
# What lasts: shorter or longer than our time-outs and breakers, as luck will have it.
STRIKE_SECONDS = (0.05, 1.0)


@dataclass(frozen=True)
class Strike:
    """One fault: when it begins and how long it lasts, in seconds, and whom it hits: the service
    number `victim`, or all of them (None). `luck` decides what the kind leaves open."""

    kind: str
    at: float
    seconds: float
    victim: int | None
    luck: float

    def __str__(self) -> str:
        whom = "all" if self.victim is None else f"service {self.victim}"
        return f"{self.at:.3f} s  {self.kind} for {self.seconds * 1_000:.0f} ms, {whom}"


@dataclass(frozen=True)
class Plan:
    """Everything about a run that its seed decides."""

    seed: int
    items: int
    services: int
    buyers: int
    seconds: float
    attempts_mode: str
    code_seconds: int
    settled_by_newcomer: bool
    strikes: tuple[Strike, ...]

    @property
    def quiet(self) -> bool:
        return not self.strikes

    @property
    def with_replica(self) -> bool:
        return any(strike.kind in NEED_REPLICA for strike in self.strikes)

    def summary(self) -> str:
        """The run in a few lines."""
        head = (
            f"seed {self.seed}: {self.items} items, {self.services} services, {self.buyers} buyers,"
            f" {self.seconds:.1f} s, attempts by {self.attempts_mode}, codes live"
            f" {self.code_seconds} s"
        )
        return "\n".join([head, *(f"  {strike}" for strike in self.strikes)])

    @classmethod
    def of(cls, seed: int) -> "Plan":
        dice = Random(seed)
        seconds = dice.uniform(1.2, 1.8)
        services = dice.choice((2, 2, 3))
        return cls(
            seed=seed,
            items=60,
            services=services,
            buyers=dice.randint(20, 40),
            seconds=seconds,
            attempts_mode=dice.choice(("ledger", "ledger", "stream")),
            # Codes that die before the run is over, or live longer than it.
            code_seconds=dice.choice((1, 2, 900)),
            settled_by_newcomer=dice.random() < 0.5,
            strikes=_strikes(dice, seconds=seconds, services=services),
        )


def _strikes(dice: Random, *, seconds: float, services: int) -> tuple[Strike, ...]:
    """None at all in one run of ten; else one to five."""
    count = dice.choice((0, 1, 1, 2, 2, 3, 3, 3, 4, 5))
    drawn: list[Strike] = []
    while len(drawn) < count:
        (kind,) = dice.choices(list(KINDS), weights=list(KINDS.values()))
        if kind in NEED_REPLICA and any(strike.kind in NEED_REPLICA for strike in drawn):
            continue  # there is one replica
        one_service = kind in SERVICE_KINDS or dice.random() < 0.4
        drawn.append(
            Strike(
                kind=kind,
                at=dice.uniform(0.1, seconds * 0.8),
                seconds=dice.uniform(*STRIKE_SECONDS),
                victim=dice.randrange(services) if one_service else None,
                luck=dice.random(),
            )
        )
    return tuple(sorted(drawn, key=lambda strike: strike.at))
