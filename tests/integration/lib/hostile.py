"""What answers as a Docker Engine does, but is none: it makes up containers and events without end."""

import os
import re
import socketserver
import threading
import uuid


class HostileEngine:
    """Listens on a unix socket, `host` as DOCKER_HOST has it. Its answers may be set:

    listing:   a function that gives the pieces of the list of containers
    inspected: a function that gives the answer about the container with that id; None: 404
    events:    a function that gives the pieces of the events; none comes after the last one
    """

    def __init__(self):
        self.path = f"/tmp/sidetail-{uuid.uuid4().hex[:12]}.sock"  # short: a socket's path has 107 bytes at most
        self.host = f"unix://{self.path}"
        self.listing = lambda: [b"[]"]
        self.inspected = lambda ident: None
        self.events = lambda: []
        self.lists = 0  # how many were sent whole
        self.closed = threading.Event()
        engine = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                try:
                    engine._answer(self.request)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the collector went away

        self.server = socketserver.ThreadingUnixStreamServer(self.path, Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _answer(self, client):
        request = b""
        while b"\r\n\r\n" not in request:
            request += client.recv(4096)
            if not request:
                return
        target = request.split(b" ")[1].decode()
        if target == "/_ping":
            self._send(client, [b"OK"])
        elif "/events" in target:
            self._send(client, self.events())
            self.closed.wait()
        elif "/containers/json" in target:
            self._send(client, self.listing())
            self.lists += 1
        elif found := re.search(r"/containers/(\w+)/json", target):
            answer = self.inspected(found[1])
            self._send(client, [answer or b'{"message":"no such container"}'], "200 OK" if answer else "404 Not Found")
        else:
            self._send(client, [b'{"message":"no such container"}'], "404 Not Found")

    def _send(self, client, pieces, status="200 OK"):
        client.sendall(f"HTTP/1.1 {status}\r\nApi-Version: 1.44\r\nConnection: close\r\n\r\n".encode())
        for piece in pieces:
            client.sendall(piece)

    def close(self):
        self.closed.set()
        self.server.shutdown()
        self.server.server_close()
        os.unlink(self.path)
