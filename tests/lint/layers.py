#!/usr/bin/env python3
"""Do the layers hold?  tests/lint/layers.py BUILD_DIRECTORY

The table of src/README.md names each room (a folder of src/), from the ground up, and what it may include. Reported are:
a room that is in no row, or may include one above its own; an include that its room's row does not allow; an include of
another room's private header (one beside its .c files); and files that call each other in a circle, as the symbols of
the object files tell. `nm` is the only tool that is needed."""
import pathlib
import re
import subprocess
import sys

ROW = re.compile(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", re.M)


def rooms():
    """Each room's name, from the ground up, and the rooms that it may include."""
    rows = ROW.findall(pathlib.Path("src/README.md").read_text())
    return {name: set(re.findall(r"`(\w+)`", allowed)) for name, allowed in rows}


def check_table(table):
    for path in sorted(pathlib.Path("src").iterdir()):
        if path.is_dir() and path.name not in table:
            yield f"src/README.md: the table of layers has no row for {path}"
    below = set()
    for name, allowed in table.items():
        for other in sorted(allowed - below):
            yield f"src/README.md: {name} may include {other}, which is no room below it"
        below.add(name)


def check_includes(table):
    for path in sorted([*pathlib.Path("src").rglob("*.[ch]"), *pathlib.Path("include").rglob("*.h")]):
        room = path.parts[1]
        if room not in table:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = re.match(r'#include "(\w+)/(.*)"', line)
            other = found and found[1]
            if not found or other == room or (path.parent / other).is_dir():
                continue
            if other not in table[room]:
                yield f"{path}:{number}: {room} may not include {other} (the table of layers in src/README.md)"
            elif not pathlib.Path("include", other, found[2]).exists():
                yield f"{path}:{number}: {other}/{found[2]} is private to {other}"


def calls(build):
    """Which object file uses symbols of which others."""
    owner, uses = {}, {}
    for path in sorted(pathlib.Path(build, "src").rglob("*.o")):
        source = path.relative_to(build).with_suffix(".c")
        if not source.exists():
            continue
        for line in subprocess.run(["nm", path], check=True, capture_output=True, text=True).stdout.splitlines():
            kind, symbol = line.split()[-2:]
            if kind == "U":
                uses.setdefault(source, set()).add(symbol)
            elif kind.isupper():
                owner[symbol] = source
    return {file: {owner[s] for s in symbols if s in owner} - {file} for file, symbols in uses.items()}


def circles(graph):
    """Sets of files of which each reaches each other."""
    reach = {file: set(others) for file, others in graph.items()}
    for middle in graph:
        for file in graph:
            if middle in reach[file]:
                reach[file] |= reach[middle]
    seen = set()
    for file in sorted(graph):
        if file in reach[file] and file not in seen:
            ring = {other for other in reach[file] if file in reach.get(other, ())}
            seen |= ring
            yield "files call each other in a circle: " + ", ".join(map(str, sorted(ring)))


def main():
    table = rooms()
    faults = [*check_table(table), *check_includes(table), *circles(calls(sys.argv[1]))]
    print(*faults, sep="\n", end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
