"""Takes user-data apart as cloud-init does, by cloud-init's own code: FOLDER is for what it writes, FILE is the user-data.
Prints the bytes of the parts, the cloud-config that all make together, and the scripts by the names under which they are run."""

import base64
import email
import json
import os
import sys

from cloudinit import handlers, helpers, user_data, util
from cloudinit.handlers.cloud_config import CloudConfigPartHandler
from cloudinit.handlers.shell_script import ShellScriptPartHandler
from cloudinit.settings import PER_INSTANCE


class Source:
    def get_instance_id(self):
        return "i-1"


folder, file = sys.argv[1:]
paths = helpers.Paths({"cloud_dir": folder, "run_dir": folder})
paths.datasource = Source()
os.makedirs(paths.get_ipath("scripts"))
os.symlink(paths.get_ipath(), os.path.join(folder, "instance"))

registered = helpers.ContentHandlers()
for handler in CloudConfigPartHandler(paths), ShellScriptPartHandler(paths):
    registered.register(handler)
    handlers.call_begin(handler, None, PER_INSTANCE)
with open(file, "rb") as opened:
    data = opened.read()
message = user_data.UserDataProcessor(paths).process(data)
state = {"handlers": registered, "handlerdir": folder, "data": None, "frequency": PER_INSTANCE, "handlercount": 0, "excluded": []}
handlers.walk(message, handlers.walker_callback, data=state)
for handler in set(registered.registered.values()):
    handlers.call_end(handler, None, PER_INSTANCE)


def encoded(data):
    return base64.b64encode(data).decode()


def read(path):
    with open(path, "rb") as opened:
        return opened.read()


archive = email.message_from_string(util.decomp_gzip(data, decode=False).decode())
scripts = paths.get_ipath("scripts")
json.dump(
    {
        "parts": [encoded(part.get_payload(decode=True)) for part in archive.get_payload()],
        "cloud-config": util.load_yaml(read(paths.get_ipath("cloud_config"))),
        "scripts": {name: encoded(read(os.path.join(scripts, name))) for name in sorted(os.listdir(scripts))},
    },
    sys.stdout,
)
