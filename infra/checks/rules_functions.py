"""Functions, what they are told, the tables they write to, and what they may do: no more and no less than the code does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import code
from .scenes import Deployed
from .source import Finding, Path

FUNCTION, TABLE, ROLE, LOGS, MAPPING = (
    "AWS::Lambda::Function",
    "AWS::DynamoDB::Table",
    "AWS::IAM::Role",
    "AWS::Logs::LogGroup",
    "AWS::Lambda::EventSourceMapping",
)

# In seconds: what each needs at worst, with its retries.
TIMEOUTS = {"issue-api": 10, "issue-worker": 60, "topic-setup": 120}

LOGGING = {"logs:CreateLogStream", "logs:PutLogEvents"}
# Actions that know no resource, or not for what Lambda does with them.
TRACING = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
NETWORK = {
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
}
# https://docs.aws.amazon.com/lambda/latest/dg/with-kafka-permissions.html
NETWORK_OF_A_MAPPING = {"ec2:DescribeVpcs", "ec2:DescribeSecurityGroups"}


def binary(deployed: Deployed, name: str) -> str:
    """Which package a function resource is built from."""
    return str(deployed.resources[name].get("Metadata", {}).get("BuildProperties", {}).get("Binary"))


def by_binary(deployed: Deployed) -> dict[str, tuple[str, dict[str, Any]]]:
    """The function resources by their package."""
    return {binary(deployed, name): (name, properties) for name, properties in deployed.of(FUNCTION).items()}


def token(name: str, attribute: str = "") -> str:
    """How a reference to a resource is written after evaluation."""
    return f"${{{name}.{attribute}}}" if attribute else f"${{{name}}}"


def functions(deployed: Deployed) -> Iterator[Finding]:
    """Each is built from a package of the workspace, and runs as it has to."""
    built = by_binary(deployed)
    for missing in sorted(set(code.functions()) - set(built)):
        yield Finding("functions", ("Resources",), f"functions/{missing} is not deployed")
    for package, (name, properties) in built.items():
        path: Path = ("Resources", name)
        if package not in code.functions():
            yield Finding(
                "functions", (*path, "Metadata", "BuildProperties"), f"there is no package functions/{package}"
            )
            continue
        metadata, declared = (
            deployed.resources[name].get("Metadata", {}),
            deployed.source["Resources"][name]["Properties"],
        )
        group = properties.get("LoggingConfig", {}).get("LogGroup", "")
        group_name = group[2:-1] if group.startswith("${") else ""
        expected = [
            (("Metadata", "BuildMethod"), metadata.get("BuildMethod"), "rust-cargolambda"),
            (("Properties", "CodeUri"), declared.get("CodeUri"), f"../functions/{package}"),
            (("Properties", "Runtime"), properties.get("Runtime"), "provided.al2023"),
            # What the custom runtime starts, and how cargo-lambda names every binary.
            (("Properties", "Handler"), properties.get("Handler"), "bootstrap"),
            (
                ("Properties", "Timeout"),
                str(properties.get("Timeout")),
                str(TIMEOUTS.get(package, properties.get("Timeout"))),
            ),
            (("Properties", "FunctionName"), properties.get("FunctionName"), deployed.given("Prefix") + package),
            (("Properties", "Architectures"), properties.get("Architectures"), [deployed.given("Architecture")]),
            (("Properties", "Tracing"), properties.get("TracingConfig", {}).get("Mode"), "Active"),
            (("Properties", "LoggingConfig"), properties.get("LoggingConfig", {}).get("LogFormat"), "JSON"),
            (("Properties", "LoggingConfig"), group_name in deployed.of(LOGS), True),
        ]
        for place, found, wanted in expected:
            if found != wanted:
                yield Finding(
                    "functions", (*path, *place), f"{name}: {place[-1]} is {found!r}, and has to be {wanted!r}"
                )
        yield from _place(deployed, name, properties)
    for name, properties in deployed.of(LOGS).items():
        if not properties.get("RetentionInDays"):
            yield Finding("functions", ("Resources", name), f"{name} keeps logs for ever: give it RetentionInDays")


def _place(deployed: Deployed, name: str, properties: dict[str, Any]) -> Iterator[Finding]:
    """The functions reach the brokers from where the mapping does."""
    subnets = [deployed.given(subnet) for subnet in ("SubnetA", "SubnetB", "SubnetC") if deployed.given(subnet)]
    found = properties.get("VpcConfig", {}).get("SubnetIds", [])
    if found != subnets:
        yield Finding(
            "functions",
            ("Resources", name, "Properties", "VpcConfig"),
            f"{name} is in {found}, the brokers are reached from {subnets}",
        )


def variables(deployed: Deployed) -> Iterator[Finding]:
    """What is set is what config.rs reads, and both functions and the mapping mean the same tables, topics and brokers."""
    topics: dict[str, set[str]] = {}
    for package, (name, properties) in by_binary(deployed).items():
        path: Path = ("Resources", name, "Properties", "Environment", "Variables")
        given = properties.get("Environment", {}).get("Variables", {})
        read = code.functions()[package].variables if package in code.functions() else frozenset()
        for missing in sorted(read - set(given)):
            yield Finding(
                "variables", path, f"{name}: {missing} is read by functions/{package}/src/config.rs, and not set"
            )
        for unknown in sorted(set(given) - read):
            yield Finding(
                "variables",
                (*path, unknown),
                f"{name}: {unknown} is set, and functions/{package}/src/config.rs does not read it",
            )
        for variable, keys in code.table_keys().items():
            if variable in given and _keys(deployed, given[variable]) != keys:
                yield Finding(
                    "variables",
                    (*path, variable),
                    f"{name}: {variable} is {given[variable]}, which is no table with the key {keys}",
                )
        for variable in sorted(set(given) & {"REQUEST_TOPIC", "RESULT_TOPIC", "DEAD_LETTER_TOPIC"}):
            topics.setdefault(variable, set()).add(given[variable])
    for mapping in deployed.of(MAPPING).values():
        topics.setdefault("REQUEST_TOPIC", set()).update(mapping.get("Topics", []))
        servers = ",".join(
            mapping.get("SelfManagedEventSource", {}).get("Endpoints", {}).get("KafkaBootstrapServers", [])
        )
        for name, properties in deployed.of(FUNCTION).items():
            told = properties.get("Environment", {}).get("Variables", {}).get("KAFKA_BOOTSTRAP_SERVERS")
            if told != servers:
                yield Finding(
                    "variables",
                    ("Resources", name, "Properties"),
                    f"{name} produces to {told}, and the mapping reads from {servers}",
                )
    names = [topic for found in topics.values() for topic in found]
    if len(set(names)) != len(topics) or len(names) != len(topics):
        yield Finding("variables", ("Resources",), f"functions and mapping do not mean the same three topics: {topics}")


def _keys(deployed: Deployed, reference: str) -> list[str]:
    schema = deployed.of(TABLE).get(reference[2:-1], {}).get("KeySchema", [])
    kinds = {element["KeyType"]: element["AttributeName"] for element in schema}
    return [kinds[kind] for kind in ("HASH", "RANGE") if kind in kinds]


def tables(deployed: Deployed) -> Iterator[Finding]:
    """Keyed as the store keys items, billed by use, and hard to lose."""
    found = {tuple(_keys(deployed, token(name))): name for name in deployed.of(TABLE)}
    for variable, keys in code.table_keys().items():
        if tuple(keys) not in found:
            yield Finding(
                "tables", ("Resources",), f"no table has the key {keys}, by which the store finds what {variable} is"
            )
    for name, properties in deployed.of(TABLE).items():
        path: Path = ("Resources", name)
        expected = [
            ((), deployed.resources[name].get("DeletionPolicy"), "Retain", "DeletionPolicy"),
            ((), deployed.resources[name].get("UpdateReplacePolicy"), "Retain", "UpdateReplacePolicy"),
            (("Properties", "BillingMode"), properties.get("BillingMode"), "PAY_PER_REQUEST", "BillingMode"),
            (
                ("Properties", "DeletionProtectionEnabled"),
                properties.get("DeletionProtectionEnabled"),
                True,
                "DeletionProtectionEnabled",
            ),
            (
                ("Properties", "SSESpecification"),
                properties.get("SSESpecification", {}).get("SSEEnabled"),
                True,
                "SSEEnabled",
            ),
            (
                ("Properties", "PointInTimeRecoverySpecification"),
                properties.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled"),
                True,
                "PointInTimeRecoveryEnabled",
            ),
        ]
        for place, is_now, wanted, what in expected:
            if is_now != wanted:
                yield Finding("tables", (*path, *place), f"{name}: {what} is {is_now!r}, and has to be {wanted!r}")
        kinds = {
            element["AttributeName"]: element["AttributeType"] for element in properties.get("AttributeDefinitions", [])
        }
        for key in _keys(deployed, token(name)):
            if kinds.get(key) != "S":
                yield Finding(
                    "tables",
                    (*path, "Properties", "AttributeDefinitions"),
                    f"{name}: {key} is {kinds.get(key)!r}, and the store writes S",
                )
        warmth = properties.get("WarmThroughput", {})
        if warmth and [str(each) for each in warmth.values()] != [
            deployed.given("WarmReads"),
            deployed.given("WarmWrites"),
        ]:
            yield Finding(
                "tables",
                (*path, "Properties", "WarmThroughput"),
                f"{name}: {warmth} is not what WarmReads and WarmWrites say",
            )
    if deployed.given("WarmWrites") != "0" and not any(
        "WarmThroughput" in each for each in deployed.of(TABLE).values()
    ):
        yield Finding("tables", ("Resources",), "WarmWrites is given, and no table is warmed")


def policies(deployed: Deployed) -> Iterator[Finding]:
    """Each function has a role of its own, with exactly what its code, its logs and its mapping need."""
    users = {}
    for package, (name, properties) in by_binary(deployed).items():
        role = str(properties.get("Role", ""))[2:].removesuffix(".Arn}")
        if role not in deployed.of(ROLE):
            yield Finding(
                "policies",
                ("Resources", name, "Properties", "Role"),
                f"{name} has no role of this template: SAM would make one with more rights",
            )
        elif role in users:
            yield Finding(
                "policies", ("Resources", name, "Properties", "Role"), f"{name} shares {role} with {users[role]}"
            )
        else:
            users[role] = name
            yield from _role(deployed, role, _needed(deployed, package, name, properties))
    for role in sorted(set(deployed.of(ROLE)) - set(users)):
        yield Finding("policies", ("Resources", role), f"{role} is nobody's")


def _needed(deployed: Deployed, package: str, name: str, properties: dict[str, Any]) -> set[tuple[str, str]]:
    function = code.functions().get(package)
    if function is None:
        return set()
    told = properties.get("Environment", {}).get("Variables", {})
    has_mapping = any(mapping.get("FunctionName") == token(name, "Arn") for mapping in deployed.of(MAPPING).values())
    group = str(properties.get("LoggingConfig", {}).get("LogGroup", ""))[2:-1]
    needed = {(action, token(group, "Arn")) for action in LOGGING} | {(action, "*") for action in TRACING}
    needed |= {
        (f"dynamodb:{right}", token(str(told.get(table))[2:-1], "Arn")) for right, table in function.table_rights
    }
    secrets = [deployed.given(secret) for secret in ("SaslSecretArn", "CaSecretArn") if deployed.given(secret)]
    if function.reads_secrets or has_mapping:
        needed |= {("secretsmanager:GetSecretValue", secret) for secret in secrets}
        if secrets and deployed.given("SecretsKeyArn"):
            needed.add(("kms:Decrypt", deployed.given("SecretsKeyArn")))
    if deployed.given("SubnetA"):
        needed |= {(action, "*") for action in NETWORK | (NETWORK_OF_A_MAPPING if has_mapping else set())}
    return needed


def _role(deployed: Deployed, role: str, needed: set[tuple[str, str]]) -> Iterator[Finding]:
    properties, path = deployed.of(ROLE)[role], ("Resources", role, "Properties")
    trust = properties.get("AssumeRolePolicyDocument", {}).get("Statement", [])
    if [(each.get("Effect"), each.get("Principal"), each.get("Action")) for each in trust] != [
        ("Allow", {"Service": "lambda.amazonaws.com"}, "sts:AssumeRole")
    ]:
        yield Finding("policies", (*path, "AssumeRolePolicyDocument"), f"{role} is for Lambda alone to assume")
    if properties.get("ManagedPolicyArns"):
        yield Finding(
            "policies",
            (*path, "ManagedPolicyArns"),
            f"{role} has policies that are not written out: {properties['ManagedPolicyArns']}",
        )
    granted = set()
    for policy in properties.get("Policies", []):
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement.get("Effect") != "Allow" or {"NotAction", "NotResource"} & set(statement):
                yield Finding(
                    "policies",
                    (*path, "Policies"),
                    f"{role}: {statement.get('Sid')} does not say plainly what is allowed",
                )
                continue
            pairs = {
                (action, resource)
                for action in _several(statement["Action"])
                for resource in _several(statement["Resource"])
            }
            granted |= pairs
            via = statement.get("Condition", {}).get("StringEquals", {}).get("kms:ViaService")
            if any(action == "kms:Decrypt" for action, _ in pairs) and via != "secretsmanager.us-east-1.amazonaws.com":
                yield Finding(
                    "policies",
                    (*path, "Policies"),
                    f"{role}: kms:Decrypt is for Secrets Manager alone, and has no such kms:ViaService",
                )
    for action, resource in sorted(needed - granted):
        yield Finding("policies", (*path, "Policies"), f"{role} needs {action} on {resource}")
    for action, resource in sorted(granted - needed):
        yield Finding("policies", (*path, "Policies"), f"{role} has {action} on {resource}, and nothing uses it")


def _several(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


ALL = [functions, variables, tables, policies]
