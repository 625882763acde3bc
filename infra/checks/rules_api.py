"""The HTTP API: its routes are those of events/openapi.yaml, open where it says so and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from . import code
from .rules_functions import LOGS, by_binary, token
from .scenes import Deployed
from .source import Finding

API, ROUTE, AUTHORIZER, INTEGRATION, STAGE, PERMISSION = (
    *(f"AWS::ApiGatewayV2::{kind}" for kind in ("Api", "Route", "Authorizer", "Integration", "Stage")),
    "AWS::Lambda::Permission",
)
# With CORS only: the question that a browser asks before it calls, without a token.
PREFLIGHT = "OPTIONS /{proxy+}"
# What a page has to read, and a browser hides unless told.
EXPOSED = {"location", "retry-after"}
# API Gateway gives a function no longer, in seconds.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
INTEGRATION_SECONDS_MAX = 30


def routes(deployed: Deployed) -> Iterator[Finding]:
    """Which there are, who gets through, and where they lead."""
    wanted = dict(code.routes())
    if deployed.given("CorsOrigins"):
        wanted[PREFLIGHT] = False
    found = {properties.get("RouteKey"): (name, properties) for name, properties in deployed.of(ROUTE).items()}
    for missing in sorted(set(wanted) - set(found)):
        yield Finding("routes", ("Resources",), f"there is no route {missing}")
    for key, (name, properties) in found.items():
        path = ("Resources", name, "Properties")
        if key not in wanted:
            yield Finding("routes", (*path, "RouteKey"), f"{name}: events/openapi.yaml has no {key}")
            continue
        kind = properties.get("AuthorizationType", "NONE")
        if wanted[key] and kind != "JWT":
            yield Finding(
                "routes",
                (*path, "AuthorizationType"),
                f"{name}: {key} is open to everybody, and takes a token by events/openapi.yaml",
            )
        if not wanted[key] and kind != "NONE":
            yield Finding(
                "routes",
                (*path, "AuthorizationType"),
                f"{name}: {key} asks for a token, and is for anyone by events/openapi.yaml",
            )
        if wanted[key] and str(properties.get("AuthorizerId"))[2:-1] not in deployed.of(AUTHORIZER):
            yield Finding("routes", (*path, "AuthorizerId"), f"{name}: {key} has no authorizer")
        if properties.get("AuthorizationScopes"):
            yield Finding(
                "routes",
                (*path, "AuthorizationScopes"),
                f"{name}: scopes are the function's to check, whose 403 says which is missing",
            )
        yield from _target(deployed, name, properties)


def _target(deployed: Deployed, name: str, properties: dict[str, Any]) -> Iterator[Finding]:
    integration = str(properties.get("Target")).removeprefix("integrations/")[2:-1]
    function = by_binary(deployed).get("issue-api", ("", {}))[0]
    settings = deployed.of(INTEGRATION).get(integration, {})
    if settings.get("IntegrationUri") != token(function, "Arn"):
        yield Finding("routes", ("Resources", name, "Properties", "Target"), f"{name} does not lead to issue-api")
    elif settings.get("PayloadFormatVersion") != "2.0" or settings.get("IntegrationType") != "AWS_PROXY":
        yield Finding(
            "routes",
            ("Resources", integration, "Properties"),
            f"{integration}: issue-api reads the payload format 2.0 of AWS_PROXY",
        )


def authorizer(deployed: Deployed) -> Iterator[Finding]:
    """Somebody's tokens, for somebody."""
    for name, properties in deployed.of(AUTHORIZER).items():
        path = ("Resources", name, "Properties")
        tokens = properties.get("JwtConfiguration", {})
        audiences = [audience for audience in tokens.get("Audience", []) if audience]
        if properties.get("AuthorizerType") != "JWT":
            yield Finding("authorizer", (*path, "AuthorizerType"), f"{name} is no JWT authorizer")
        if sorted(audiences) != sorted(deployed.given("JwtAudience").split(",")):
            yield Finding(
                "authorizer",
                (*path, "JwtConfiguration"),
                f"{name}: its audience is {audiences}, JwtAudience is {deployed.given('JwtAudience')}; without one any token of the issuer counts",
            )
        if tokens.get("Issuer") != deployed.given("JwtIssuer"):
            yield Finding(
                "authorizer",
                (*path, "JwtConfiguration"),
                f"{name}: its issuer is {tokens.get('Issuer')}, JwtIssuer is {deployed.given('JwtIssuer')}",
            )
        if properties.get("IdentitySource") != ["$request.header.Authorization"]:
            yield Finding(
                "authorizer",
                (*path, "IdentitySource"),
                f"{name} looks for the token elsewhere than in the Authorization header",
            )


