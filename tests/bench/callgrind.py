"""Counts what a request costs in the gateway's process, and not in the kernel, by callgrind."""

import itertools
import pathlib
import re
import socket
import subprocess
import sys
import typing
from collections.abc import Iterable, Iterator

import harness

WARMING, COUNTED = 300, 1000
ALLOCATOR = r"(mi_)?(malloc|calloc|realloc|malloc_aligned)"


class Cost(typing.NamedTuple):
    instructions: float
    allocations: float


def control(process: subprocess.Popen, order: str) -> None:
    subprocess.run(
        ["callgrind_control", order, str(process.pid)],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60,
    )


def allocations(dump: str) -> int:
    """How often the allocator was asked for memory, by who called it."""
    names, called, count = {}, "", 0
    for line in dump.splitlines():
        if found := re.match(r"c?fn=\((\d+)\)(?: (.*))?", line):
            if found[2]:
                names[found[1]] = found[2]
            called = names[found[1]] if line.startswith("c") else ""
        elif line.startswith("calls=") and re.fullmatch(ALLOCATOR, called):
            count += int(line[6:].split()[0])
    return count


def cost(text: str) -> Cost:
    """What one request of those costs that a dump counts."""
    total = int(re.search(r"^(?:summary|totals): (\d+)", text, re.M)[1])
    return Cost(total / COUNTED, round(allocations(text) / COUNTED, 2))


def ask(connection: socket.socket, stream: typing.BinaryIO, wires: Iterable[bytes], status: int | None = None) -> None:
    """Sends these requests one after the other; each must be answered, and with the status if there is one."""
    for wire in wires:
        connection.sendall(wire)
        got = harness.read_message(stream)
        if not got:
            sys.exit("a request was not answered")
        if status and got.status != status:
            sys.exit(f"a request was answered {got.status}: {got.body.decode()}")


def turns(wires: list[bytes], count: int) -> Iterator[bytes]:
    """So many requests, these in turn, again and again."""
    return itertools.islice(itertools.cycle(wires), count)


def costs(binary: str, folder: pathlib.Path, text: str, kinds: dict[str, list[bytes]], status: int | None = None) -> dict[str, Cost]:
    """The cost of a request of each kind, all in one life with this configuration, after some for warming up.

    The requests of a kind are sent in turn. With a status each must be answered so.
    """
    out = folder / "callgrind.out"
    counted = {}
    with harness.running(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", binary], folder, text) as (process, port):
        with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as stream:
            for number, (kind, wires) in enumerate(kinds.items(), 1):
                sent = turns(wires, WARMING + COUNTED)
                for count in (WARMING, COUNTED):
                    control(process, "--zero")
                    ask(connection, stream, itertools.islice(sent, count), status)
                control(process, "--dump")
                counted[kind] = cost((folder / f"callgrind.out.{number}").read_text())
    return counted
