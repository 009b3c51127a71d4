#!/usr/bin/python3
"""A cloud's metadata service and name server: `metadata.py ADDRESS…`.

Over HTTP, on ports 80 and 53, it has a `user-data` and a `public-ipv4`; over UDP, on port 53, it knows every name's address.
"""

import http.server
import socket
import socketserver
import sys
import threading

ANSWERS = {"/latest/user-data": b"secret\n", "/latest/meta-data/public-ipv4": b"198.51.100.7"}
NAMED = bytes([203, 0, 113, 9])


class Metadata(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        answer = ANSWERS.get(self.path)
        self.send_response(404 if answer is None else 200)
        self.end_headers()
        self.wfile.write(answer or b"")


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def serve(address, port):
    # Not by HTTPServer, which would ask for its own name, of a name server that may not be there.
    server = type("Server", (socketserver.ThreadingTCPServer,), {"address_family": family(address)})
    threading.Thread(target=server((address, port), Metadata).serve_forever).start()


def answer_names(address):
    """One A record a question, whatever is asked (RFC 1035, section 4.1)."""
    server = socket.socket(family(address), socket.SOCK_DGRAM)
    server.bind((address, 53))
    while True:
        query, sender = server.recvfrom(512)
        end = query.index(0, 12) + 5
        header = query[:2] + bytes([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0])
        record = bytes([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]) + NAMED
        server.sendto(header + query[12:end] + record, sender)


for here in sys.argv[1:]:
    serve(here, 80)
    serve(here, 53)
    threading.Thread(target=answer_names, args=(here,)).start()
