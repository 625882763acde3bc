"""The command: `python -m checks TEMPLATE`. Checks one template, then plants faults in it and in made-up bundles, each of
which has to be found."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path as File
from typing import Any

from . import bundles, rules_api, rules_functions, rules_mapping, rules_parameters, rules_topics, rules_watch
from .code import CodeChanged
from .faults import FAULTS, Fault, Unplanted
from .lint import lint, translate
from .resolve import Resolver, Unresolved
from .scenes import SCENES, Deployed
from .source import Finding, Source, Unreadable, read

RULES = [*rules_functions.ALL, *rules_mapping.ALL, *rules_topics.ALL, *rules_api.ALL, *rules_watch.ALL]
FINE, WRONG, UNCHECKED = 0, 1, 2
TEXT_MAX = 400


def main(arguments: list[str]) -> int:
    if len(arguments) == 3 and arguments[0] == "--bundles":
        return built(File(arguments[1]), arguments[2])
    if len(arguments) != 1:
        print("usage: python -m checks TEMPLATE | --bundles FOLDER ARCHITECTURE", file=sys.stderr)
        return UNCHECKED
    name = arguments[0]
    try:
        text = File(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        print(f"{name} cannot be read: {error}", file=sys.stderr)
        return UNCHECKED
    try:
        source = read(text)
        findings = [*own(source), *linted(source)]
    except Unreadable as error:
        print(f"{name}:{error.line}: {error}")
        return WRONG
    except CodeChanged as error:
        print(error, file=sys.stderr)
        return UNCHECKED
    if findings:
        for line in dict.fromkeys(_shown(name, source, finding) for finding in findings):
            print(line)
        return WRONG
    print(f"{name}: fine in {len(SCENES)} deployments")
    missed = [text for fault in FAULTS if (text := unfound(fault, source))]
    missed += bundles.unfound(source)
    for text in missed:
        print(text)
    if not missed:
        print(f"{len(FAULTS)} faults planted in a copy of it, each found where it is")
        print(f"{len(bundles.FAULTS)} faults in bundles that are made up, each found as well")
    return WRONG if missed else FINE


def built(folder: File, architecture: str) -> int:
    """Checks what `sam build` left in a folder."""
    try:
        findings, told = bundles.check(folder, architecture)
    except (OSError, Unreadable) as error:
        print(f"{folder} has no template that was built: {error}", file=sys.stderr)
        return UNCHECKED
    for finding in findings:
        print(f"{folder}: {'/'.join(map(str, finding.path))}: {finding.text} [{finding.rule}]")
    if not findings:
        print(f"{len(told)} bundles for {architecture}: {', '.join(told)}")
    return WRONG if findings else FINE


def own(source: Source) -> list[Finding]:
    """Our own rules, on what the translator makes of the template, in every scene."""
    translated, findings = translate(source.data)
    if findings:
        return findings
    found = list(rules_parameters.check(source))
    if any(finding.rule == "parameters" and "is refused" in finding.text for finding in found):
        return found
    for scene, given in SCENES.items():
        found += _in_scene(scene, given, source, translated)
    return list(dict.fromkeys(found))


def _in_scene(scene: str, given: dict[str, str], source: Source, translated: dict[str, Any]) -> Iterable[Finding]:
    try:
        resolver = Resolver(translated, given)
        deployed = Deployed(scene, given, resolver.resources(), source.data)
        resolver.outputs()
    except Unresolved as error:
        return [Finding("references", error.path, f"{error} ({scene})")]
    return [finding for rule in RULES for finding in rule(deployed)]


def linted(source: Source) -> list[Finding]:
    """The linter's rules; the translator's own refusals are in `own` already."""
    translated, _refused = translate(source.data)
    return lint(translated) if translated else []


def unfound(fault: Fault, source: Source) -> str | None:
    """What to say of a planted fault that is not found: by the rule that it is for, at the place where it is."""
    try:
        broken = fault.planted(source)
        findings = linted(broken) if fault.is_linters else own(broken)
    except Unplanted as error:
        return f"fault {fault.name!r} cannot be planted: {error}"
    except Unreadable as error:
        findings = [Finding("unreadable", (), str(error))]
    if any(finding.rule == fault.rule and finding.path[: len(fault.where)] == fault.where for finding in findings):
        return None
    others = (
        ", ".join(sorted({f"{finding.rule} at {'/'.join(map(str, finding.path))}" for finding in findings}))
        or "nothing"
    )
    return f"fault {fault.name!r} is not found by {fault.rule} at {'/'.join(map(str, fault.where))}; found: {others}"


def _shown(name: str, source: Source, finding: Finding) -> str:
    place = "/".join(str(part) for part in finding.path)
    # The linter lists all that would have been possible.
    text = finding.text if len(finding.text) <= TEXT_MAX else f"{finding.text[:TEXT_MAX]}…"
    return f"{name}:{source.line(finding.path)}: {place + ': ' if place else ''}{text} [{finding.rule}]"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
