"""The topics: those that functions and mapping speak of, with what the order of a log asks of each, made before anything
reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .rules_functions import MAPPING, by_binary, token
from .scenes import Deployed
from .source import Finding

TOPICS = "Custom::KafkaTopics"
# By the variable that names a topic; the parameter or the number of its partitions.
PARTITIONS = {"REQUEST_TOPIC": "Partitions", "RESULT_TOPIC": "Partitions", "DEAD_LETTER_TOPIC": 1}
# What a dead letter has more than its record: four headers, and in them the topic's name and its own.
DEAD_LETTER_MORE_BYTES = 1024
# CloudFormation's own bounds, in seconds.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html
WAIT_SECONDS_MAX = 3600
# Lambda calls a failed function again after one minute and after two.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
CALLS, BETWEEN_CALLS_SECONDS = 3, 180


def topics(deployed: Deployed) -> Iterator[Finding]:
    """One resource, answered by topic-setup, that lists the three topics."""
    found = {name: each for name, each in deployed.of(TOPICS).items()}
    if len(found) != 1:
        yield Finding("topics", ("Resources",), f"one resource {TOPICS} is needed, not {len(found)}")
    for name, properties in found.items():
        path = ("Resources", name, "Properties")
        yield from _waits(deployed, name, properties)
        told = {
            variable: given
            for _name, function in by_binary(deployed).values()
            for variable, given in function.get("Environment", {}).get("Variables", {}).items()
            if variable in PARTITIONS
        }
        listed = {topic.get("Name"): topic for topic in properties.get("Topics", [])}
        for variable, topic in sorted(told.items()):
            if topic not in listed:
                yield Finding("topics", (*path, "Topics"), f"{name}: nobody makes {topic}, which {variable} is")
                continue
            for why in _topic(deployed, variable, listed[topic]):
                yield Finding("topics", (*path, "Topics"), f"{name}: {topic} {why}")
        for topic in sorted(set(listed) - set(told.values()), key=str):
            yield Finding("topics", (*path, "Topics"), f"{name}: {topic} is made, and nobody speaks of it")
        yield from _sizes(name, told, listed)
        for mapping in deployed.of(MAPPING):
            before = deployed.resources[mapping].get("DependsOn", [])
            if name not in ([before] if isinstance(before, str) else before):
                yield Finding("topics", ("Resources", mapping), f"{mapping} is not made after {name}: give it DependsOn")


def _waits(deployed: Deployed, name: str, properties: dict[str, Any]) -> Iterator[Finding]:
    path = ("Resources", name, "Properties")
    function, settings = by_binary(deployed).get("topic-setup", ("", {}))
    if properties.get("ServiceToken") != token(function, "Arn"):
        yield Finding("topics", (*path, "ServiceToken"), f"{name} is answered by {properties.get('ServiceToken')}, and not by topic-setup")
    wait = int(properties.get("ServiceTimeout", WAIT_SECONDS_MAX))
    needed = CALLS * int(settings.get("Timeout", 3)) + BETWEEN_CALLS_SECONDS
    if not needed <= wait < WAIT_SECONDS_MAX:
        yield Finding("topics", (*path, "ServiceTimeout"), f"{name} waits {wait} s; {CALLS} calls need {needed} s, and without a bound it is an hour")


def _topic(deployed: Deployed, variable: str, topic: dict[str, Any]) -> Iterator[str]:
    partitions = PARTITIONS[variable]
    is_kafka = deployed.given("ClusterKind") == "kafka"
    wanted = {
        "Partitions": deployed.given(partitions) if isinstance(partitions, str) else str(partitions),
        "Replication": deployed.given("Replication"),
    }
    settings = {
        "message.timestamp.type": "LogAppendTime",
        "cleanup.policy": "delete",
        "retention.ms": deployed.given("RetentionMs"),
        "write.caching": None if is_kafka else "false",
        "min.insync.replicas": deployed.given("MinInsyncReplicas") if is_kafka else None,
    }
    for key, value in wanted.items():
        if str(topic.get(key)) != value:
            yield f"has {key} {topic.get(key)}, and has to have {value}"
    config = topic.get("Config", {})
    for key, value in settings.items():
        is_now = None if key not in config else str(config[key])
        if is_now != value:
            yield f"has {key} {is_now}, and has to have {value} on {deployed.given('ClusterKind')}"
    for key in sorted(set(config) - set(settings) - {"max.message.bytes"}):
        yield f"has {key}, of which the design says nothing"


def _sizes(name: str, told: dict[str, str], listed: dict[str, Any]) -> Iterator[Finding]:
    sizes = {
        variable: int(listed.get(topic, {}).get("Config", {}).get("max.message.bytes", 0)) for variable, topic in told.items()
    }
    # Without a bound of its own the request topic takes what the cluster's default says, which may be more.
    if not 0 < sizes.get("REQUEST_TOPIC", 0) <= sizes.get("DEAD_LETTER_TOPIC", 0) - DEAD_LETTER_MORE_BYTES:
        yield Finding(
            "topics",
            ("Resources", name, "Properties", "Topics"),
            f"{name}: a record of {sizes.get('REQUEST_TOPIC')} bytes may not fit among the dead letters, which take {sizes.get('DEAD_LETTER_TOPIC')}",
        )


ALL = [topics]