def stage(deployed: Deployed) -> Iterator[Finding]:
    """It serves the root, throttles, and logs every request as JSON; the function may be called by it, and answers in time."""
    for name, properties in deployed.of(STAGE).items():
        path = ("Resources", name, "Properties")
        settings, log = properties.get("DefaultRouteSettings", {}), properties.get("AccessLogSettings", {})
        if properties.get("StageName") != "$default" or properties.get("AutoDeploy") is not True:
            yield Finding(
                "stage",
                path,
                f"{name}: the stage is $default and deploys by itself, or paths would begin with its name",
            )
        if [str(settings.get(key)) for key in ("ThrottlingRateLimit", "ThrottlingBurstLimit")] != [
            deployed.given("ThrottleRate"),
            deployed.given("ThrottleBurst"),
        ]:
            yield Finding(
                "stage",
                (*path, "DefaultRouteSettings"),
                f"{name}: {settings} is not what ThrottleRate and ThrottleBurst say",
            )
        if str(log.get("DestinationArn"))[2:].removesuffix(".Arn}") not in deployed.of(LOGS):
            yield Finding(
                "stage", (*path, "AccessLogSettings"), f"{name} writes no access log to a group of this template"
            )
        try:
            if not isinstance(json.loads(log.get("Format", "")), dict) or "\n" in log["Format"].strip():
                raise ValueError("it is no object on one line")
        except ValueError as error:
            yield Finding(
                "stage", (*path, "AccessLogSettings"), f"{name}: a line of the access log is no JSON: {error}"
            )
    if len(deployed.of(STAGE)) != 1:
        yield Finding("stage", ("Resources",), f"one stage is needed, not {len(deployed.of(STAGE))}")
    yield from _invoked(deployed)


def _invoked(deployed: Deployed) -> Iterator[Finding]:
    name, function = by_binary(deployed).get("issue-api", ("", {}))
    if int(function.get("Timeout", 3)) >= INTEGRATION_SECONDS_MAX:
        yield Finding(
            "stage",
            ("Resources", name),
            f"{name} may run longer than the {INTEGRATION_SECONDS_MAX} s that API Gateway waits",
        )
    api = next(iter(deployed.of(API)), "")
    source = f"arn:aws:execute-api:us-east-1:123456789012:{token(api)}/*"
    allowed = [each for each in deployed.of(PERMISSION).values() if each.get("Principal") == "apigateway.amazonaws.com"]
    if [(each.get("FunctionName"), each.get("SourceArn")) for each in allowed] != [(token(name), source)]:
        yield Finding("stage", ("Resources",), f"API Gateway may invoke {name} for this API and no other: {allowed}")


def cors(deployed: Deployed) -> Iterator[Finding]:
    """For the given origins only, with the headers that a page needs."""
    for name, properties in deployed.of(API).items():
        path, settings = ("Resources", name, "Properties", "CorsConfiguration"), properties.get("CorsConfiguration")
        if not deployed.given("CorsOrigins"):
            if settings is not None:
                yield Finding("cors", path, f"{name}: CorsOrigins is empty, and there is CORS")
            continue
        settings = settings or {}
        if settings.get("AllowOrigins") != deployed.given("CorsOrigins").split(","):
            yield Finding(
                "cors",
                path,
                f"{name}: {settings.get('AllowOrigins')} may call, CorsOrigins is {deployed.given('CorsOrigins')}",
            )
        hidden = EXPOSED - {header.lower() for header in settings.get("ExposeHeaders", [])}
        if hidden:
            yield Finding(
                "cors", path, f"{name}: a page cannot read {', '.join(sorted(hidden))}: name it in ExposeHeaders"
            )
        if not {"authorization", "content-type"} <= {header.lower() for header in settings.get("AllowHeaders", [])}:
            yield Finding(
                "cors",
                path,
                f"{name}: a page cannot send its token: name authorization and content-type in AllowHeaders",
            )
        methods = {key.split()[0] for key in code.routes() if key != "$default"}
        if set(settings.get("AllowMethods", [])) != methods:
            yield Finding(
                "cors",
                path,
                f"{name}: AllowMethods is {settings.get('AllowMethods')}, the routes have {sorted(methods)}",
            )


ALL = [routes, authorizer, stage, cors]
