"""What others check: the SAM translator takes the template, and cfn-lint finds nothing in what comes out. cfn-lint knows
every resource's properties and IAM's actions; its warnings count as errors here."""

from __future__ import annotations

import copy
import json
import logging
import os
import re
from typing import Any

from .source import Finding, Path, read

# The translator asks boto3 for a region, and would otherwise look for a configuration.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from cfnlint.api import ManualArgs, lint as cfn_lint  # noqa: E402
from samtranslator.model.exceptions import InvalidDocumentException  # noqa: E402
from samtranslator.translator.transform import transform  # noqa: E402

# What it logs about itself says nothing about the template; its refusals come as exceptions.
logging.getLogger("samtranslator").setLevel(logging.CRITICAL)


class _NoManagedPolicies:
    """The translator looks names of managed policies up here; ours are written out."""

    @staticmethod
    def load() -> dict[str, str]:
        return {}


def translate(template: dict[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """The template as CloudFormation would run it, or why SAM refuses it."""
    given = copy.deepcopy(template)
    for resource in given["Resources"].values():
        if isinstance(resource, dict) and resource.get("Type") == "AWS::Serverless::Function":
            # The bundle is uploaded before the translation, and its address put here.
            resource.setdefault("Properties", {})["CodeUri"] = "s3://bucket/key"
    if given.get("Transform") != "AWS::Serverless-2016-10-31":
        return {}, [Finding("translation", (), "Transform: AWS::Serverless-2016-10-31 is missing")]
    try:
        return transform(given, {}, _NoManagedPolicies()), []
    except InvalidDocumentException as error:
        return {}, [Finding("translation", _resource(cause.message, template), cause.message) for cause in error.causes]


def _resource(message: str, template: dict[str, Any]) -> Path:
    named = re.search(r"id \[(\w+)\]", message)
    return ("Resources", named.group(1)) if named and named.group(1) in template["Resources"] else ()


def lint(translated: dict[str, Any]) -> list[Finding]:
    """The linter's findings by its own rule names, such as E3002, each at the value of the template that it is about."""
    text = json.dumps(translated, indent=1)
    # JSON is YAML, so the reader that knows lines tells which value stands on one.
    places: dict[int, Path] = {}
    for path, line in read(text).lines.items():
        places[line] = max(path, places.get(line, ()), key=len)
    matches = cfn_lint(text, config=ManualArgs(regions=["us-east-1"]))
    return [Finding(match.rule.id, places.get(match.linenumber, ()), match.message) for match in matches]
