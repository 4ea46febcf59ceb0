"""Stands between the collector and a real Engine, and does to its log streams what networks and old Engines do."""

import collections
import random
import re
import socket
import threading
import time


class Chunks:
    """Cuts an answer into its head and its chunks. The Engine sends each frame of a log in a chunk of its own."""

    def __init__(self):
        self.rest = b""
        self.in_body = False

    def whole(self, data):
        """Those that are complete with these bytes."""
        self.rest += data
        found = []
        while end := self._end():
            found.append(self.rest[:end])
            self.rest = self.rest[end:]
        return found

    def _end(self):
        if not self.in_body:
            end = self.rest.find(b"\r\n\r\n") + 4
            self.in_body = end > 3
            return end if self.in_body else 0
        line = self.rest.find(b"\r\n")
        if line < 0:
            return 0
        end = line + 2 + int(self.rest[:line], 16) + 2
        return end if len(self.rest) >= end else 0


class Proxy:
    """A unix socket at `path` that leads to the Engine's. What it may do, changed while it runs:

    cut:    the chance for each KiB of a log stream that passes that the connection ends there, anywhere in a chunk
    snap:   how many of the next pieces of a log stream that is followed are cut so for certain
    break_read: in how many of the next log streams that are not followed the connection ends in a piece of 4 KiB and more
    hang:   from now on, log streams that are open pass nothing more, though they stay open
    damage: the chance for each KiB that bytes of a log stream are overwritten
    garble: how many of the next pieces of a log stream are overwritten where they begin, which is where a chunk does
    delay:  seconds before the answer to a request for a log begins
    slow:   seconds between its head and its first bytes
    skip:   how many of the next frames of a log stream that is followed are left out, as if the Engine had skipped a file;
            only of those that come as they are written, for what it reads from files at first is whole
    again:  so many frames of a log stream that is followed come twice: the last ones, once more, as if the Engine had read a
            file twice; of those that come as they are written, too
    down:   new connections end at once; go_down() ends those that are open too

    delay_starts() holds back the events of a container's starts. Until may_inspect is set, requests to inspect a container
    wait; until may_die is, the event of the end of the container whose id is in `dying` does.
    """

    START = re.compile(rb'"Action":"start"[^\n]*?"ID":"(\w+)"[^\n]*?"timeNano":(\d+)')
    DIE = re.compile(rb'"Action":"die"[^\n]*?"ID":"(\w+)"')
    INSPECT = re.compile(rb"GET /v[\d.]+/containers/\w+/json ")
    LOGS = re.compile(rb"GET /v[\d.]+/containers/(\w+)/logs\?(\S*)")

    def __init__(self, path, engine="/var/run/docker.sock", seed=1):
        self.path = str(path)
        self.engine = engine
        self.dice = random.Random(seed)
        self.cut = self.damage = self.delay = self.slow = 0
        self.late = {}  # by the container's id: seconds, and of which starts: those after this time in ns
        self.may_inspect, self.may_die = threading.Event(), threading.Event()
        self.may_inspect.set()
        self.may_die.set()
        self.inspections = 0  # asked for
        self.dying = None
        self.down = False
        self.clients = set()  # connections that are open
        self.hanging = set()
        self.garble = 0
        self.break_read = 0
        self.snap = self.skip = self.again = 0
        self.opening = self.most_opening = self.cuts = self.streams = self.skipped = self.repeated = self.checks = 0
        self.started = collections.Counter()  # by the container's id: time of the last start whose event was passed on, in ns
        self.asked = []  # of each request for a log: the container's id, and what stands behind the question mark
        self.streams_of = collections.Counter()  # by the container's id, as it is asked for
        self.lock = threading.Lock()
        self.open = set()  # numbers of the log streams that are followed now
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen(256)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def host(self):
        return f"unix://{self.path}"

    def hang(self):
        self.hanging |= self.open

    def delay_starts(self, ident, seconds):
        """The events of its starts from now on come that late. One of before may still come: on a busy machine, an Engine that
        was asked for the events of the last seconds tells them long after it has begun to answer."""
        self.late[ident] = seconds, time.time_ns()

    def go_down(self):
        self.down = True
        for client in list(self.clients):
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.server.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        upstream = socket.socket(socket.AF_UNIX)
        self.clients.add(client)
        try:
            if self.down:
                return
            upstream.connect(self.engine)
            request = b""
            while b"\r\n\r\n" not in request:
                more = client.recv(65536)
                if not more:
                    return
                request += more
            if self.INSPECT.match(request):
                self.inspections += 1
                self.may_inspect.wait()
            upstream.sendall(request)
            threading.Thread(target=self._until_gone, args=(client, upstream), daemon=True).start()
            logs = self.LOGS.match(request)
            if logs:
                self.asked.append((logs.group(1).decode(), logs.group(2).decode()))
            followed = bool(logs) and b"follow=1" in logs.group(2)
            if followed:
                self.streams_of[logs.group(1).decode()] += 1
            self._answer(client, upstream, bool(logs), followed)
        except OSError:
            pass
        finally:
            self.clients.discard(client)
            for one in (client, upstream):
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                one.close()

    @staticmethod
    def _until_gone(client, upstream):
        """The client sends nothing more: when it goes, so does the connection to the Engine."""
        try:
            while client.recv(65536):
                pass
            upstream.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _answer(self, client, upstream, logs, followed):
        number = None
        if followed:
            with self.lock:
                self.opening += 1
                self.most_opening = max(self.most_opening, self.opening)
                self.streams += 1
                number = self.streams
                self.open.add(number)
        elif logs:
            self.checks += 1
        first = True
        began = time.monotonic()
        chunks = Chunks()
        recent = collections.deque(maxlen=64)
        try:
            while True:
                asked = time.monotonic()
                data = upstream.recv(65536)
                live = time.monotonic() - asked > 0.02 or asked - began > 1
                if first and followed:
                    time.sleep(self.delay)
                    with self.lock:
                        self.opening -= 1
                    first = False
                    if self.slow:
                        chunks.in_body = True
                        if not (data := self._hold_back(client, data)):
                            continue  # the head came alone
                if not data:
                    return
                for end in self.DIE.finditer(data):
                    if end[1].decode() == self.dying:
                        self.may_die.wait()
                for start in self.START.finditer(data):
                    data = self._late(client, start[1].decode(), int(start[2]), data)
                if followed:
                    data = self._harm(number, self._distort(chunks.whole(data), recent, live))
                if followed and self._breaks(data):
                    client.sendall(data[: self.dice.randrange(len(data) + 1)])
                    return
                if logs and not followed and self.break_read and len(data) > 4096:
                    self.break_read -= 1
                    client.sendall(data[: len(data) // 2])
                    return
                client.sendall(data)
        finally:
            with self.lock:
                if first and followed:
                    self.opening -= 1
                self.open.discard(number)

    def _late(self, client, ident, time_ns, data):
        """Holds back the event of its start, but not what came before. Gives back what is still to be sent."""
        late, since_ns = self.late.get(ident, (0, 0))
        if late and time_ns > since_ns:
            head, found, tail = data.partition(b'"Action":"start"')
            client.sendall(head)
            data = found + tail
            time.sleep(late)
        self.started[ident] = time_ns
        return data

    def _happens(self, chance, data):
        return bool(data) and self.dice.random() < chance * len(data) / 1024

    def _breaks(self, data):
        snap = self.snap > 0 and bool(data)
        self.snap -= snap
        broken = snap or self._happens(self.cut, data)
        self.cuts += broken
        return broken

    def _hold_back(self, client, data):
        head, end, rest = data.partition(b"\r\n\r\n")
        client.sendall(head + end)
        time.sleep(self.slow)
        return rest

    def _distort(self, chunks, recent, live):
        """Leaves frames out, or brings the last ones again. `recent`: those that went through."""
        sent = b""
        for chunk in chunks:
            frame = not chunk.startswith((b"HTTP", b"0\r\n"))
            if self.skip and live and frame:
                self.skip -= 1
                self.skipped += 1
                continue
            sent += chunk
            if not frame:
                continue
            recent.append(chunk)
            if self.again and live and len(recent) >= self.again:
                sent += b"".join(list(recent)[-self.again :])
                self.repeated += self.again
                self.again = 0
        return sent

    def _harm(self, number, data):
        while number in self.hanging:
            time.sleep(0.05)
        if self._happens(self.damage, data):
            at = self.dice.randrange(len(data))
            data = self._overwrite(data, at)
        if self.garble and data:
            self.garble -= 1
            data = self._overwrite(data, 0)
        return data

    @staticmethod
    def _overwrite(data, at):
        return data[:at] + b"\xee" * min(8, len(data) - at) + data[at + 8 :]
