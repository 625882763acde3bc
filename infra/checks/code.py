"""What the code says: which functions there are, what they read, which calls they make on which table, how the tables are
keyed, which routes the API's description has. Read from the sources themselves, so that nothing is said twice."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path as File
from typing import Any

import yaml

ROOT = File(__file__).resolve().parents[2]
STORE = "crates/coupon-dynamodb/src"

# What a call or a transaction's part takes as a right. A transaction has none of its own.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
RIGHTS = {
    "put_item()": "PutItem",
    "get_item()": "GetItem",
    "update_item()": "UpdateItem",
    "delete_item()": "DeleteItem",
    "batch_get_item()": "BatchGetItem",
    "batch_write_item()": "BatchWriteItem",
    "query()": "Query",
    "scan()": "Scan",
    "Put::builder()": "PutItem",
    "Get::builder()": "GetItem",
    "Update::builder()": "UpdateItem",
    "Delete::builder()": "DeleteItem",
    "ConditionCheck::builder()": "ConditionCheckItem",
    "transact_write_items()": None,
    "transact_get_items()": None,
}


class CodeChanged(Exception):
    """The sources no longer look as this module reads them: the module has to follow."""


def text(path: str) -> str:
    """A source file, without its tests and its comments."""
    whole = (ROOT / path).read_text(encoding="utf-8").split("#[cfg(test)]\nmod tests")[0]
    return re.sub(r"(?m)^\s*//.*$", "", whole)


@dataclass(frozen=True)
class Metric:
    """What a function emits: its name, and the dimension besides `Function` that tells its values apart."""

    name: str
    by: str | None
    values: frozenset[str]


@dataclass(frozen=True)
class Function:
    """A function of the workspace."""

    name: str
    variables: frozenset[str]
    # Pairs of a right, such as `GetItem`, and a table's variable, such as `COUPONS_TABLE`.
    table_rights: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    reads_secrets: bool = False
    metrics: frozenset[Metric] = field(default_factory=frozenset)


@cache
def functions() -> dict[str, Function]:
    """Every package in `functions/`, by its name."""
    found = {}
    for folder in sorted((ROOT / "functions").iterdir()):
        name = _first(
            r'(?m)^name = "([^"]+)"', (folder / "Cargo.toml").read_text(encoding="utf-8"), f"{folder}/Cargo.toml"
        )
        sources = {file.name: text(str(file.relative_to(ROOT))) for file in sorted((folder / "src").rglob("*.rs"))}
        called = {method for source in sources.values() for method in _called(source)}
        rights = {right for method in called for right in store_rights().get(method, ())}
        connects = re.search(r"ConnectedLog::connect|connect_admin", sources["main.rs"])
        reads_secrets = bool(connects) and "get_secret_value()" in text("crates/bootstrap/src/secrets.rs")
        metrics = _metrics(sources.get("metrics.rs", ""))
        found[name] = Function(name, _variables(sources["config.rs"]), frozenset(rights), reads_secrets, metrics)
    return found


def _metrics(source: str) -> frozenset[Metric]:
    """The constants of a metrics.rs, and the values that each is told apart by."""
    declared = re.findall(r'const (\w+): Metric = Metric::\w+\(\s*"(\w+)"(?:,\s*"(\w+)")?\s*\);', source)
    if len(declared) != len(re.findall(r": Metric =", source)):
        raise CodeChanged("a metrics.rs declares metrics in a way that infra/checks/code.py does not know")
    found = set()
    for constant, name, by in declared:
        if len(re.findall(rf"\b{constant}\b", source)) < 2:
            raise CodeChanged(f"a metrics.rs declares {name}, and never counts it")
        values = set(re.findall(rf'count_by\({constant}, "(\w+)"', source))
        if by == "Code":
            values = _codes()
        found.add(Metric(name, by or None, frozenset(values)))
    return frozenset(found)


def _codes() -> set[str]:
    """The codes that issue-api refuses with."""
    return set(re.findall(r'=> \("([A-Z_]+)", \d+, ', text("functions/issue-api/src/problem.rs")))


def _variables(config: str) -> frozenset[str]:
    names = set(re.findall(r'variables\s*\.(?:required|number|optional)\(\s*"([A-Z_]+)"', config))
    if "kafka::Config::from_lookup" in config:
        names |= set(re.findall(r'pub const \w+: &str = "(KAFKA_[A-Z_]+)"', text("crates/kafka/src/config.rs")))
    if not names:
        raise CodeChanged("a config.rs reads no variable in the way that infra/checks/code.py knows")
    return frozenset(names)


def _called(source: str) -> set[str]:
    return set(re.findall(r"(?:\bstore|retrying\(\))\s*\.\s*(\w+)\(", source)) & set(store_rights())


@cache
def store_rights() -> dict[str, frozenset[tuple[str, str]]]:
    """What each method of the store takes, followed through the crate's own functions."""
    bodies: dict[str, str] = {}
    for file in sorted((ROOT / STORE).glob("*.rs")):
        bodies |= _bodies(text(f"{STORE}/{file.name}"))
    known = {call.removesuffix("()") for call in RIGHTS}
    made = set(re.findall(r"\.client\s*\.(\w+)\(\)", " ".join(bodies.values())))
    if not made or made - known:
        raise CodeChanged(f"{STORE} makes calls that infra/checks/code.py does not know: {sorted(made - known)}")
    methods = re.findall(r"async fn (\w+)\(", text(f"{STORE}/lib.rs").split("impl Store for DynamoStore")[1])
    return {method: frozenset(_rights(method, bodies, set())) for method in methods}


