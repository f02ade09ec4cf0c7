"""What the user chose for a run."""

from dataclasses import dataclass

from local.bench.address import Address
from local.bench.scenario import Scenario


@dataclass(frozen=True)
class Options:
    """What the user chose. `rate` is in visits a second; for mixed it is the capacity."""

    scenario: Scenario
    address: Address
    seconds: float
    users: int
    connections: int  # open loop only
    processes: int
    rate: float | None
    times: float
    give_up_seconds: float
    wait: bool
