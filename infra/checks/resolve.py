"""Evaluates a template under given parameters: intrinsic functions, conditions, rules, the parameters' own constraints.
A reference to a resource stays a text, `${Table}` or `${Table.Arn}`. What it does not understand is an error."""

from __future__ import annotations

import re
from typing import Any

from .source import Path

NO_VALUE = object()

PSEUDO = {
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "stack",
    "AWS::NoValue": NO_VALUE,
}


class Unresolved(Exception):
    """A value that cannot be evaluated: where, and why."""

    def __init__(self, path: Path, text: str):
        super().__init__(text)
        self.path = path


def refusals(template: dict[str, Any], given: dict[str, str]) -> list[tuple[Path, str]]:
    """Why CloudFormation would refuse these parameters: constraints, then the template's rules."""
    found = []
    for name, declared in template.get("Parameters", {}).items():
        path = ("Parameters", name)
        if name not in given and "Default" not in declared:
            found.append((path, f"{name} has no value"))
            continue
        found.extend(
            (path, f"{name}: {why}") for why in _violations(declared, _text(given.get(name, declared.get("Default"))))
        )
    unknown = set(given) - set(template.get("Parameters", {}))
    found.extend((("Parameters",), f"there is no parameter {name}") for name in sorted(unknown))
    if found:
        return found
    resolver = Resolver(template, given)
    for name, rule in template.get("Rules", {}).items():
        if "RuleCondition" in rule and not resolver.value(rule["RuleCondition"], ("Rules", name)):
            continue
        for assertion in rule["Assertions"]:
            if not resolver.value(assertion["Assert"], ("Rules", name)):
                found.append((("Rules", name), assertion.get("AssertDescription", "")))
    return found


def _violations(declared: dict[str, Any], text: str) -> list[str]:
    found = []
    is_list = declared["Type"] == "CommaDelimitedList"
    for item in text.split(",") if is_list else [text]:
        if "AllowedPattern" in declared and not re.search(declared["AllowedPattern"], item):
            found.append(f"{item!r} does not match {declared['AllowedPattern']}")
        if "AllowedValues" in declared and item not in [_text(value) for value in declared["AllowedValues"]]:
            found.append(f"{item!r} is none of {declared['AllowedValues']}")
    if declared["Type"] == "Number":
        if not re.fullmatch(r"-?\d+", text):
            found.append(f"{text!r} is no whole number")
        elif int(text) < declared.get("MinValue", int(text)) or int(text) > declared.get("MaxValue", int(text)):
            found.append(f"{text} is not in {declared.get('MinValue')} to {declared.get('MaxValue')}")
    return found


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Resolver:
    """A template under parameters that it takes."""

    def __init__(self, template: dict[str, Any], given: dict[str, str]):
        self.template = template
        self.parameters = {
            name: self._parameter(declared, _text(given.get(name, declared.get("Default", ""))))
            for name, declared in template.get("Parameters", {}).items()
        }
        self.evaluating: list[str] = []

    @staticmethod
    def _parameter(declared: dict[str, Any], text: str) -> Any:
        return text.split(",") if declared["Type"] == "CommaDelimitedList" else text

    def resources(self) -> dict[str, Any]:
        """Those whose condition holds, their properties evaluated."""
        found = {}
        for name, resource in self.template["Resources"].items():
            path = ("Resources", name)
            if "Condition" in resource and not self.condition(resource["Condition"], path):
                continue
            found[name] = {
                key: self.value(value, (*path, key)) for key, value in resource.items() if key != "Condition"
            }
        return found

    def outputs(self) -> dict[str, Any]:
        return {
            name: self.value(output["Value"], ("Outputs", name))
            for name, output in self.template.get("Outputs", {}).items()
        }

    def condition(self, name: str, path: Path) -> bool:
        declared = self.template.get("Conditions", {})
        if name not in declared:
            raise Unresolved(path, f"there is no condition {name}")
        if name in self.evaluating:
            raise Unresolved(("Conditions", name), f"the condition {name} needs itself")
        self.evaluating.append(name)
        holds = self.value(declared[name], ("Conditions", name))
        self.evaluating.pop()
        return holds

    def value(self, value: Any, path: Path) -> Any:
        if isinstance(value, list):
            items = [self.value(item, (*path, place)) for place, item in enumerate(value)]
            return [item for item in items if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((key, argument),) = value.items()
            if key in ("Ref", "Condition") and isinstance(argument, str):
                return self._ref(argument, path) if key == "Ref" else self.condition(argument, path)
            if key.startswith("Fn::"):
                return self._function(key, argument, (*path, key))
        members = {key: self.value(member, (*path, key)) for key, member in value.items()}
        return {key: member for key, member in members.items() if member is not NO_VALUE}

    def _ref(self, name: str, path: Path) -> Any:
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.parameters:
            return self.parameters[name]
        if name in self.template["Resources"]:
            return f"${{{self._existing(name, path)}}}"
        raise Unresolved(path, f"there is neither a parameter nor a resource {name}")

    def _existing(self, name: str, path: Path) -> str:
        resource = self.template["Resources"].get(name)
        if resource is None:
            raise Unresolved(path, f"there is no resource {name}")
        if "Condition" in resource and not self.condition(resource["Condition"], path):
            raise Unresolved(path, f"the resource {name} does not exist under these parameters")
        return name

    def _function(self, key: str, argument: Any, path: Path) -> Any:
        if key == "Fn::If":
            name, yes, no = argument
            place, chosen = (1, yes) if self.condition(name, path) else (2, no)
            return self.value(chosen, (*path, place))
        if key == "Fn::GetAtt":
            name, attribute = argument
            return f"${{{self._existing(name, path)}.{attribute}}}"
        if key == "Fn::Sub":
            return self._sub(argument, path)
        arguments = self.value(argument, path)
        match key:
            case "Fn::Join":
                return arguments[0].join(_text(item) for item in arguments[1])
            case "Fn::Equals":
                return _text(arguments[0]) == _text(arguments[1])
            case "Fn::Not":
                return not arguments[0]
            case "Fn::And":
                return all(arguments)
            case "Fn::Or":
                return any(arguments)
            case "Fn::Select":
                return arguments[1][int(arguments[0])]
            case "Fn::Split":
                return arguments[1].split(arguments[0])
        raise Unresolved(path, f"{key} is not understood here")

    def _sub(self, argument: Any, path: Path) -> str:
        text, names = argument if isinstance(argument, list) else (argument, {})
        names = {name: self.value(value, path) for name, value in names.items()}

        def fill(found: re.Match[str]) -> str:
            name = found.group(1)
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in names:
                return _text(names[name])
            resource, dot, attribute = name.partition(".")
            if dot:
                return f"${{{self._existing(resource, path)}.{attribute}}}"
            return _text(self._ref(name, path))

        return re.sub(r"\$\{([^}]+)\}", fill, text)
