"""`python -m tests.local.fuzz`: sends a gateway what may or may not be HTTP, and minds its answers.

Each case is a connection: a few requests of SEEDS, damaged at random. Whatever it is, the answer is
no 5xx, comes and ends in time, and leaves no memory behind. The seed shown repeats a run.
"""

import argparse
import asyncio
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil

HANGS_SECONDS = 15.0
SEEDS = [
    b"GET /stats HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /items?from=1&limit=3 HTTP/1.1\r\nHost: a:80\r\nAccept: */*\r\nCookie: a=b; c=d\r\n\r\n",
    b"GET http://a/items/7?x HTTP/1.1\r\nHost: b\r\nConnection: keep-alive\r\n\r\n",
    b"POST /checkout?user_id=fuzz&id=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    b"POST /purchase?code=abc HTTP/1.1\r\nHost: [::1]:80\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
    b"POST /checkout HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    b"POST /n HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0;x\r\nT:\r\n\r\n",
    b"PUT /items/1 HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n{}\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    bytes.fromhex("160301002d010000290303") + bytes(34),
]
WORDS = [
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b"%", b"#", b"?", b"\xff\xfe"),
    *(
        b"\r\n\r\n",
        b"Host: a\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: -1\r\n",
        b"0\r\n\r\n",
    ),
    *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: \x0bchunked\r\n", b"%00", b"%2e%2e/"),
    *(b"HTTP/1.1", b"HTTP/9.9", b"CONNECT ", b"TRACE ", b"ffffffffffffffff\r\n", b"a" * 9_000),
    *(b"Expect: x\r\n", b"Connection: close\r\n", b" HTTP/1.1\r\n", b"X: y\r\n" * 70),
]
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


@dataclass
class Findings:
    """What a run has seen: how often each status came, and the cases that went wrong."""

    statuses: Counter[int] = field(default_factory=Counter)
    unanswered: int = 0
    wrong: list[tuple[str, bytes]] = field(default_factory=list)


def case(chance: random.Random) -> bytes:
    """What one connection sends."""
    if chance.random() < 0.1:
        return chance.randbytes(chance.randrange(1, 400))
    sent = bytearray(b"".join(chance.choices(SEEDS, k=chance.randrange(1, 4))))
    for _ in range(chance.randrange(0, 5)):
        at = chance.randrange(len(sent) + 1)
        end = min(len(sent), at + chance.randrange(1, 20))
        match chance.randrange(6):
            case 0:
                sent[at:at] = chance.choice(WORDS)
            case 1:
                del sent[at:end]
            case 2:
                sent[at:at] = sent[at:end]
            case 3:
                sent[at:end] = chance.randbytes(end - at)
            case 4:
                del sent[max(1, at) :]
            case _:
                sent[at:end] = sent[at:end].swapcase()
    return bytes(sent)


async def send(port: int, sent: bytes, chance: random.Random, findings: Findings) -> None:
    """One connection, in one piece or several; mostly it says that it is done."""
    done = chance.random() < 0.97
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    try:
        async with asyncio.timeout(HANGS_SECONDS):
            pieces = chance.choice((1, 1, 2, 5))
            size = -(-len(sent) // pieces) or 1
            for start in range(0, len(sent), size):
                writer.write(sent[start : start + size])
                await writer.drain()
                if pieces > 1:
                    await asyncio.sleep(0)
            if done:
                writer.write_eof()
            while part := await reader.read(65_536):
                received += part
    except TimeoutError:
        if done or not received:  # else it may wait for the next request
            findings.wrong.append(("it hangs", sent))
    except OSError:
        pass  # reset: it has sent more than anybody would read
    finally:
        writer.close()
    statuses = [int(status) for status in _STATUS.findall(received)]
    findings.statuses.update(statuses)
    findings.unanswered += not statuses
    if any(status >= 500 for status in statuses):
        findings.wrong.append((f"it is answered {statuses}", sent))
    if received and not received.startswith(b"HTTP/1.1 "):
        findings.wrong.append((f"it is answered {received[:40]!r}", sent))


async def run(port: int, *, rounds: int, seed: int, at_once: int = 16) -> Findings:
    """So many connections, `at_once` at a time."""
    findings = Findings()
    numbers = iter(range(rounds))

    async def worker() -> None:
        for number in numbers:
            chance = random.Random(f"{seed}/{number}")
            await send(port, case(chance), chance, findings)

    await asyncio.gather(*(worker() for _ in range(at_once)))
    return findings


def memory(port: int) -> int:
    """Bytes of memory, RSS, of all processes that listen on the port."""
    listening = {
        each.pid
        for each in psutil.net_connections("tcp")
        if each.status == psutil.CONN_LISTEN and each.laddr[1:] == (port,)
    }
    return sum(psutil.Process(pid).memory_info().rss for pid in listening if pid)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, or 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="of a gateway that runs here")
    parser.add_argument("--rounds", type=int, default=20_000, help="connections (20000)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the run")
    asked = parser.parse_args(arguments)
    print(f"seed {asked.seed}")
    asyncio.run(run(asked.port, rounds=min(asked.rounds, 5_000), seed=asked.seed + 1))
    before, began = memory(asked.port), time.monotonic()
    findings = asyncio.run(run(asked.port, rounds=asked.rounds, seed=asked.seed))
    grown = (memory(asked.port) - before) / 1e6
    print(
        f"{asked.rounds} connections in {time.monotonic() - began:.0f} s; grown by {grown:.1f} MB"
    )
    print(f"{findings.unanswered} unanswered; {dict(sorted(findings.statuses.items()))}")
    for what, sent in findings.wrong:
        print(f"{what}: {sent!r}")
    return int(bool(findings.wrong))


if __name__ == "__main__":
    sys.exit(main())
