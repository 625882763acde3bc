"""Alarms and dashboard: each names a metric that something emits, with the dimensions under which it is emitted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from . import code
from .rules_api import API, ROUTE
from .rules_functions import FUNCTION, MAPPING, TABLE, by_binary
from .scenes import Deployed
from .source import Finding, Path

ALARM, DASHBOARD = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"

# What AWS emits, by namespace and dimensions. A mapping's metrics come in groups that it has to be asked for.
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
HTTP = {"4xx", "5xx", "Count", "Latency", "IntegrationLatency", "DataProcessed"}
GROUPS = {
    "EventCount": {
        "PolledEventCount",
        "FilteredOutEventCount",
        "InvokedEventCount",
        "FailedInvokeEventCount",
        "DroppedEventCount",
        "OnFailureDestinationDeliveredEventCount",
        "CommittedEventCount",
    },
    "ErrorCount": {"PollingErrorCount", "InvokeErrorCount", "CommitErrorCount"},
    "KafkaMetrics": {"MaxOffsetLag", "SumOffsetLag"},
}
EMITTED: dict[tuple[str, frozenset[str]], set[str]] = {
    ("AWS/ApiGateway", frozenset({"ApiId", "Stage"})): HTTP,
    ("AWS/ApiGateway", frozenset({"ApiId", "Stage", "Method", "Resource"})): HTTP,
    ("AWS/Lambda", frozenset({"FunctionName"})): {
        "Invocations",
        "Errors",
        "Throttles",
        "Duration",
        "ConcurrentExecutions",
    },
    ("AWS/Lambda", frozenset({"EventSourceMappingUUID"})): set().union(*GROUPS.values()),
    ("AWS/DynamoDB", frozenset({"TableName"})): {
        "ConsumedReadCapacityUnits",
        "ConsumedWriteCapacityUnits",
        "ReadThrottleEvents",
        "WriteThrottleEvents",
    },
}
# What an alarm has to be on, and what would happen unseen otherwise.
WATCHED = {
    "DroppedEventCount": "a record that the mapping skips",
    "Latency": "a slow 202",
    "5xx": "a failing API",
    "MaxOffsetLag": "a partition that stands still",
    "TimeToDecision": "people who wait",
    "DeadLetters": "a record that is no request",
    "Throttles": "a function without environments",
    "WriteThrottleEvents": "a table that is too cold",
    "Contradictions": "an oversold coupon",
}
# What a dimension's value has to refer to.
REFERS = {"ApiId": API, "FunctionName": FUNCTION, "EventSourceMappingUUID": MAPPING, "TableName": TABLE}


def alarms(deployed: Deployed) -> Iterator[Finding]:
    """Each on a metric that exists, and told to whoever AlarmTopicArn says."""
    topic = deployed.given("AlarmTopicArn")
    for name, properties in deployed.of(ALARM).items():
        path: Path = ("Resources", name, "Properties")
        metrics = _metrics(properties)
        if not metrics:
            yield Finding("alarms", path, f"{name} names no metric")
        for metric in metrics:
            dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions", [])}
            for why in _unknown(deployed, metric.get("Namespace"), metric["MetricName"], dimensions):
                yield Finding("alarms", path, f"{name}: {why}")
        if properties.get("AlarmActions", []) != ([topic] if topic else []):
            yield Finding("alarms", path, f"{name} tells {properties.get('AlarmActions')}, AlarmTopicArn is {topic!r}")
    watched = {metric["MetricName"] for properties in deployed.of(ALARM).values() for metric in _metrics(properties)}
    for metric, why in WATCHED.items():
        if metric not in watched:
            yield Finding("alarms", ("Resources",), f"nothing watches {metric}: {why} would go unseen")
    for package, (name, properties) in by_binary(deployed).items():
        told = properties.get("Environment", {}).get("Variables", {}).get("METRICS_NAMESPACE")
        own = deployed.given("Prefix") + deployed.given("MetricsNamespace") if deployed.given("EmitMetrics") == "true" else ""
        if code.functions().get(package) and code.functions()[package].metrics and told != own:
            path = ("Resources", name, "Properties", "Environment", "Variables", "METRICS_NAMESPACE")
            yield Finding("alarms", path, f"{name} emits under {told}, and alarms look under {own}")


def _metrics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """The metrics that an alarm looks at, itself or by an expression."""
    alone = [alarm] if "MetricName" in alarm else []
    return alone + [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each]


def _own(deployed: Deployed, metric: str, dimensions: dict[str, str]) -> Iterator[str]:
    """The functions' own metrics, as their metrics.rs declare them."""
    function = code.functions().get(dimensions.get("Function", ""))
    if function is None:
        yield f"{metric} has the dimension Function, the name of a package in functions/, not {dimensions}"
        return
    known = {each.name: each for each in function.metrics}
    if metric not in known:
        yield f"{function.name} does not emit {metric}"
        return
    by, rest = known[metric].by, {name: value for name, value in dimensions.items() if name != "Function"}
    if set(rest) != ({by} if by else set()):
        yield f"{function.name} emits {metric} by Function{' and ' + by if by else ''}, not by {', '.join(dimensions)}"
    elif by and rest[by] not in known[metric].values:
        yield f"{function.name} emits no {metric} with {by} {rest[by]}"


