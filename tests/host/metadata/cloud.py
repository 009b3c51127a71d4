#!/usr/bin/python3
"""A cloud's metadata service: `cloud.py CLOUD [FAULT]`, alone in a network where every address is its own.

It asks for what the real one asks for, and refuses with the real one's status. Every request is a line on standard output:
method, address, path, and what the caller said beyond curl's own headers, TOKEN where that is a token given out here. The
first line is `ready`. A FAULT is in every answer that has an address, or in the token's.
"""

import base64
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PUBLIC, SECOND, THIRD, SIXTH = "198.51.100.7", "198.51.100.8", "198.51.100.9", "2001:db8::7"
# In the answers that have to be dropped.
WRONG = "203.0.113.9"

HERE = "169.254.169.254"
# What the callers of the real services have to say: status and header.
GOOGLE = (403, "Metadata-Flavor", "Google")
AZURE = (400, "Metadata", "true")
AZURE_INTERFACES = "/metadata/instance/network/interface?api-version=2021-02-01"
AZURE_INTERFACE = (
    '{"ipv4":{"ipAddress":[{"privateIpAddress":"10.1.0.4","publicIpAddress":"%s"}],"subnet":[{"address":"10.1.0.0",'
    '"prefix":"24"}]},"ipv6":{"ipAddress":[]},"macAddress":"000D3AF806EC"}'
)
GCE_INTERFACE = (
    '{"accessConfigs":[{"externalIp":"%s","type":"ONE_TO_ONE_NAT"}],"dnsServers":["169.254.169.254"],"forwardedIps":[],'
    '"gateway":"10.1.0.1","ip":"10.1.0.4","ipAliases":[],"mac":"42:01:0a:01:00:04","mtu":1460,'
    '"network":"projects/1/networks/default","subnetmask":"255.255.255.0","targetInstanceIps":[]}'
)
BALANCER = (
    '{"loadbalancer":{"publicIpAddresses":[{"frontendIpAddress":"%s","privateIpAddress":"10.1.0.4"}],'
    '"inboundRules":[],"outboundRules":[]}}'
)
BOTH_FAMILIES = BALANCER.replace("[{", '[{"frontendIpAddress":"[2001:db8::7]","privateIpAddress":"[fd00::4]"},{', 1)
RULES_ALONE = (
    '{"loadbalancer":{"publicIpAddresses":[],"inboundRules":[{"frontendIpAddress":"%s","protocol":"tcp",'
    '"frontendPort":80,"backendPort":80,"privateIpAddress":"10.1.0.4"}],"outboundRules":[]}}'
)
NETWORK = "ipv4.public: %s/32\nipv6.link_local: fe80::db8:1b3d:e5a7/64\nipv6.slaac: 2600:3c05::db8:1b3d:e5a7/64\n"
# Values are quoted where a shell would need it. Whoever has many tags or long ones has them before the address.
CONF = """ID=0f2ad0b8-6f7a-4a1e-bf8a-3d6b2a7c9e10
NAME=web1
COMMERCIAL_TYPE=DEV1-S
HOSTNAME=web1
TAGS='0 1'
TAGS_0=web
TAGS_1='a tag'
STATE_DETAIL=booted
PUBLIC_IP='DYNAMIC ID ADDRESS'
PUBLIC_IP_DYNAMIC=False
PUBLIC_IP_ID=9915ace8-2729-4289-b962-f6a2f94d44a0
PUBLIC_IP_ADDRESS=%s
SSH_PUBLIC_KEYS=0
SSH_PUBLIC_KEYS_0='KEY FINGERPRINT'
SSH_PUBLIC_KEYS_0_KEY='ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA a@example.org'
"""


class Cloud:
    """`answers` are (text, address) by path, (text, None) for a folder; `token` is the path it is had at, the headers, and the refusal without it."""

    def __init__(self, address, answers, says=None, token=None):
        self.address, self.answers, self.says, self.token = address, answers, says, token


def at(path, address=PUBLIC, text="%s"):
    return {path: (text, address)}


