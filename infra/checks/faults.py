"""Faults, planted one by one in a copy of the template: each rule has to find those that are its own, at their place.
A rule that no fault here can make speak is not known to work."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from .source import Path, Source, read

GONE = object()


class Unplanted(Exception):
    """The template has no such place."""


@dataclass(frozen=True)
class Fault:
    """A value put in a place, or taken away from it, and the rule that has to object."""

    name: str
    path: str
    value: Any
    rule: str
    # Where the finding is, as a beginning of its path; the fault's own place but for its last part where it is not said.
    found_at: str | None = None

    @property
    def is_linters(self) -> bool:
        return self.rule[0] in "EWI" and self.rule[1:].isdigit()

    @property
    def where(self) -> Path:
        place = self.found_at if self.found_at is not None else self.path.rpartition("|")[0]
        return tuple(_part(part) for part in place.split("|") if part)

    def planted(self, source: Source) -> Source:
        """A copy with the fault in it."""
        broken = copy.deepcopy(source.data)
        *outer, last = (_part(part) for part in self.path.split("|"))
        place: Any = broken
        for part in outer:
            try:
                place = place[part]
            except (KeyError, IndexError, TypeError) as error:
                raise Unplanted(f"there is no {part} on the way to {self.path}") from error
        if self.value is GONE:
            if isinstance(place, dict) and last not in place:
                raise Unplanted(f"there is no {self.path} to take away")
            del place[last]
        elif isinstance(place, list) and last == "+":
            place.append(self.value)
        else:
            if isinstance(place, dict) and place.get(last) == self.value:
                raise Unplanted(f"{self.path} is {self.value!r} already")
            place[last] = self.value
        return Source(broken, source.lines, source.aliases)


@dataclass(frozen=True)
class Slip(Fault):
    """A slip of the pen, in the text itself: `path` is what stands there, once, and `value` what replaces it."""

    @property
    def where(self) -> Path:
        return ()

    def planted(self, source: Source) -> Source:
        if source.text.count(self.path) != 1:
            raise Unplanted(f"{self.path!r} stands there {source.text.count(self.path)} times, and not once")
        return read(source.text.replace(self.path, self.value))


def _part(text: str) -> str | int:
    return int(text) if text.isdigit() else text


MAPPING = "Resources|Mapping|Properties"
TOPICS = "Resources|Topics|Properties"
API, WORKER = "Resources|ApiFunction|Properties", "Resources|WorkerFunction|Properties"
# Statements by their place in the role's one policy.
LOGS, TRACES, HEADS, ISSUED, SECRETS, KEY, NETWORK = range(7)


def _statement(role: str, place: int) -> str:
    return f"Resources|{role}|Properties|Policies|0|PolicyDocument|Statement|{place}"


ROLES = ("Resources|ApiRole", "Resources|WorkerRole")

FAULTS = [
    # The mapping: what would skip a record.
    Fault("a failure destination", f"{MAPPING}|DestinationConfig", {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:q"}}, "mapping"),
    Fault("a record age", f"{MAPPING}|MaximumRecordAgeInSeconds", 3600, "mapping"),
    Fault("finite retries", f"{MAPPING}|MaximumRetryAttempts", 5, "mapping"),
    Fault("no retries", f"{MAPPING}|MaximumRetryAttempts", 0, "mapping"),
    Fault("bisecting", f"{MAPPING}|BisectBatchOnFunctionError", True, "mapping"),
    Fault("a filter", f"{MAPPING}|FilterCriteria", {"Filters": [{"Pattern": '{"value": {"type": ["issue"]}}'}]}, "mapping"),
    Fault("partial batch response", f"{MAPPING}|FunctionResponseTypes", ["ReportBatchItemFailures"], "mapping"),
    Fault("another start than the beginning", f"{MAPPING}|StartingPosition", "LATEST", "mapping"),
    Fault("a start at a time", f"{MAPPING}|StartingPosition", "AT_TIMESTAMP", "mapping"),
    Fault("no group", f"{MAPPING}|SelfManagedKafkaEventSourceConfig", GONE, "mapping"),
    Fault("a mapping that sleeps", f"{MAPPING}|Enabled", False, "mapping"),
    Fault("a mapping to the wrong function", f"{MAPPING}|FunctionName", {"Fn::GetAtt": ["ApiFunction", "Arn"]}, "mapping"),
    Fault("no mapping", "Resources|Mapping|Type", "AWS::CloudFormation::WaitConditionHandle", "mapping", "Resources"),
    Fault("a default window", f"{MAPPING}|MaximumBatchingWindowInSeconds", GONE, "mapping"),
    Fault("a window of seconds", f"{MAPPING}|MaximumBatchingWindowInSeconds", 5, "mapping"),
    # The mapping: what Lambda would refuse.
    Fault("more pollers at least than at most", f"{MAPPING}|ProvisionedPollerConfig|Fn::If|1|MinimumPollers", 20, "mapping", MAPPING),
    Fault("pollers that come and go", f"{MAPPING}|ProvisionedPollerConfig|Fn::If|1|MaximumPollers", 100, "mapping", MAPPING),
    Fault("too many pollers", f"{MAPPING}|ProvisionedPollerConfig|Fn::If|1", {"MinimumPollers": 201, "MaximumPollers": 201}, "mapping", MAPPING),
    Fault("logs of pollers that are not provisioned", f"{MAPPING}|LoggingConfig", {"SystemLogLevel": "INFO"}, "mapping"),
    Fault("infinite retries, said without provisioned pollers", f"{MAPPING}|MaximumRetryAttempts", -1, "mapping"),
    Fault("pollers that are never provisioned", f"{MAPPING}|ProvisionedPollerConfig", GONE, "mapping"),
    Fault("a batch that is too large", f"{MAPPING}|BatchSize", 10001, "mapping"),
    Fault("two topics", f"{MAPPING}|Topics|+", "another", "mapping"),
    Fault("a worker that may run too long", f"{WORKER}|Timeout", 900, "mapping", MAPPING),
    Fault("no password for the pollers", f"{MAPPING}|SourceAccessConfigurations|Fn::If|1|0", GONE, "mapping", MAPPING),
    Fault("no private CA for the pollers", f"{MAPPING}|SourceAccessConfigurations|Fn::If|1|1", GONE, "mapping", MAPPING),
    Fault("no security group for the pollers", f"{MAPPING}|SourceAccessConfigurations|Fn::If|1|5", GONE, "mapping", MAPPING),
    Fault("two ways to log in", f"{MAPPING}|SourceAccessConfigurations|Fn::If|1|+", {"Type": "BASIC_AUTH", "URI": {"Ref": "SaslSecretArn"}}, "mapping", MAPPING),
    # Functions.
    Fault("a wrong handler", f"{API}|Handler", "main", "functions"),
    Fault("an old runtime", f"{WORKER}|Runtime", "provided.al2", "functions"),
    Fault("a package that is not there", "Resources|ApiFunction|Metadata|BuildProperties|Binary", "issue_api", "functions"),
    Fault("the other function's folder", f"{API}|CodeUri", "../functions/issue-worker", "functions"),
    Fault("another build", "Resources|WorkerFunction|Metadata|BuildMethod", "makefile", "functions"),
    Fault("an impatient worker", f"{WORKER}|Timeout", 6, "functions"),
    Fault("no traces", "Globals|Function|Tracing", "PassThrough", "functions", "Resources|ApiFunction"),
    Fault("logs as text", f"{WORKER}|LoggingConfig|LogFormat", "Text", "functions"),
    Fault("logs for ever", "Resources|ApiLogGroup|Properties|RetentionInDays", GONE, "functions", "Resources|ApiLogGroup"),
    Fault("functions outside the VPC", "Globals|Function|VpcConfig", GONE, "functions", "Resources|WorkerFunction"),
    # What they are told.
    Fault("a variable that is not set", f"{WORKER}|Environment|Variables|DEAD_LETTER_TOPIC", GONE, "variables"),
    Fault("a variable that nobody reads", f"{API}|Environment|Variables|HEAD_CACHE", "250", "variables"),
    Fault("a misspelt variable", "Globals|Function|Environment|Variables|KAFKA_SASL_SECRET", {"Ref": "SaslSecretArn"}, "variables", "Resources|ApiFunction"),
    Fault("the wrong table", f"{API}|Environment|Variables|COUPONS_TABLE", {"Ref": "UserCouponsTable"}, "variables"),
    Fault("results among requests", f"{WORKER}|Environment|Variables|RESULT_TOPIC", {"Fn::Sub": "${Prefix}coupon-issue-request"}, "variables", "Resources"),
    Fault("another topic than is read", f"{MAPPING}|Topics|0", "coupon-issue-requests", "variables", "Resources"),
    Fault("another cluster than is read", f"{MAPPING}|SelfManagedEventSource|Endpoints|KafkaBootstrapServers", ["c.example:9092"], "variables", "Resources|ApiFunction"),
    # The topics.
    Fault("no topics", "Resources|Topics|Type", "AWS::CloudFormation::WaitConditionHandle", "topics", "Resources"),
    Fault("topics that nobody answers for", f"{TOPICS}|ServiceToken", {"Fn::GetAtt": ["WorkerFunction", "Arn"]}, "topics"),
    Fault("a stack that waits for an hour", f"{TOPICS}|ServiceTimeout", GONE, "topics", TOPICS),
    Fault("a stack that does not wait for the second call", f"{TOPICS}|ServiceTimeout", 130, "topics"),
    Fault("a topic under another name", f"{TOPICS}|Topics|1|Name", "results", "topics", TOPICS),
    Fault("a topic that nobody makes", f"{TOPICS}|Topics|2", GONE, "topics", f"{TOPICS}|Topics"),
    Fault("the producer's clock", f"{TOPICS}|Topics|0|Config|message.timestamp.type", "CreateTime", "topics", TOPICS),
    Fault("a log that forgets by key", f"{TOPICS}|Topics|0|Config|cleanup.policy", "compact", "topics", TOPICS),
    Fault("a retention of its own", f"{TOPICS}|Topics|1|Config|retention.ms", 3600000, "topics", TOPICS),
    Fault("records that are safe in memory only", f"{TOPICS}|Topics|0|Config|write.caching", GONE, "topics", TOPICS),
    Fault("one replica is enough", f"{TOPICS}|Topics|0|Config|min.insync.replicas", GONE, "topics", TOPICS),
    Fault("one partition for all", f"{TOPICS}|Topics|0|Partitions", 1, "topics", TOPICS),
    Fault("small dead letters", f"{TOPICS}|Topics|2|Config|max.message.bytes", 1048576, "topics", TOPICS),
    Fault("requests of any size", f"{TOPICS}|Topics|0|Config|max.message.bytes", GONE, "topics", TOPICS),
    Fault("a mapping before its topic", "Resources|Mapping|DependsOn", GONE, "topics", "Resources|Mapping"),
    Fault("a right to the tables for topic-setup", "Resources|TopicSetupRole|Properties|Policies|0|PolicyDocument|Statement|+", {"Sid": "Heads", "Effect": "Allow", "Action": "dynamodb:DeleteItem", "Resource": {"Fn::GetAtt": ["CouponsTable", "Arn"]}}, "policies", "Resources|TopicSetupRole"),
    # Tables.
    Fault("a wrong key", "Resources|CouponsTable|Properties|KeySchema|0|AttributeName", "id", "tables", "Resources"),
    Fault("no range key", "Resources|UserCouponsTable|Properties|KeySchema|1", GONE, "tables", "Resources"),
    Fault("a number as key", "Resources|CouponsTable|Properties|AttributeDefinitions|0|AttributeType", "N", "tables", "Resources|CouponsTable"),
    Fault("a table that goes with the stack", "Resources|CouponsTable|DeletionPolicy", "Delete", "tables"),
    Fault("a table that goes when replaced", "Resources|UserCouponsTable|UpdateReplacePolicy", GONE, "tables"),
    Fault("no way back in time", "Resources|UserCouponsTable|Properties|PointInTimeRecoverySpecification|PointInTimeRecoveryEnabled", False, "tables"),
    Fault("no deletion protection", "Resources|CouponsTable|Properties|DeletionProtectionEnabled", GONE, "tables", "Resources|CouponsTable"),
    Fault("no encryption", "Resources|CouponsTable|Properties|SSESpecification", GONE, "tables", "Resources|CouponsTable"),
    Fault("provisioned capacity", "Resources|CouponsTable|Properties|BillingMode", "PROVISIONED", "tables"),
    Fault("a table that stays cold", "Resources|UserCouponsTable|Properties|WarmThroughput", GONE, "tables", "Resources"),
    Fault("warmth that is mixed up", "Resources|UserCouponsTable|Properties|WarmThroughput|Fn::If|1|ReadUnitsPerSecond", {"Ref": "WarmWrites"}, "tables", "Resources|UserCouponsTable"),
    # Policies.
    Fault("a missing grant", f"{_statement('WorkerRole', ISSUED)}|Action", ["dynamodb:GetItem", "dynamodb:PutItem"], "policies", ROLES[1]),
    Fault("a grant that nothing uses", f"{_statement('ApiRole', HEADS)}|Action", ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"], "policies", ROLES[0]),
    Fault("a grant on every table", f"{_statement('ApiRole', HEADS)}|Resource", "*", "policies", ROLES[0]),
    Fault("a grant of everything on a table", f"{_statement('WorkerRole', HEADS)}|Action", "dynamodb:*", "policies", ROLES[1]),
    Fault("the other table", f"{_statement('ApiRole', ISSUED)}|Resource", {"Fn::GetAtt": ["CouponsTable", "Arn"]}, "policies", ROLES[0]),
    Fault("every secret", f"{_statement('ApiRole', SECRETS)}|Fn::If|1|Resource", "*", "policies", ROLES[0]),
    Fault("no right to the private CA", f"{_statement('WorkerRole', SECRETS)}|Fn::If|1|Resource", [{"Ref": "SaslSecretArn"}], "policies", ROLES[1]),
    Fault("a key for any purpose", f"{_statement('ApiRole', KEY)}|Fn::If|1|Condition", GONE, "policies", ROLES[0]),
    Fault("no right to the network", f"{_statement('WorkerRole', NETWORK)}", GONE, "policies", ROLES[1]),
    Fault("logs of the other function", f"{_statement('WorkerRole', LOGS)}|Resource", {"Fn::GetAtt": ["ApiLogGroup", "Arn"]}, "policies", ROLES[1]),
    Fault("no right to trace", f"{_statement('ApiRole', TRACES)}", GONE, "policies", ROLES[0]),
    Fault("all but", f"{_statement('ApiRole', HEADS)}|NotResource", "arn:aws:dynamodb:*:*:table/other", "policies", ROLES[0]),
    Fault("a managed policy", "Resources|ApiRole|Properties|ManagedPolicyArns", ["arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess"], "policies"),
    Fault("a role for anybody", "Resources|ApiRole|Properties|AssumeRolePolicyDocument|Statement|0|Principal", {"AWS": "*"}, "policies", ROLES[0]),
    Fault("a shared role", f"{API}|Role", {"Fn::GetAtt": ["WorkerRole", "Arn"]}, "policies", "Resources|WorkerFunction"),
    Fault("a role from elsewhere", f"{API}|Role", "arn:aws:iam::123456789012:role/admin", "policies"),
    Fault("a role that SAM makes", f"{API}|Role", GONE, "policies", "Resources|ApiFunctionRole"),
    # The API.
    Fault("a missing audience", "Resources|Authorizer|Properties|JwtConfiguration|Audience", GONE, "authorizer"),
    Fault("an empty audience", "Resources|Authorizer|Properties|JwtConfiguration|Audience", [], "authorizer"),
    Fault("another issuer", "Resources|Authorizer|Properties|JwtConfiguration|Issuer", "https://else.example", "authorizer"),
    Fault("a token from the query", "Resources|Authorizer|Properties|IdentitySource", ["$request.querystring.token"], "authorizer"),
    Fault("another kind of authorizer", "Resources|Authorizer|Properties|AuthorizerType", "REQUEST", "authorizer"),
    Fault("an open route", "Resources|RequestIssue|Properties|AuthorizationType", "NONE", "routes"),
    Fault("an open default", "Resources|UnknownPath|Properties|AuthorizationType", GONE, "routes"),
    Fault("a route without authorizer", "Resources|CreateCoupon|Properties|AuthorizerId", GONE, "routes"),
    Fault("a closed window", "Resources|ShowCoupon|Properties|AuthorizationType", "JWT", "routes"),
    Fault("a misspelt route", "Resources|ListMyCoupons|Properties|RouteKey", "GET /me/coupon", "routes"),
    Fault("no default route", "Resources|UnknownPath|Properties|RouteKey", "ANY /{proxy+}", "routes", "Resources"),
    Fault("a scope that the gateway checks", "Resources|CreateCoupon|Properties|AuthorizationScopes", ["coupons:write"], "routes"),
    Fault("a question that needs a token", "Resources|Preflight|Properties|AuthorizationType", "JWT", "routes"),
    Fault("a route to the worker", "Resources|ApiIntegration|Properties|IntegrationUri", {"Fn::GetAtt": ["WorkerFunction", "Arn"]}, "routes", "Resources"),
    Fault("another payload", "Resources|ApiIntegration|Properties|PayloadFormatVersion", "1.0", "routes"),
    Fault("no throttling", "Resources|HttpStage|Properties|DefaultRouteSettings", {"DetailedMetricsEnabled": True}, "stage"),
    Fault("no access log", "Resources|HttpStage|Properties|AccessLogSettings", GONE, "stage"),
    Fault("an access log that is no JSON", "Resources|HttpStage|Properties|AccessLogSettings|Format", '{"ip": $context.identity.sourceIp}', "stage"),
    Fault("no stage", "Resources|HttpStage|Type", "AWS::CloudFormation::WaitConditionHandle", "stage", "Resources"),
    Fault("a stage in every path", "Resources|HttpStage|Properties|StageName", "prod", "stage"),
    Fault("an API that outlasts its gateway", f"{API}|Timeout", 30, "stage", "Resources|ApiFunction"),
    Fault("a function for every API", "Resources|ApiPermission|Properties|SourceArn", GONE, "stage", "Resources"),
    Fault("a hidden ticket", "Resources|HttpApi|Properties|CorsConfiguration|Fn::If|1|ExposeHeaders", ["retry-after"], "cors", "Resources|HttpApi"),
    Fault("every page", "Resources|HttpApi|Properties|CorsConfiguration|Fn::If|1|AllowOrigins", ["*"], "cors", "Resources|HttpApi"),
    Fault("CORS for nobody", "Resources|HttpApi|Properties|CorsConfiguration", {"AllowOrigins": ["*"]}, "cors", "Resources|HttpApi"),
    Fault("no token from a page", "Resources|HttpApi|Properties|CorsConfiguration|Fn::If|1|AllowHeaders", ["content-type"], "cors", "Resources|HttpApi"),
    # What is watched.
    Fault("an alarm on what nothing emits", "Resources|ApiFails|Properties|MetricName", "5XXError", "alarms"),
    Fault("an alarm on nothing", "Resources|ApiFails|Properties|MetricName", GONE, "alarms"),
    Fault("an alarm on another's function", "Resources|WorkerFails|Properties|Dimensions|0|Value", "issue-worker", "alarms", "Resources|WorkerFails"),
    Fault("an alarm by no dimension", "Resources|Lagging|Properties|Dimensions", GONE, "alarms"),
    Fault("an alarm on a route that is not there", "Resources|AcceptSlow|Properties|Dimensions|3|Value", "/coupons/{id}/issues", "alarms", "Resources|AcceptSlow"),
    Fault("an alarm that tells nobody", "Resources|RecordsDropped|Properties|AlarmActions", GONE, "alarms"),
    Fault("nobody who sees a skipped record", "Resources|RecordsDropped|Properties|MetricName", "FilteredOutEventCount", "alarms", "Resources"),
    Fault("nobody who sees an oversold coupon", "Resources|Oversold|Properties|MetricName", "Issued", "alarms", "Resources"),
    Fault("an alarm on what no function emits", "Resources|Oversold|Properties|MetricName", "Oversold", "alarms"),
    Fault("an alarm on the other function's metric", "Resources|DeadLettersCame|Properties|Dimensions|0|Value", "issue-api", "alarms", "Resources|DeadLettersCame"),
    Fault("an alarm by a dimension more", "Resources|DecidedLate|Properties|Dimensions|+", {"Name": "Coupon", "Value": "spring-sale"}, "alarms", "Resources|DecidedLate"),
    Fault("an alarm under another namespace", "Resources|DecidedLate|Properties|Namespace", "firstcome/worker", "alarms"),
    Fault("metrics under another namespace", f"{WORKER}|Environment|Variables|METRICS_NAMESPACE", "worker", "alarms"),
    Fault("a mapping without metrics", f"{MAPPING}|MetricsConfig|Metrics", ["EventCount"], "alarms", "Resources|Lagging"),
    Fault("routes without metrics", "Resources|HttpStage|Properties|DefaultRouteSettings|DetailedMetricsEnabled", False, "alarms", "Resources|AcceptSlow"),
    Fault("a dashboard that is no JSON", "Resources|Dashboard|Properties|DashboardBody", '{"widgets": [}', "dashboard"),
    Fault(
        "a dashboard with a metric that nothing emits",
        "Resources|Dashboard|Properties|DashboardBody",
        {"Fn::Sub": '{"widgets": [{"properties": {"metrics": [["AWS/Lambda", "OversoldCoupons", "FunctionName", "${ApiFunction}"]]}}]}'},
        "dashboard",
    ),
    Fault(
        "a dashboard with a code that no call has",
        "Resources|Dashboard|Properties|DashboardBody",
        {"Fn::Sub": '{"widgets": [{"properties": {"metrics": [["${Prefix}${MetricsNamespace}", "Refused", "Function", "issue-api", "Code", "SOLDOUT"]]}}]}'},
        "dashboard",
    ),
    # Parameters.
    Fault("bundles of one architecture, whichever is asked for", "Globals|Function|Architectures", ["x86_64"], "functions", "Resources|ApiFunction"),
    Fault("a parameter that takes anything", "Parameters|SaslSecretArn|AllowedPattern", GONE, "parameters"),
    Fault("a parameter that nobody explains", "Parameters|Prefix|Description", GONE, "parameters"),
    Fault("pollers beyond Lambda's bounds", "Parameters|Pollers|MaxValue", 2000, "parameters"),
    Fault("an issuer without TLS", "Parameters|JwtIssuer|AllowedPattern", "^https?://", "parameters"),
    Fault("SASL without a secret", "Rules|SaslHasItsSecret", GONE, "parameters"),
    Fault("half a VPC", "Rules|VpcIsWhole", GONE, "parameters"),
    Fault("more replicas in sync than there are", "Rules|ReplicasSuffice", GONE, "parameters"),
    Fault("a default that its own pattern refuses", "Parameters|Pollers|Default", 500, "parameters"),
    Fault("a condition that never holds", "Conditions|HasCors", {"Fn::Equals": ["a", "b"]}, "parameters", "Conditions"),
    Fault("a condition on nothing", "Conditions|HasCors", {"Condition": "HasOrigins"}, "parameters", "Conditions|HasCors"),
    # The text itself.
    Slip("no YAML", "Resources:\n", "Resources: [\n", "unreadable"),
    Slip("a key twice", "      Timeout: 60\n", "      Timeout: 60\n      Timeout: 6\n", "unreadable"),
    Slip("an alias", "      RouteKey: POST /coupons\n", "      RouteKey: &key POST /coupons\n      Name: *key\n", "aliases"),
    Slip("a tag that nobody knows", "IntegrationUri: !GetAtt ApiFunction.Arn", "IntegrationUri: !Arn ApiFunction", "references"),
    # References, and what SAM and the linter see.
    Fault("a condition that is not there", f"{API}|ReservedConcurrentExecutions|Fn::If|0", "HasConcurrency", "references", "Resources|ApiFunction"),
    Fault("a resource that is not there", f"{MAPPING}|FunctionName", {"Fn::GetAtt": ["Worker", "Arn"]}, "references", "Resources|Mapping"),
    Fault("an unknown function", f"{API}|MemorySize", {"Fn::Length": [1, 2]}, "references", "Resources|ApiFunction"),
    Fault("a property that SAM does not know", f"{API}|TimeoutSeconds", 10, "translation", "Resources|ApiFunction"),
    Fault("no transform", "Transform", GONE, "translation"),
    Fault("a property that CloudFormation does not know", f"{MAPPING}|Retries", 5, "E3002", "Resources|Mapping"),
    Fault("a misspelt action", f"{_statement('ApiRole', ISSUED)}|Action", ["dynamodb:GetItems", "dynamodb:Query"], "W3037", ROLES[0]),
    Fault("a value that is none of the possible ones", f"{MAPPING}|StartingPosition", "BEGINNING", "E3031", "Resources|Mapping"),
    Fault("a parameter that nothing uses", "Parameters|Spare", {"Type": "String", "Default": "", "AllowedValues": ["", "x"], "Description": "x"}, "W2001", "Parameters"),
    Fault("an output of nothing", "Outputs|ApiUrl|Value", {"Fn::GetAtt": ["HttpApi", "Url"]}, "E6101", "Outputs"),
]
