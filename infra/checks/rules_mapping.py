"""The mapping: nothing in it may skip a record, and nothing may be what Lambda refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .rules_functions import FUNCTION, MAPPING, by_binary, token
from .scenes import Deployed
from .source import Finding

# Why each of these has to stay away. Some are harmless at one value, which the second part says.
SKIPPING: dict[str, tuple[str, Any]] = {
    "DestinationConfig": ("a destination ends infinite retries after ten", None),
    "MaximumRecordAgeInSeconds": ("a record that is too old is dropped", -1),
    "MaximumRetryAttempts": ("a record that fails too often is dropped", -1),
    "BisectBatchOnFunctionError": (
        "halves of a batch are retried apart, which no document says keeps the order",
        False,
    ),
    "FilterCriteria": ("a filtered record is never decided", None),
    "FunctionResponseTypes": (
        "the worker fails whole batches, and its answer would be read as a list of failures",
        None,
    ),
    "ConsumptionMode": ("another mode than Stream has no order", "Stream"),
}
# What Lambda refuses without provisioned pollers.
# https://docs.aws.amazon.com/lambda/latest/dg/kafka-scaling-modes.html
PROVISIONED_ONLY = [
    "LoggingConfig",
    "MaximumRetryAttempts",
    "MaximumRecordAgeInSeconds",
    "BisectBatchOnFunctionError",
    "FunctionResponseTypes",
]
# A Kafka mapping's function may not run longer, although Lambda allows 15 minutes.
FUNCTION_SECONDS_MAX = 14 * 60
POLLERS_MINIMUM_MAX, POLLERS_MAXIMUM_MAX = 200, 2000


def mapping(deployed: Deployed) -> Iterator[Finding]:
    """One mapping, to the worker, of the request topic."""
    found = deployed.of(MAPPING)
    if len(found) != 1:
        yield Finding("mapping", ("Resources",), f"one mapping is needed, not {len(found)}")
    for name, properties in found.items():
        for key, text in [*_skipping(properties), *_refused(deployed, properties), *_promised(deployed, properties)]:
            yield Finding("mapping", ("Resources", name, "Properties", *([key] if key else [])), f"{name}: {text}")


def _skipping(properties: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, (why, harmless) in SKIPPING.items():
        if key in properties and properties[key] != harmless and str(properties[key]) != str(harmless):
            yield key, f"{key} must not be there: {why}"
    if properties.get("StartingPosition") != "TRIM_HORIZON":
        yield "StartingPosition", f"StartingPosition {properties.get('StartingPosition')} skips what was written before; it has to be TRIM_HORIZON"
    if str(properties.get("Enabled", True)).lower() != "true":
        yield "Enabled", "a mapping that is not enabled decides nothing"


def _refused(deployed: Deployed, properties: dict[str, Any]) -> Iterator[tuple[str, str]]:
    pollers = properties.get("ProvisionedPollerConfig")
    for key in PROVISIONED_ONLY:
        if pollers is None and key in properties:
            yield key, f"{key} needs ProvisionedPollerConfig, which is not there"
    if pollers is not None:
        minimum, maximum = int(pollers.get("MinimumPollers", 1)), int(pollers.get("MaximumPollers", 200))
        if minimum > maximum:
            yield "ProvisionedPollerConfig", f"MinimumPollers {minimum} is more than MaximumPollers {maximum}"
        if not 1 <= minimum <= POLLERS_MINIMUM_MAX or not 1 <= maximum <= POLLERS_MAXIMUM_MAX:
            yield "ProvisionedPollerConfig", f"{minimum} to {maximum} pollers are out of Lambda's bounds"
    for key, low, high in (("BatchSize", 1, 10_000), ("MaximumBatchingWindowInSeconds", 0, 300)):
        if not low <= int(properties.get(key, low)) <= high:
            yield key, f"{key} {properties[key]} is not in {low} to {high}"
    if len(properties.get("Topics", [])) != 1:
        yield "Topics", f"Lambda takes exactly one topic, not {properties.get('Topics')}"
    function = deployed.of(FUNCTION).get(str(properties.get("FunctionName"))[2:].removesuffix(".Arn}"), {})
    if int(function.get("Timeout", 3)) > FUNCTION_SECONDS_MAX:
        yield "FunctionName", f"its function may run {function['Timeout']} s, and at most {FUNCTION_SECONDS_MAX} s are allowed behind a Kafka mapping"
    kinds = [each["Type"] for each in properties.get("SourceAccessConfigurations", [])]
    if ("VPC_SUBNET" in kinds) != ("VPC_SECURITY_GROUP" in kinds):
        yield "SourceAccessConfigurations", "VPC_SUBNET and VPC_SECURITY_GROUP go together"
    if len([kind for kind in kinds if kind.endswith("_AUTH")]) > 1:
        yield "SourceAccessConfigurations", f"at most one way to log in is allowed, not {kinds}"


def _promised(deployed: Deployed, properties: dict[str, Any]) -> Iterator[tuple[str, str]]:
    worker = by_binary(deployed).get("issue-worker", ("", {}))[0]
    if properties.get("FunctionName") != token(worker, "Arn"):
        yield "FunctionName", f"it invokes {properties.get('FunctionName')}, and not issue-worker"
    if not properties.get("SelfManagedKafkaEventSourceConfig", {}).get("ConsumerGroupId"):
        yield "SelfManagedKafkaEventSourceConfig", "without a ConsumerGroupId a mapping that is made anew begins the log again"
    pollers = properties.get("ProvisionedPollerConfig")
    if (pollers is not None) != (deployed.given("Pollers") != "0"):
        yield "ProvisionedPollerConfig", f"Pollers is {deployed.given('Pollers')}, and the pollers are {'provisioned' if pollers else 'on demand'}"
    if pollers is not None and pollers.get("MinimumPollers") != pollers.get("MaximumPollers"):
        yield "ProvisionedPollerConfig", "minimum and maximum differ: scaling rebalances the group, which stops every partition"
    window = properties.get("MaximumBatchingWindowInSeconds")
    if str(window) != deployed.given("BatchingWindowSeconds"):
        yield "MaximumBatchingWindowInSeconds", f"the window is {window}, and half a second where none is set; BatchingWindowSeconds says {deployed.given('BatchingWindowSeconds')}"
    yield from _access(deployed, properties)


def _access(deployed: Deployed, properties: dict[str, Any]) -> Iterator[tuple[str, str]]:
    wanted = {
        *(
            (kind, deployed.given(name))
            for kind, name in (("SASL_SCRAM_512_AUTH", "SaslSecretArn"), ("SERVER_ROOT_CA_CERTIFICATE", "CaSecretArn"))
        ),
        *(
            ("VPC_SUBNET", f"subnet:{deployed.given(name)}")
            for name in ("SubnetA", "SubnetB", "SubnetC")
            if deployed.given(name)
        ),
    }
    if deployed.given("SecurityGroup"):
        wanted.add(("VPC_SECURITY_GROUP", f"security_group:{deployed.given('SecurityGroup')}"))
    wanted = {(kind, uri) for kind, uri in wanted if uri}
    found = {(each.get("Type"), each.get("URI")) for each in properties.get("SourceAccessConfigurations", [])}
    for kind, uri in sorted(wanted - found):
        yield "SourceAccessConfigurations", f"the pollers are not told {kind} {uri}"
    for kind, uri in sorted(found - wanted, key=str):
        yield "SourceAccessConfigurations", f"the pollers are told {kind} {uri}, which no parameter gives"


ALL = [mapping]