def _unknown(deployed: Deployed, namespace: Any, metric: str, dimensions: dict[str, str]) -> Iterator[str]:
    own = deployed.given("Prefix") + deployed.given("MetricsNamespace")
    if not str(namespace).startswith("AWS/"):
        if namespace != own:
            yield f"nobody emits metrics under {namespace}: the functions are told {own}"
        yield from _own(deployed, metric, dimensions)
        return
    emitted = EMITTED.get((str(namespace), frozenset(dimensions)), set())
    if metric not in emitted:
        yield f"nothing emits {namespace} {metric} by {', '.join(dimensions) or 'no dimension'}"
    for dimension, kind in REFERS.items():
        if dimension in dimensions and dimensions[dimension][2:-1] not in deployed.of(kind):
            yield f"{dimension} {dimensions[dimension]} is none of this template's"
    if "Resource" in dimensions:
        key = f"{dimensions.get('Method')} {dimensions['Resource']}"
        if key not in {each.get("RouteKey") for each in deployed.of(ROUTE).values()}:
            yield f"there is no route {key}"
        if not _detailed(deployed):
            yield "a route has metrics of its own only with DetailedMetricsEnabled"
    for group, names in GROUPS.items():
        if metric in names and not all(
            group in each.get("MetricsConfig", {}).get("Metrics", []) for each in deployed.of(MAPPING).values()
        ):
            yield f"{metric} is emitted only if the mapping's MetricsConfig has {group}"


def _detailed(deployed: Deployed) -> bool:
    stages = deployed.of("AWS::ApiGatewayV2::Stage").values()
    return all(each.get("DefaultRouteSettings", {}).get("DetailedMetricsEnabled") is True for each in stages)


def dashboard(deployed: Deployed) -> Iterator[Finding]:
    """It is JSON, and every line in it has a metric that exists."""
    for name, properties in deployed.of(DASHBOARD).items():
        path = ("Resources", name, "Properties", "DashboardBody")
        try:
            widgets = json.loads(properties["DashboardBody"])["widgets"]
            lines = [line for widget in widgets for line in _written_out(widget["properties"]["metrics"])]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            yield Finding("dashboard", path, f"{name} is no dashboard: {type(error).__name__} {error}")
            continue
        for namespace, metric, *dimensions in lines:
            pairs = dict(zip(dimensions[::2], dimensions[1::2], strict=True))
            for why in _unknown(deployed, namespace, metric, pairs):
                yield Finding("dashboard", path, f"{name}: {why}")


def _written_out(metrics: list[list[Any]]) -> list[list[str]]:
    """`.` is what stands above, `...` all of it; https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/
    CloudWatch-Dashboard-Body-Structure.html"""
    lines: list[list[str]] = []
    for metric in metrics:
        texts = [each for each in metric if isinstance(each, str)]
        if texts[0] == "...":
            texts = lines[-1][: len(lines[-1]) - len(texts) + 1] + texts[1:]
        lines.append([lines[-1][place] if each == "." else each for place, each in enumerate(texts)])
    return lines


ALL = [alarms, dashboard]