AWS_TOKEN = ("/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token", 401)
ALIYUN_TOKEN = ("/latest/api/token", "X-aliyun-ecs-metadata-token-ttl-seconds", "X-aliyun-ecs-metadata-token", 403)
AKAMAI_TOKEN = ("/v1/token", "Metadata-Token-Expiry-Seconds", "Metadata-Token", 401)
EC2, EIP, MACS = "/latest/meta-data/public-ipv4", "/latest/meta-data/eipv4", "/latest/meta-data/network/interfaces/macs/"
GCE = "/computeMetadata/v1/instance/network-interfaces/?recursive=true"
DROPLET, RESERVED = "/metadata/v1/interfaces/public/0/ipv4/address", "/metadata/v1/reserved_ip/ipv4/ip_address"
AZURE_BALANCER = "/metadata/loadbalancer?api-version=2020-10-01"



def folder(path, entries, name, addresses=(PUBLIC,)):
    """A folder, and in each of its entries the answer of that name."""
    answers = at(path, None, "\n".join(entries))
    for entry, address in zip(entries, addresses):
        answers |= at(path + entry + name, address)
    return answers


def azure(address, text=AZURE_INTERFACE):
    return at(AZURE_INTERFACES, address, f"[{text}]")


MAC, MAC2 = "0e:49:61:0f:c3:11/", "0e:49:61:0f:c3:12/"
SEVERAL_MACS = folder(MACS, [MAC, MAC2], "public-ipv4s", (PUBLIC, f"{SECOND}\n{THIRD}"))
CLOUDS = {
    "aws": Cloud(HERE, folder(MACS, [MAC], "public-ipv4s"), token=AWS_TOKEN),
    "aws-private": Cloud(HERE, folder(MACS, [MAC], "local-ipv4s"), token=AWS_TOKEN),
    "aws-several": Cloud(HERE, SEVERAL_MACS | at(MACS + MAC2 + "ipv6s", SIXTH), token=AWS_TOKEN),
    "gce": Cloud(HERE, at(GCE, text=f"[{GCE_INTERFACE}]"), says=GOOGLE),
    "gce-private": Cloud(HERE, at(GCE, "", f"[{GCE_INTERFACE}]"), says=GOOGLE),
    "gce-several": Cloud(HERE, at(GCE, (PUBLIC, SECOND), f"[{GCE_INTERFACE},{GCE_INTERFACE}]"), says=GOOGLE),
    "azure": Cloud(HERE, azure("") | at(AZURE_BALANCER, text=BALANCER), says=AZURE),
    "azure-basic": Cloud(HERE, azure(PUBLIC), says=AZURE),
    "azure-several": Cloud(HERE, azure((PUBLIC, SECOND), f"{AZURE_INTERFACE},{AZURE_INTERFACE}"), says=AZURE),
    "azure-both-families": Cloud(HERE, azure("") | at(AZURE_BALANCER, text=BOTH_FAMILIES), says=AZURE),
    "azure-behind-a-balancer": Cloud(HERE, azure("") | at(AZURE_BALANCER, WRONG, RULES_ALONE), says=AZURE),
    "digitalocean": Cloud(HERE, at(DROPLET)),
    "digitalocean-reserved": Cloud(HERE, at(DROPLET) | at(RESERVED, SECOND)),
    "hetzner": Cloud(HERE, at("/hetzner/v1/metadata/public-ipv4")),
    "vultr": Cloud(HERE, at("/v1/interfaces/0/ipv4/address")),
    "akamai": Cloud(HERE, at("/v1/network", text=NETWORK), token=AKAMAI_TOKEN),
    "scaleway": Cloud("169.254.42.42", at("/conf", text=CONF)),
    "scaleway-tags": Cloud("169.254.42.42", at("/conf", text="TAGS_2='AUTHORIZED_KEY=ssh-rsa_" + 3000 * "A" + "'\n" + CONF)),
    "scaleway-several": Cloud(
        "169.254.42.42",
        at("/conf", (PUBLIC, SECOND, SIXTH), CONF + "PUBLIC_IPS_V4_1_ADDRESS=%s\nPUBLIC_IPS_V6_0_ADDRESS='%s'\n"),
    ),
    "openstack": Cloud(HERE, at(EC2)),
    "openstack-private": Cloud(HERE, at(EC2, "")),
    "cloudstack": Cloud("10.1.1.1", at(EC2)),
    "aliyun": Cloud("100.100.100.200", at(EC2), token=ALIYUN_TOKEN),
    "aliyun-eip": Cloud("100.100.100.200", at(EIP) | at(EC2, ""), token=ALIYUN_TOKEN),
    "tencent": Cloud("169.254.0.23", at(EC2)),
    "url": Cloud("192.0.2.80", at("/ip?format=text")),
    "url-several": Cloud("192.0.2.80", at("/ip?format=text", text=f"%s\n{SIXTH}\n")),
    # It would answer, and nobody may ask it.
    "none": Cloud(None, {}),
}
# Where a redirect leads: whoever goes there gets an address.
ELSEWHERE = "/elsewhere"
# Those that take a line or a page in place of the address alone; the others are in `misbehave`.
FAULTY = {
    "garbage": os.urandom(600) + b"\0" + WRONG.encode() + b"\0\n",
    "html": f"<!DOCTYPE html>\n<html><body><h1>{WRONG}</h1>It works!</body></html>\n".encode(),
    "shell": f"{WRONG}\n$(touch /tmp/pwned); touch /tmp/pwned\n".encode(),
    "two": f"{WRONG};203.0.113.10\n".encode(),
    "remark": f"{WRONG}\nTwo addresses:\n203.0.113.10\n".encode(),
    "spaces": f"  {WRONG} \n".encode(),
}


