"""What Valkey says of the work it did between two looks."""

from dataclasses import dataclass

import redis


@dataclass(frozen=True)
class Look:
    """Counters since its start. `commands` holds calls and microseconds by name, those that a
    script called included; bytes are those of the clients' connections and of the log on disk."""

    commands: dict[str, tuple[int, int]]
    bytes_in: int
    bytes_out: int
    log_bytes: int

    @classmethod
    def at(cls, client: redis.Redis) -> "Look":
        """Look now."""
        commands = {
            name.removeprefix("cmdstat_"): (int(told["calls"]), int(told["usec"]))
            for name, told in client.info("commandstats").items()
        }
        stats, disk = client.info("stats"), client.info("persistence")
        return cls(
            commands,
            int(stats["total_net_input_bytes"]),
            int(stats["total_net_output_bytes"]),
            int(disk["aof_current_size"]),
        )

    def since(self, before: "Look") -> "Look":
        """What was done between; our own looks are left out of the commands."""
        commands = {}
        for name, (calls, us) in self.commands.items():
            calls_before, us_before = before.commands.get(name, (0, 0))
            if calls > calls_before and name not in ("info", "client|setinfo", "auth", "hello"):
                commands[name] = (calls - calls_before, us - us_before)
        return Look(
            commands,
            self.bytes_in - before.bytes_in,
            self.bytes_out - before.bytes_out,
            self.log_bytes - before.log_bytes,
        )

    @property
    def script_calls(self) -> int:
        """Calls of any Lua script."""
        return sum(self.commands.get(name, (0, 0))[0] for name in ("evalsha", "eval"))

    @property
    def script_us(self) -> int:
        """Microseconds in scripts, the commands that they call included."""
        return sum(self.commands.get(name, (0, 0))[1] for name in ("evalsha", "eval"))
