"""Proves that what the log writer wrote came out: nothing lost, doubled, reordered or mangled.

The lines are those of tests/integration/app/line.h. What comes in are records (JSON lines as dicts, or bare text);
what was written is told by `expect`. Nothing is kept for a line which came as it should, so millions can be checked.

    check = Verifier()
    check.expect("web", total=1000, tags={"service": "web"})
    check.add_records(sidetail.records())
    check.assert_exactly_once()
"""

import json
import zlib

from .system import wait_until

PREFIX = 19  # "@CCCCCCCC DDDDDDDD ", which the checksums leave out
STREAMS = {"o": "stdout", "e": "stderr", "f": "stdout"}
SHOWN = 5


class Line:
    """One line of the log writer, taken apart. ValueError when it is none, or not as it was written."""

    __slots__ = ("writer", "run", "stream", "seq")

    def __init__(self, text):
        raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        if raw[:1] != b"@" or raw[9:10] != b" " or raw[18:19] != b" ":
            raise ForeignLine("is not of the log writer")
        fields = raw[PREFIX:].split(b" ", 4)
        if len(fields) != 5:
            raise ValueError("is too short")
        name, stream, seq, length, _ = fields
        body = zlib.crc32(raw[PREFIX:])
        if body != int(raw[1:9], 16) and body != int(raw[10:18], 16):
            raise ValueError(f"has another checksum (payload of {length.decode()} written)")
        self.writer, _, self.run = name.decode().partition(":")
        self.stream = stream.decode()
        self.seq = int(seq)


class ForeignLine(ValueError):
    """Somebody else's line."""


class Sequence:
    """The numbers seen of one stream of one run of one writer."""

    def __init__(self):
        self.next = 0
        self.missing = set()
        self.doubled = []
        self.late = []

    def add(self, seq):
        if seq == self.next:
            self.next += 1
        elif seq > self.next:
            self.missing.update(range(self.next, seq))
            self.next = seq + 1
        elif seq in self.missing:
            self.missing.discard(seq)
            self.late.append(seq)
        else:
            self.doubled.append(seq)

    def seen(self):
        return self.next - len(self.missing)


class Expected:
    def __init__(self, total, at_least, runs, streams, tags):
        self.total = total
        self.at_least = at_least
        self.runs = runs
        self.streams = streams
        self.tags = tags or {}


