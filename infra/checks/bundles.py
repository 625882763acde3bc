"""What `sam build` made: a program for each function, for the architecture it was asked for, and a template that says where
each is and that the translator takes."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path as File

from .lint import lint, translate
from .source import Finding, read

FUNCTION = "AWS::Serverless::Function"
# e_machine of the ELF header.
MACHINES = {"x86_64": 62, "arm64": 183}
# What provided.al2023 has; a program that wants more does not start.
# https://github.com/aws/aws-lambda-rust-runtime/issues/932
GLIBC_MAX = (2, 34)
# Lambda takes no larger upload directly, in bytes. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
ZIPPED_MAX = 50 * 1024 * 1024


def check(folder: File, architecture: str) -> tuple[list[Finding], list[str]]:
    """What is wrong, and a line for each bundle."""
    built = read((folder / "template.yaml").read_text(encoding="utf-8"))
    found, told = [], []
    for name, resource in built.data["Resources"].items():
        if resource.get("Type") != FUNCTION:
            continue
        path = ("Resources", name)
        program = folder / str(resource["Properties"].get("CodeUri")) / "bootstrap"
        why, size = _program(program, architecture)
        if why:
            found.append(Finding("bundles", path, f"{name}: {why}"))
        else:
            told.append(f"{name}: {size / 1e6:.1f} MB zipped")
    translated, refused = translate(built.data)
    found += refused or lint(translated)
    return found, told


def _program(program: File, architecture: str) -> tuple[str, int]:
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
    size = len(zlib.compress(content, 6))
    if size > ZIPPED_MAX:
        return f"{program} has {size} bytes zipped, and Lambda takes {ZIPPED_MAX}", size
    return "", size