def _rights(name: str, bodies: dict[str, str], seen: set[str]) -> set[tuple[str, str]]:
    body, found = bodies[name], set()
    seen.add(name)
    tables = {f"{table.upper()}_TABLE" for table in re.findall(r"self\.tables\.(coupons|user_coupons)\b", body)}
    for call, right in RIGHTS.items():
        is_made = re.search(rf"\b{re.escape(call)}" if "::" in call else rf"\.client\s*\.{re.escape(call)}", body)
        if is_made and right:
            found |= {(right, table) for table in tables}
    for inner in set(re.findall(r"self\.(\w+)\(", body)) & set(bodies) - seen:
        found |= _rights(inner, bodies, seen)
    return found


def _bodies(source: str) -> dict[str, str]:
    """Functions by name; each body ends where the next function begins."""
    starts = list(re.finditer(r"\bfn (\w+)\s*[<(]", source))
    ends = [start.start() for start in starts[1:]] + [len(source)]
    return {start.group(1): source[start.end() : end] for start, end in zip(starts, ends, strict=True)}


@cache
def table_keys() -> dict[str, list[str]]:
    """The key of each table's item, hash before range, by the table's variable."""
    found = {}
    for table, file in (("COUPONS_TABLE", "head.rs"), ("USER_COUPONS_TABLE", "issued.rs")):
        key = _first(r"fn key\([^{]*\{([^}]*)\}", text(f"{STORE}/{file}"), f"{STORE}/{file}")
        found[table] = re.findall(r'\("(\w+)"\.into\(\)', key)
    return found


@cache
def routes() -> dict[str, bool]:
    """The routes that the API's description has, and whether a token is needed."""
    api: dict[str, Any] = yaml.safe_load((ROOT / "events/openapi.yaml").read_text(encoding="utf-8"))
    found = {}
    for path, item in api["paths"].items():
        for method in set(item) & {"get", "post", "put", "patch", "delete"}:
            # The one path that stands for all others is the `$default` route.
            key = "$default" if path == "/{unknown}" else f"{method.upper()} {path}"
            found[key] = item[method].get("security", api.get("security")) != []
    return found


def _first(pattern: str, source: str, where: str) -> str:
    found = re.search(pattern, source)
    if not found:
        raise CodeChanged(f"{where} has nothing like {pattern}")
    return found.group(1)