class Verifier:
    def __init__(self, foreign_ok=False):
        """foreign_ok: lines which the log writer did not write are counted, but are no fault."""
        self.foreign_ok = foreign_ok
        self.sequences = {}  # (writer, run, stream) -> Sequence
        self.expected = {}  # writer -> Expected
        self.foreign = []
        self.mangled = []
        self.mistagged = []
        self.lines = 0
        self.carriage_returns = 0
        self._parts = {}  # (container, stream) -> texts of a line that was cut

    def expect(self, writer, total=None, at_least=None, runs=1, streams=None, tags=None):
        """`writer` wrote in each of its `runs` exactly `total` lines, or `at_least` so many, over all its streams;
        or streams={"o": 900, "e": 100} exactly. Each of its records must bear `tags`."""
        self.expected[writer] = Expected(total, at_least, runs, streams, tags)

    def expect_written(self, lines, writer=None):
        """What was written is what these raw lines (bytes or text) hold, as read from the log itself."""
        counts = {}
        for text in lines:
            line = Line(text)
            if writer is None or line.writer == writer:
                of_writer = counts.setdefault(line.writer, {}).setdefault(line.run, {})
                of_writer[line.stream] = max(of_writer.get(line.stream, 0), line.seq + 1)
        for name, runs in counts.items():
            if len(runs) != 1:
                raise AssertionError(f"{name}: {len(runs)} runs; expect each with total= instead")
            tags = self.expected[name].tags if name in self.expected else None
            self.expect(name, streams=next(iter(runs.values())), tags=tags)

    def expect_written_up_to(self, texts):
        """These lines of the log writer were written last: what was seen must reach at least as far."""
        for text in texts:
            line = Line(text)
            sequence = self.sequences.setdefault((line.writer, line.run, line.stream), Sequence())
            if line.seq >= sequence.next:
                sequence.missing.update(range(sequence.next, line.seq + 1))
                sequence.next = line.seq + 1

    def add_records(self, records):
        for record in records:
            self.add_record(record)

    def add_record(self, record):
        """A record of format json. Records marked partial are joined with what follows them."""
        text = record["log"]
        if record.get("partial") or self._parts:
            key = (record.get("id"), record.get("container"), record["stream"])
            parts = self._parts.setdefault(key, [])
            parts.append(text)
            if record.get("partial"):
                return
            text = "".join(self._parts.pop(key))
        line = self.add_text(text)
        if line:
            self._check_tags(line, record)

    def add_text(self, text):
        """A line alone, as format raw has it; gives back the Line, or None when it was none."""
        self.lines += 1
        try:
            line = self._parse(text)
        except ForeignLine:
            self.foreign.append(text)
            return None
        except ValueError as fault:
            self.mangled.append((str(fault), text))
            return None
        key = (line.writer, line.run, line.stream)
        sequence = self.sequences.get(key)
        if sequence is None:
            sequence = self.sequences[key] = Sequence()
        sequence.add(line.seq)
        return line

    def _parse(self, text):
        try:
            return Line(text)
        except ForeignLine:
            raise
        except ValueError:
            end = b"\r" if isinstance(text, bytes) else "\r"
            if not text.endswith(end):
                raise
        line = Line(text[:-1])  # a terminal put it there
        self.carriage_returns += 1
        return line

    def _check_tags(self, line, record):
        expected = self.expected.get(line.writer)
        tags = dict(expected.tags) if expected else {}
        tags["stream"] = STREAMS.get(line.stream)
        for key, value in tags.items():
            if record.get(key) != value:
                self.mistagged.append((line.writer, line.seq, key, record.get(key), value))

    def faults(self, doubled_ok=False):
        """Sentences, none when all is well; what is wrong with each stream names the numbers."""
        found = []
        for (writer, run, stream), sequence in sorted(self.sequences.items()):
            name = f"{writer}:{run} {STREAMS.get(stream, stream)}"
            if sequence.missing:
                found.append(f"{name}: lost {len(sequence.missing)} of {sequence.next}: {ranges(sequence.missing)}")
            if sequence.doubled and not doubled_ok:
                found.append(f"{name}: doubled {len(sequence.doubled)}: {ranges(sequence.doubled)}")
            if sequence.late:
                found.append(f"{name}: out of order {len(sequence.late)}: {ranges(sequence.late)}")
        for writer, expected in sorted(self.expected.items()):
            found += self._count_faults(writer, expected)
        for writer in sorted({key[0] for key in self.sequences} - set(self.expected)):
            if self.expected:
                found.append(f"{writer}: not expected at all")
        if self._parts:
            found.append(f"cut lines whose rest never came: {len(self._parts)}")
        found += self._list_faults("mangled", [f"{why}: {shorten(text)}" for why, text in self.mangled])
        found += self._list_faults(
            "wrongly tagged", [f"{w} {seq}: {key} is {got!r}, not {want!r}" for w, seq, key, got, want in self.mistagged]
        )
        if not self.foreign_ok:
            found += self._list_faults("foreign", [shorten(text) for text in self.foreign])
        return found

    def _count_faults(self, writer, expected):
        runs = {}
        for (name, run, stream), sequence in self.sequences.items():
            if name == writer:
                runs.setdefault(run, {})[stream] = sequence.next
        if len(runs) != expected.runs:
            yield f"{writer}: {len(runs)} runs seen, {expected.runs} expected"
        for run, streams in sorted(runs.items()):
            total = sum(streams.values())
            if expected.total is not None and total != expected.total:
                yield (
                    f"{writer}:{run}: {expected.total} lines written, the last one seen makes {total}: "
                    f"lost {expected.total - total} at the end ({streams})"
                )
            if expected.at_least is not None and total < expected.at_least:
                yield f"{writer}:{run}: at least {expected.at_least} lines written, the last one seen makes {total}"
            for stream, count in (expected.streams or {}).items():
                if streams.get(stream, 0) != count:
                    last = streams.get(stream, 0)
                    yield f"{writer}:{run} {STREAMS.get(stream)}: {count} lines written, lost from {last} on"

    @staticmethod
    def _list_faults(what, items):
        if items:
            yield f"{what}: {len(items)}, the first: " + "; ".join(items[:SHOWN])

    def complete(self):
        """Whether as many lines came as were written; for waiting. Faults in them do not count."""
        for writer, expected in self.expected.items():
            seen = [
                (key[1], key[2], sequence.seen()) for key, sequence in self.sequences.items() if key[0] == writer
            ]
            wanted = expected.total or expected.at_least or sum((expected.streams or {}).values())
            if sum(count for _, _, count in seen) < wanted * expected.runs:
                return False
        return True

    def assert_exactly_once(self):
        self._assert(self.faults())

    def assert_at_least_once(self):
        """Doubles are allowed, a loss is not, nor that a line comes first after a later one."""
        self._assert(self.faults(doubled_ok=True))

    def _assert(self, faults):
        if faults:
            raise AssertionError(f"{self.lines} lines read, and:\n  " + "\n  ".join(faults))
        if not self.expected:
            raise AssertionError("nothing was expected: a check of nothing passes always")


def assert_collected(collector, timeout=60, **expected):
    """Waits until all that is expected of a Sidetail's records is out (name={"total": 5, ...} as in Verifier.expect, or
    name=5), then says what is wrong with them, if anything, and what it logged. Gives back the Verifier."""
    found = []

    def complete():
        found[:] = [Verifier()]
        for name, what in expected.items():
            found[0].expect(name, **(what if isinstance(what, dict) else {"total": what}))
        found[0].add_records(collector.records())
        return found[0].complete()

    try:
        wait_until(complete, timeout, every=0.3)
    except AssertionError:
        pass  # what is missing is told by the verifier
    try:
        found[0].assert_exactly_once()
    except AssertionError as fault:
        raise AssertionError(f"{fault}\nits log:\n{collector.stderr_end()}\nits logs:\n{collector.told()}") from None
    return found[0]


def ranges(numbers):
    """[1, 2, 3, 7] as "1-3, 7", the first ones of many."""
    spans = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        elif not spans or number > spans[-1][1]:
            spans.append([number, number])
    text = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in spans[:SHOWN])
    return text + (f" and {len(spans) - SHOWN} more" if len(spans) > SHOWN else "")


def shorten(text, limit=120):
    shown = repr(text)
    return shown if len(shown) <= limit else f"{shown[:limit]}... ({len(text)})"


def parse_json_lines(lines):
    """Records of lines (bytes, or text) that must each be one JSON object."""
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except ValueError as fault:
            raise AssertionError(f"line {number} is no JSON ({fault}): {shorten(line)}") from None
        if not isinstance(record, dict):
            raise AssertionError(f"line {number} is no object: {shorten(line)}")
        yield record
