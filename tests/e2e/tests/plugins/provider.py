"""The provider of examples/solver-hello, in front of the lab's DNS: what it is told is what the
CA sees. A newer solver may also call it under /v2. Prints each call that it grants."""

import json
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

host, port, dns, token = sys.argv[1:]
records, changing = [], Lock()


def tell(call, name, **more):
    body = json.dumps({"host": name, **more}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{dns}/{call}", body, method="POST")).close()


class Api(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def record(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("authorization") != f"Bearer {token}":
            return self.answer(401)
        if self.path not in ("/records", "/v2/records"):
            return self.answer(404)
        record = json.loads(body)
        print(self.command, self.path, record["name"], flush=True)
        return record

    def do_POST(self):
        if record := self.record():
            with changing:
                if record not in records:
                    records.append(record)
                    tell("set-txt", record["name"], value=record["value"])
            self.answer(201)

    def do_DELETE(self):
        if record := self.record():
            with changing:
                found = record in records
                if found:
                    records.remove(record)
                    # The DNS can only forget all values of a name.
                    tell("clear-txt", record["name"])
                    for other in records:
                        if other["name"] == record["name"]:
                            tell("set-txt", other["name"], value=other["value"])
            self.answer(200 if found else 404)


ThreadingHTTPServer((host, int(port)), Api).serve_forever()