class Service(BaseHTTPRequestHandler):
    cloud, fault = None, ""
    tokens = set()

    def note(self):
        address = self.connection.getsockname()
        port = "" if address[1] == 80 else f":{address[1]}"
        own = ("host", "user-agent", "accept")
        said = sorted((name.lower(), value) for name, value in self.headers.items() if name.lower() not in own)
        said = [f"{name}={'TOKEN' if value in self.tokens else value}" for name, value in said]
        print(self.command, f"{address[0]}{port}{self.path}", *said, flush=True)
        return address[0]

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        address, token = self.note(), self.cloud.token
        if address != self.cloud.address or not token or self.path != token[0]:
            self.answer(404)
        elif "X-Forwarded-For" in self.headers:
            self.answer(403)
        elif not (self.headers.get(token[1], "").isdigit() and 1 <= int(self.headers[token[1]]) <= 21600):
            self.answer(400)
        elif self.fault == "private-token-html":
            self.answer(200, FAULTY["html"])
        elif self.fault == "private-token-newline":
            self.answer(200, b"AQAEAA==\r\nX-Injected: 1\n")
        else:
            made = base64.urlsafe_b64encode(os.urandom(40)).decode()
            self.tokens.add(made)
            self.answer(200, made.encode())

    def do_GET(self):
        address, cloud = self.note(), self.cloud
        if self.path == ELSEWHERE:
            self.answer(200, WRONG.encode())
        elif cloud.address and address != cloud.address:
            self.answer(404)
        elif cloud.token and self.headers.get(cloud.token[2]) not in self.tokens:
            self.answer(cloud.token[3])
        elif cloud.says and (self.headers.get(cloud.says[1]) != cloud.says[2] or "X-Forwarded-For" in self.headers):
            self.answer(cloud.says[0])
        elif self.path not in cloud.answers:
            self.answer(404, FAULTY["html"])
        elif cloud.answers[self.path][1] is None:
            self.answer(200, cloud.answers[self.path][0].encode())
        elif self.fault and not self.fault.startswith("private-"):
            self.misbehave(*cloud.answers[self.path])
        else:
            text, public = cloud.answers[self.path]
            self.answer(200, (text % public).encode())

    def misbehave(self, text, public):
        """Within an answer that has more than the address, the fault stays on the address's line."""
        if self.fault in FAULTY:
            fault = FAULTY[self.fault]
            if text != "%s" and self.fault not in ("garbage", "html"):
                fault = text.encode() % fault.rstrip(b"\n").replace(b"\n", b";")
            self.answer(200, fault)
        elif self.fault == "silent":
            time.sleep(600)
        elif self.fault == "notfound":
            self.answer(404, (text % WRONG).encode())
        elif self.fault == "redirect":
            self.answer(302, (text % WRONG).encode(), [("Location", ELSEWHERE)])
        elif self.fault == "slow":
            self.send_response(200)
            self.end_headers()
            for byte in (text % WRONG).encode():
                self.wfile.write(bytes([byte]))
                time.sleep(1)
        elif self.fault == "huge":
            self.send_response(200)
            self.end_headers()
            for _ in range(10_000):
                self.wfile.write((WRONG + "\n").encode() * 100)
        else:
            raise ValueError(self.fault)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Callers that go away are no errors."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def main():
    Service.cloud, Service.fault = CLOUDS[sys.argv[1]], "".join(sys.argv[2:3])
    if Service.fault != "refused":
        for port in (80, 8080):
            threading.Thread(target=Server(("0.0.0.0", port), Service).serve_forever, daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


main()
