#!/usr/bin/python3
"""Values for labels and for the engine's environment, and what became of them.

usage: engine-values.py machines FILE     writes a JSON list of machines: {"labels": […], "env": […], "sure": bool}
       engine-values.py options FILE      prints each machine's create options, NUL-separated, in base64, and a NUL after each
       engine-values.py drop-in USER-DATA prints the drop-in that a cloud-config carries
       engine-values.py compare FILE DIR  compares with DIR/<number>.argv and .environ, for each .accepted

The seed is fixed: every run asks the same. A machine is `sure` when nothing in it may be refused.
"""

import base64
import gzip
import json
import os
import random
import sys

import yaml

PRINTABLE = [chr(code) for code in range(0x20, 0x7F)]
SPECIAL = list("\"'\\$%;#`{}[]()*?~!&|<>=,: ")
WIDE = list("äßéñ—€“”«»日本語한국어кирпич🐳🦀👩‍🚀  ")
SNIPPETS = [
    "$HOME", "${HOME}", "$$", "$(id)", "`id`", "%n", "%h", "%%", "%", "%H%i", "\\", "\\\\", "\\n", "\\t", "\\x41", "\\u00e4",
    "\\101", "\\ ", "\\;", "\\'", '\\"', ";", " ; ", "#", " # ", "'", '"', "''", '""', "it's", 'say "hi"', "  ", "--", "-H", "@",
    "+", "!", "!!", ":", "|", "&&", ">", "*", "~", "{{ x }}", "{% x %}", "{# x #}", "${#x}", "=", "a=b", ",", "[Service]", "yes",
    "null", "EOF",
]
# What may be refused, by name; once accepted, it has to arrive like any other.
DOUBTFUL = [
    "", " ", "  ", "\t", "a\tb", "\x01", "a\x1bb", "\x7f", "a\nb", "a\\\nb", "\n", "a\rb", "a\r\nb", "\x0c", "a\x0b",
    "\u0085", "a\u0085b", "\u00a0", "a\u00adb", "\u2028", "a\u2029b", "\ufeff", "\ufeffa", "a\u200bb", "\u202eabc",
    "\ufffd", "\ufffe", "a\uffff", "\ufdd0", "\U0001fffe", "\U0010ffff", "\ue000", "e\u0301",
    " leading", "trailing ", "trailing\\", "trailing\\\\", "'", '"',
]


def generate(rng):
    kind = rng.randrange(5)
    if kind == 0:
        letters = [rng.choice(PRINTABLE) for _ in range(rng.randint(1, 30))]
    elif kind == 1:
        letters = [rng.choice(SPECIAL) for _ in range(rng.randint(1, 12))]
    elif kind == 2:
        letters = [rng.choice(SNIPPETS) for _ in range(rng.randint(1, 6))]
    elif kind == 3:
        letters = [rng.choice(WIDE + SPECIAL) for _ in range(rng.randint(1, 15))]
    else:
        letters = [rng.choice(PRINTABLE + SPECIAL + WIDE + SNIPPETS) for _ in range(rng.randint(20, 120))]
    # Ends are for DOUBTFUL: a blank there may be refused.
    return "v" + "".join(letters) + "v"


def machines():
    rng = random.Random(20)
    values = [generate(rng) for _ in range(240)] + ["v" + "long \\\"%$'" * 300 + "v"]
    found = []
    for start in range(0, len(values), 25):
        batch = values[start:start + 25]
        found.append({
            "labels": [f"l{i}={v}" for i, v in enumerate(batch)],
            "env": [f"E{i}={v}" for i, v in enumerate(batch)],
            "sure": True,
        })
    for value in DOUBTFUL:
        found.append({"labels": [f"l={value}"], "env": [], "sure": False})
        found.append({"labels": [], "env": [f"E={value}"], "sure": False})
    return found


def options(path):
    with open(path, encoding="utf-8") as file:
        for machine in json.load(file):
            words = [word for label in machine["labels"] for word in ("--engine-label", label)]
            words += [word for value in machine["env"] for word in ("--engine-env", value)]
            joined = "".join(word + "\0" for word in words)
            sys.stdout.write(base64.b64encode(joined.encode()).decode() + "\0")


def drop_in(path):
    with open(path, encoding="utf-8") as file:
        document = yaml.safe_load(file)
    for entry in document["write_files"]:
        if os.path.basename(entry["path"]) == "10-machine.conf":
            content = entry["content"]
            assert entry["encoding"] == "gz+b64", entry["encoding"]
            return gzip.decompress(base64.b64decode(content))
    sys.exit(f"no drop-in in {path}")


def compare(path, folder):
    with open(path, encoding="utf-8") as file:
        asked = json.load(file)
    arrived = wrong = 0

    def entries(number, kind):
        path = os.path.join(folder, f"{number}.{kind}")
        if not os.path.exists(path):
            return []
        with open(path, "rb") as file:
            return file.read().split(b"\0")[:-1]

    for number, machine in enumerate(asked):
        if not os.path.exists(os.path.join(folder, f"{number}.accepted")):
            if machine["sure"]:
                wrong += 1
                print(f"machine {number} was refused: {machine}")
            continue
        argv = entries(number, "argv")
        labels = [argument.removeprefix(b"--label=") for argument in argv if argument.startswith(b"--label=")]
        labels += [argv[i + 1] for i, argument in enumerate(argv) if argument == b"--label"]
        env = [entry for entry in entries(number, "environ") if entry.startswith(b"E")]
        for kind, wanted, got in (("label", machine["labels"], labels), ("env", machine["env"], env)):
            wanted = [value.encode() for value in wanted]
            arrived += len(set(wanted) & set(got))
            for value in set(wanted) - set(got):
                wrong += 1
                print(f"machine {number}: {kind} {value.decode()!a} did not arrive")
            for value in set(got) - set(wanted):
                wrong += 1
                print(f"machine {number}: {kind} {value!r} arrived, which nobody wrote")
    print(f"{arrived} values arrived as written, {wrong} did not")
    return wrong == 0


command, *rest = sys.argv[1:]
if command == "machines":
    with open(rest[0], "w", encoding="utf-8") as out:
        json.dump(machines(), out)
elif command == "options":
    options(*rest)
elif command == "drop-in":
    sys.stdout.buffer.write(drop_in(rest[0]))
elif command == "compare":
    sys.exit(not compare(*rest))
else:
    sys.exit(__doc__)
