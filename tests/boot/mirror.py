#!/usr/bin/python3
"""A Debian mirror for hosts that reach nothing else: hands on what the machine's own apt can fetch, and keeps packages.

It is also an HTTP proxy: it answers for every host name with the mirror, and for HOST with the files in FOLDER.

usage: mirror.py ADDRESS PORT UPSTREAM CACHE [HOST=FOLDER]
"""

import os
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

address, port, upstream, cache = sys.argv[1], int(sys.argv[2]), sys.argv[3].rstrip("/"), sys.argv[4]
served = dict(pair.split("=", 1) for pair in sys.argv[5:])
locks = {}


def fetch(path, target):
    """apt's own downloader, so that proxies and certificates are those of the machine's apt. Returns an HTTP status."""
    scratch = tempfile.mkdtemp(dir=cache)
    got = os.path.join(scratch, "got")
    try:
        run = subprocess.run(
            ["/usr/lib/apt/apt-helper", "-o", "APT::Sandbox::User=root", "download-file", upstream + path, got],
            capture_output=True, text=True, check=False,
        )
        if run.returncode == 0:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.rename(got, target)
            return 200
        return 404 if "404" in run.stderr else 502
    finally:
        for left in os.listdir(scratch):
            os.unlink(os.path.join(scratch, left))
        os.rmdir(scratch)


class Mirror(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        # A proxy is asked for a whole URL.
        asked = urlsplit(self.path)
        self.path = asked.path
        if ".." in self.path or "//" in self.path:
            return self.answer(404)
        if asked.hostname in served:
            return self.answer_file(served[asked.hostname] + unquote(self.path))
        target = cache + self.path
        # Names that stand for their content never change; the others are asked for each time.
        lasting = "/pool/" in self.path or "/by-hash/" in self.path
        with locks.setdefault(self.path, threading.Lock()):
            status = 200 if lasting and os.path.isfile(target) else fetch(self.path, target)
            if status != 200:
                return self.answer(status)
            with open(target, "rb") as file:
                return self.answer(200, file.read())

    def answer_file(self, file):
        if not os.path.isfile(file):
            return self.answer(404)
        with open(file, "rb") as opened:
            return self.answer(200, opened.read())

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


os.makedirs(cache, exist_ok=True)
ThreadingHTTPServer((address, port), Mirror).serve_forever()
