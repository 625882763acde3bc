"""Parameters: each is explained and bounded, refuses what it must, and every condition is tried both ways."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .resolve import Resolver, Unresolved, refusals
from .scenes import REFUSED, SANDBOX, SCENES
from .source import Finding, Source

BOUNDS = {"AllowedPattern", "AllowedValues", "MinValue"}


def check(source: Source) -> Iterator[Finding]:
    """All of it; the scenes themselves must be acceptable, or nothing else can be evaluated."""
    template = source.data
    for line in source.aliases:
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
        yield Finding("aliases", (), f"line {line} has a YAML alias, which CloudFormation does not take")
    for name, declared in template.get("Parameters", {}).items():
        path = ("Parameters", name)
        if not declared.get("Description"):
            yield Finding("parameters", path, f"{name} has no Description")
        if not BOUNDS & set(declared):
            yield Finding("parameters", path, f"{name} takes anything: give it one of {', '.join(sorted(BOUNDS))}")
    for scene, given in SCENES.items():
        for path, why in refusals(template, given):
            if scene == SANDBOX and path[0] == "Rules":
                continue
            yield Finding("parameters", path, f"{scene!r} is refused: {why}")
    for guard, given in REFUSED:
        found = refusals(template, given)
        if not any(path[-1] == guard for path, _why in found):
            kind = "Parameters" if guard in template.get("Parameters", {}) else "Rules"
            odd = {
                name: value for name, value in given.items() if SCENES["a cluster on the internet"].get(name) != value
            }
            yield Finding("parameters", (kind, guard), f"{guard} has to refuse {odd or 'parameters without a secret'}")
    yield from _conditions(template)


def _conditions(template: dict[str, Any]) -> Iterator[Finding]:
    for name in template.get("Conditions", {}):
        path = ("Conditions", name)
        try:
            seen = {Resolver(template, given).condition(name, path) for given in SCENES.values()}
        except Unresolved as error:
            yield Finding("parameters", error.path, str(error))
            continue
        if len(seen) < 2:
            yield Finding(
                "parameters",
                path,
                f"{name} is {seen.pop()} in every scene of infra/checks/scenes.py: add one where it is not",
            )
