"""A DNS provider with two calls, POST and DELETE /records {name, value}, and GET to look."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "let-me-in"
records = []


class Api(BaseHTTPRequestHandler):
    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def record(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            self.answer(401, {"error": "the token is wrong"})
            return None
        return json.loads(body or "{}")

    def do_POST(self):
        if record := self.record():
            if record not in records:
                records.append(record)
            self.answer(201, record)

    def do_DELETE(self):
        if record := self.record():
            found = record in records
            if found:
                records.remove(record)
            self.answer(200 if found else 404, record)

    def do_GET(self):
        if self.record() is not None:
            self.answer(200, [record["value"] for record in records])


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Api).serve_forever()
