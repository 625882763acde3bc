"""The deployments that the template is evaluated for, and parameters that it has to refuse. A promise that holds with the
defaults alone is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
NEEDED = {
    "JwtIssuer": "https://issuer.example",
    "JwtAudience": "shop",
    "BootstrapServers": "a.example:9092,b.example:9092",
}
SASL = NEEDED | {"SaslSecretArn": SECRET + "user-AbCdEf"}
VPC = {
    "SubnetA": "subnet-0123456789abcdef0",
    "SubnetB": "subnet-0123456789abcdef1",
    "SubnetC": "subnet-0123456789abcdef2",
    "SecurityGroup": "sg-0123456789abcdef0",
}
PLAINTEXT = NEEDED | {"SecurityProtocol": "PLAINTEXT", "SaslMechanism": ""}

SANDBOX = "the sandbox on one machine"

# Every condition of the template holds in one of these and does not in another: `rules_parameters` sees to that.
SCENES: dict[str, dict[str, str]] = {
    "a cluster on the internet": SASL,
    "a private cluster with everything": SASL
    | VPC
    | {
        "CaSecretArn": SECRET + "authority-AbCdEf",
        "SecretsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000",
        "JwtAudience": "shop,staff",
        "CorsOrigins": "https://shop.example,https://staff.example",
        "Prefix": "spring-",
        "ApiConcurrency": "500",
        "WorkerConcurrency": "20",
        "Pollers": "10",
        "Partitions": "50",
        "RetentionMs": "604800000",
        "WarmReads": "20000",
        "WarmWrites": "10000",
        "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms",
        "Architecture": "arm64",
    },
    "Apache Kafka, and on-demand pollers": SASL | {"Pollers": "0", "ClusterKind": "kafka"},
    # Nothing is deployed there, so the template's rules are not asked, but all else has to make sense.
    SANDBOX: PLAINTEXT | {"EmitMetrics": "false", "ClusterKind": "kafka", "Replication": "1", "MinInsyncReplicas": "1"},
    "no password inside a VPC": PLAINTEXT | {"SubnetA": VPC["SubnetA"], "SecurityGroup": VPC["SecurityGroup"]},
}

# What somebody may type, and what must not get as far as a resource; the first word says which parameter or rule refuses.
REFUSED: list[tuple[str, dict[str, str]]] = [
    ("JwtIssuer", SASL | {"JwtIssuer": "http://issuer.example"}),
    ("JwtAudience", SASL | {"JwtAudience": ""}),
    ("JwtAudience", SASL | {"JwtAudience": "shop,,staff"}),
    ("CorsOrigins", SASL | {"CorsOrigins": "shop.example"}),
    ("BootstrapServers", SASL | {"BootstrapServers": "a.example"}),
    ("BootstrapServers", SASL | {"BootstrapServers": "a.example:9092,"}),
    ("SecurityProtocol", SASL | {"SecurityProtocol": "SASL_PLAINTEXT"}),
    ("SaslMechanism", SASL | {"SaslMechanism": "PLAIN"}),
    ("SaslSecretArn", SASL | {"SaslSecretArn": "hunter2"}),
    ("CaSecretArn", SASL | {"CaSecretArn": "-----BEGIN CERTIFICATE-----"}),
    ("SecretsKeyArn", SASL | {"SecretsKeyArn": "alias/mine"}),
    ("SubnetA", SASL | VPC | {"SubnetA": "10.0.0.0/24"}),
    ("SecurityGroup", SASL | VPC | {"SecurityGroup": "default"}),
    ("Pollers", SASL | {"Pollers": "201"}),
    ("Pollers", SASL | {"Pollers": "-1"}),
    ("BatchSize", SASL | {"BatchSize": "0"}),
    ("BatchSize", SASL | {"BatchSize": "10001"}),
    ("BatchingWindowSeconds", SASL | {"BatchingWindowSeconds": "301"}),
    ("HeadCacheMs", SASL | {"HeadCacheMs": "1001"}),
    ("ClusterKind", SASL | {"ClusterKind": "msk"}),
    ("Partitions", SASL | {"Partitions": "0"}),
    ("Replication", SASL | {"Replication": "2"}),
    ("MinInsyncReplicas", SASL | {"MinInsyncReplicas": "0"}),
    ("RetentionMs", SASL | {"RetentionMs": "1000"}),
    ("TopicsRevision", SASL | {"TopicsRevision": "0"}),
    ("ApiConcurrency", SASL | {"ApiConcurrency": "-2"}),
    ("Prefix", SASL | {"Prefix": "Spring"}),
    ("Architecture", SASL | {"Architecture": "riscv"}),
    ("LogRetentionDays", SASL | {"LogRetentionDays": "31"}),
    ("EmitMetrics", SASL | {"EmitMetrics": ""}),
    ("MetricsNamespace", SASL | {"MetricsNamespace": "first come"}),
    ("AlarmTopicArn", SASL | {"AlarmTopicArn": "me@example.com"}),
    ("SaslHasItsSecret", NEEDED),
    ("SaslHasItsSecret", SASL | {"SaslMechanism": ""}),
    ("PlaintextStaysInside", PLAINTEXT),
    ("PlaintextStaysInside", PLAINTEXT | VPC | {"CaSecretArn": SECRET + "authority-AbCdEf"}),
    ("VpcIsWhole", SASL | {"SubnetA": VPC["SubnetA"]}),
    ("VpcIsWhole", SASL | {"SecurityGroup": VPC["SecurityGroup"]}),
    ("VpcIsWhole", SASL | {"SubnetB": VPC["SubnetB"], "SecurityGroup": VPC["SecurityGroup"]}),
    ("ReplicasSuffice", SASL | {"ClusterKind": "kafka", "Replication": "1"}),
    ("WarmthIsWhole", SASL | {"WarmWrites": "10000"}),
]


@dataclass
class Deployed:
    """A template evaluated for one scene."""

    scene: str
    parameters: dict[str, str]
    resources: dict[str, Any]
    source: dict[str, Any] = field(default_factory=dict)

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of all resources of a type, by name."""
        found = {name: each for name, each in self.resources.items() if each.get("Type") == kind}
        return {name: each.get("Properties", {}) for name, each in found.items()}

    def given(self, name: str) -> str:
        """A parameter's value; empty where there is no such parameter."""
        declared = self.source.get("Parameters", {}).get(name, {})
        return str(self.parameters.get(name, declared.get("Default", "")))
