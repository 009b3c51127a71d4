"""Asks cloud-init's own code about user-data. The file named by the second argument has a JSON list of documents in base64, FOLDER
is for what cloud-init writes. Prints a JSON list with an entry for each document: the reason why cloud-init refuses or drops a part of it,
or null, and whether the first command is `ours` and the first file `/ours`."""

import base64
import email.errors
import json
import logging
import os
import sys
import tempfile

import requests
from cloudinit import handlers, helpers, url_helper, user_data, util
from cloudinit.config import cc_write_files
from cloudinit.handlers.cloud_config import CloudConfigPartHandler
from cloudinit.handlers.jinja_template import JinjaTemplatePartHandler
from cloudinit.handlers.shell_script import ShellScriptPartHandler
from cloudinit.settings import PER_INSTANCE

# Python decodes damaged base64 as far as it can.
DAMAGE = (email.errors.InvalidBase64CharactersDefect, email.errors.InvalidBase64LengthDefect)
folder, file = sys.argv[1:]
warnings = []


class Collect(logging.Handler):
    def emit(self, record):
        if record.levelno >= logging.WARNING:
            warnings.append(record.getMessage())


logging.getLogger().handlers = [Collect()]
logging.getLogger().setLevel(logging.WARNING)


class Source:
    def get_instance_id(self):
        return "i-1"


class Boothooks(handlers.Handler):
    prefixes = ["#cloud-boothook"]

    def __init__(self):
        handlers.Handler.__init__(self, PER_INSTANCE)

    def handle_part(self, data, ctype, filename, payload, frequency):
        pass


paths = helpers.Paths({"cloud_dir": folder, "run_dir": folder})
paths.datasource = Source()
os.makedirs(paths.get_ipath("scripts"), exist_ok=True)
os.symlink(paths.get_ipath(), os.path.join(folder, "instance"))


def read_url(url, **_):
    """Fails for a URL that no host can fetch, and returns nothing for others. There is no network here."""
    if not url.lstrip().startswith("/") and not url.lstrip().lower().startswith("file://"):
        cleaned = url_helper._cleanurl(url)
        if " " in cleaned.split("/")[2]:
            raise url_helper.UrlError(cause="no host has a space in its name", url=url)
        try:
            with requests.Session() as session:
                session.get_adapter(session.prepare_request(requests.Request("GET", cleaned)).url)
        except requests.exceptions.RequestException as error:
            raise url_helper.UrlError(cause=error, url=url) from error
    return url_helper.StringResponse(b"")


user_data.read_file_or_url = read_url

# The data that the hosts have of themselves: the first decides what is refused, and hostseed's part must be there with each of them.
INSTANCES = [
    {"v1": {"local_hostname": "web", "region": "eu", "cloud_name": "aws"}, "ds": {"meta_data": {"instance_id": "i-1", "tags": ["a", "b"]}}},
    {"v1": {"local_hostname": 7, "region": 7, "cloud_name": 7}, "ds": {"meta_data": {"instance_id": 7, "tags": []}}},
    {"v1": {"local_hostname": "", "region": "us", "cloud_name": None}, "ds": {"meta_data": {"instance_id": "", "tags": [7]}}},
    {"v1": {}, "ds": {"meta_data": {}}},
]


def know(instance):
    with open(paths.get_runpath("instance_data_sensitive"), "w") as opened:
        json.dump(instance, opened)


def encodes(value):
    """Python's strings can have half of a surrogate pair, which cannot be written."""
    if isinstance(value, str):
        value.encode("utf-8")
    elif isinstance(value, dict):
        for key, item in value.items():
            encodes(key)
            encodes(item)
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            encodes(item)


def apply(config):
    """What the modules do with the fields, without writing and running."""
    for field in "runcmd", "bootcmd":
        if field in config:
            util.shellify(config[field])
    for entry in config.get("write_files", []):
        util.get_cfg_option_bool(entry, "defer", False)
        entry.get("path").startswith("/")
        extractions = cc_write_files.canonicalize_extraction(entry.get("encoding"))
        util.encode_text(cc_write_files.extract_contents(entry.get("content", ""), extractions))
        util.extract_usergroup(entry.get("owner", "root:root"))


def refusal(data, merged):
    warnings.clear()
    registered = helpers.ContentHandlers()
    cloud_config, scripts = CloudConfigPartHandler(paths), ShellScriptPartHandler(paths)
    jinja = JinjaTemplatePartHandler(paths, sub_handlers=[cloud_config, scripts])
    for handler in cloud_config, scripts, Boothooks(), jinja:
        registered.register(handler)
        handlers.call_begin(handler, None, PER_INSTANCE)
    state = {"handlers": registered, "handlerdir": folder, "data": None, "frequency": PER_INSTANCE, "handlercount": 0, "excluded": []}
    parts = []

    def callback(data, filename, payload, headers):
        parts.append(headers["Content-Type"])
        if "x-shellscript" in headers["Content-Type"] and not payload.strip():
            warnings.append("an empty script cannot be run")
        handlers.walker_callback(data, filename, payload, headers)

    try:
        message = user_data.UserDataProcessor(paths).process(data)
        handlers.walk(message, callback, data=state)
        if not parts:
            return "no part"
        damage = [defect for part in message.walk() for defect in part.defects if isinstance(defect, DAMAGE)]
        if damage:
            return repr(damage[0])
        config = cloud_config.cloud_buf or {}
        merged.update(config)
        encodes(config)
        apply(config)
    except Exception as error:
        return "%s: %s" % (type(error).__name__, error)
    return warnings[0] if warnings else None


def is_ours(config):
    commands, files = config.get("runcmd"), config.get("write_files")
    return isinstance(commands, list) and commands[:1] == ["ours"] and isinstance(files, list) and files[0]["path"] == "/ours"


def write(files, root):
    """Writes the files below a folder, as cc_write_files does below `/`."""
    for name in "etc", "usr/bin", "var/log", "tmp":
        os.makedirs(os.path.join(root, name))
    rooted = []
    for entry in files:
        if not util.get_cfg_option_bool(entry, "defer", False):
            path = entry.get("path")
            rooted.append(dict(entry, path=root + os.path.abspath(path)) if path else entry)
    util.chownbyid = lambda path, uid=None, gid=None: None
    cc_write_files.write_files("write-files", rooted, "root:root")


def is_whole(data, merged):
    """Whether hostseed's part is there with all that the host can know."""
    modules = [("cloud_init_modules", "write-files"), ("cloud_config_modules", "runcmd"), ("cloud_final_modules", "scripts-user")]
    runs = all(field not in merged or module in str(merged[field]).replace("_", "-") for field, module in modules)
    if not (is_ours(merged) and runs):
        return False
    try:
        util.shellify(merged["runcmd"])
        with tempfile.TemporaryDirectory() as root:
            write(merged["write_files"], root)
    except Exception:
        return False
    return True


def judge(data):
    know(INSTANCES[0])
    merged = {}
    reason = refusal(data, merged)
    ours = is_whole(data, merged)
    for instance in INSTANCES[1:]:
        if ours and b"template" in data.lower():
            know(instance)
            merged = {}
            refusal(data, merged)
            ours = is_whole(data, merged)
    return {"refusal": reason, "ours": ours}


with open(file) as opened:
    documents = json.load(opened)
json.dump([judge(base64.b64decode(document)) for document in documents], sys.stdout)
