"""What `sam build` made: a program for each function, for the architecture it was asked for, and a template that says where
each is and that the translator takes. `unfound` holds this check itself to bundles that are made up."""

from __future__ import annotations

import copy
import json
import re
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path as File

from .lint import lint, translate
from .source import Finding, Source, read

FUNCTION = "AWS::Serverless::Function"
# e_machine of the ELF header.
MACHINES = {"x86_64": 62, "arm64": 183}
# What provided.al2023 has; a program that wants more does not start.
# https://github.com/aws/aws-lambda-rust-runtime/issues/932
GLIBC_MAX = (2, 34)
# Our own bound, in bytes, since what is unpacked and mapped is part of every cold start. Lambda's own is beyond it: 50 MB
# zipped. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
PROGRAM_MAX = 20_000_000


def check(folder: File, architecture: str) -> tuple[list[Finding], list[str]]:
    """What is wrong, and a line for each bundle."""
    built = read((folder / "template.yaml").read_text(encoding="utf-8"))
    found, told = _programs(folder, built, architecture)
    translated, refused = translate(built.data)
    found += refused or lint(translated)
    return found, told


def _programs(folder: File, built: Source, architecture: str) -> tuple[list[Finding], list[str]]:
    found, told = [], []
    for name, resource in built.data["Resources"].items():
        if resource.get("Type") != FUNCTION:
            continue
        program = folder / str(resource["Properties"].get("CodeUri")) / "bootstrap"
        why, size = _program(program, architecture)
        if why:
            found.append(Finding("bundles", ("Resources", name), f"{name}: {why}"))
        else:
            told.append(f"{name}: {size / 1e6:.1f} MB")
    if not told and not found:
        found.append(Finding("bundles", ("Resources",), "there is no function"))
    return found, told


def _program(program: File, architecture: str) -> tuple[str, int]:
    """Why it is none that Lambda would start, and its size."""
    if not program.is_file():
        return f"there is no {program}", 0
    content = program.read_bytes()
    if content[:4] != b"\x7fELF":
        return f"{program} is no program of Linux's", 0
    machine = struct.unpack_from("<H", content, 18)[0]
    if machine != MACHINES[architecture]:
        return f"{program} is for machine {machine} and not for {architecture}", 0
    wanted = max((tuple(map(int, found)) for found in re.findall(rb"GLIBC_(\d+)\.(\d+)", content)), default=GLIBC_MAX)
    if wanted > GLIBC_MAX:
        return f"{program} wants glibc {'.'.join(map(str, wanted))}, and provided.al2023 has {'.'.join(map(str, GLIBC_MAX))}", 0
    if len(content) >= PROGRAM_MAX:
        return f"{program} has {len(content)} bytes, and has to stay below {PROGRAM_MAX}", len(content)
    return "", len(content)


def _made_up(machine: int = MACHINES["x86_64"], glibc: bytes = b"2.34", size: int = 4096) -> bytes:
    """What looks like a program for as long as nobody starts it."""
    head = b"\x7fELF" + bytes(14) + struct.pack("<H", machine) + b"\0GLIBC_2.2\0GLIBC_" + glibc + b"\0"
    return head + bytes(size - len(head))


# What stands in the place of the first function's program, and what has to be said of it.
FAULTS: list[tuple[str, bytes | None, str]] = [
    ("no program", None, "there is no "),
    ("a script", b"#!/bin/sh\nexec true\n" + bytes(64), "is no program of Linux's"),
    ("another machine's program", _made_up(MACHINES["arm64"]), "is for machine 183 and not for x86_64"),
    ("a newer glibc", _made_up(glibc=b"2.38"), "wants glibc 2.38"),
    ("a program of 20 MB", _made_up(size=PROGRAM_MAX), f"has {PROGRAM_MAX} bytes"),
]


def unfound(source: Source) -> Iterator[str]:
    """What to say of a good bundle that is refused, and of a fault in one that is not found."""
    built = copy.deepcopy(source.data)
    functions = [name for name, each in built["Resources"].items() if each.get("Type") == FUNCTION]
    for name in functions:
        built["Resources"][name].setdefault("Properties", {})["CodeUri"] = name
    with tempfile.TemporaryDirectory() as name:
        folder = File(name)
        text = json.dumps(built)
        (folder / "template.yaml").write_text(text, encoding="utf-8")
        made_up = read(text)
        for function in functions:
            (folder / function).mkdir()
            (folder / function / "bootstrap").write_bytes(_made_up(size=PROGRAM_MAX - 1))
        findings, _told = check(folder, "x86_64")
        yield from (f"good bundles are refused: {finding.text} [{finding.rule}]" for finding in findings)
        program = folder / functions[0] / "bootstrap"
        for fault, content, expected in FAULTS:
            program.unlink(missing_ok=True)
            if content is not None:
                program.write_bytes(content)
            findings, _told = _programs(folder, made_up, "x86_64")
            found = [(finding.path, expected in finding.text) for finding in findings]
            if found != [(("Resources", functions[0]), True)]:
                yield f"bundle fault {fault!r} is not found as the one that it is; found: {[each.text for each in findings] or 'nothing'}"
