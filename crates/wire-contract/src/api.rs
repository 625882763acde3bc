//! The HTTP API as `events/openapi.yaml` promises it: which answers a call has, with which headers and which body.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use jsonschema::Validator;
use serde_json::Value;

use crate::{
    schema::{closed, judge, resolved},
    yaml,
};

const OPENAPI: &str = "events/openapi.yaml";
const PROBLEM: &str = "application/problem+json";

/// Headers that belong to HTTP or to API Gateway and need no mention in the document.
const TRANSPORT: [&str; 5] = ["apigw-requestid", "connection", "content-length", "content-type", "date"];

/// What API Gateway answers by itself, whatever the path and the method.
const GATEWAYS_OWN: [u16; 4] = [401, 429, 500, 503];

/// One call and its answer, as they went over the wire.
#[derive(Debug, Clone)]
pub struct Answered<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, a query behind it or not.
    pub path: &'a str,
    /// The status.
    pub status: u16,
    /// The answer's headers; names in any case.
    pub headers: Vec<(&'a str, &'a str)>,
    /// The answer's body.
    pub body: &'a [u8],
}

/// The document, ready to judge answers.
#[derive(Debug)]
pub struct Api {
    operations: Vec<Operation>,
}

#[derive(Debug)]
struct Operation {
    method: String,
    path: String,
    answers: BTreeMap<u16, Promise>,
}

/// What the document promises of one status of one operation.
#[derive(Debug)]
struct Promise {
    headers: Vec<PromisedHeader>,
    contents: BTreeMap<String, Validator>,
    codes: Vec<String>,
}

#[derive(Debug)]
struct PromisedHeader {
    name: String,
    required: bool,
    values: Validator,
}

impl Api {
    /// The document in the workspace, read once.
    ///
    /// # Panics
    /// It cannot be read.
    #[must_use]
    pub fn promised() -> &'static Self {
        static API: OnceLock<Api> = OnceLock::new();
        API.get_or_init(|| Self::of(&yaml::load(OPENAPI)))
    }

    fn of(document: &Value) -> Self {
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            let methods = item.as_object().unwrap().iter().filter(|(_method, one)| one.get("responses").is_some());
            for (method, operation) in methods {
                let answers = operation["responses"].as_object().unwrap().iter();
                let answers = answers.map(|(status, answer)| {
                    let status = status.parse().unwrap_or_else(|_| panic!("{OPENAPI}: {method} {path} has {status}"));
                    (status, Promise::of(document, resolved(document, answer)))
                });
                operations.push(Operation {
                    method: method.to_uppercase(),
                    path: path.clone(),
                    answers: answers.collect(),
                });
            }
        }
        Self { operations }
    }

    /// Every answer of the functions that the document tells of: `GET /coupons/{couponId} 404 COUPON_NOT_FOUND`, and
    /// `-` for the code of a success. What API Gateway alone answers is not among them.
    #[must_use]
    pub fn answers(&self) -> BTreeSet<String> {
        let mut answers = BTreeSet::new();
        for operation in &self.operations {
            for (status, promise) in &operation.answers {
                let name = |code: &str| format!("{} {} {status} {code}", operation.method, operation.path);
                answers.extend(promise.codes.iter().map(|code| name(code)));
                answers.extend((*status < 400).then(|| name("-")));
            }
        }
        answers
    }

    /// Which of [`Self::answers`] this is.
    ///
    /// # Errors
    /// It is none: the status is not promised, the body is not what its schema says, a header that was promised lacks,
    /// or there is one that nobody was told of.
    pub fn check(&self, answered: &Answered<'_>) -> Result<String, String> {
        let (operation, is_its_method) = self.operation(answered);
        let told = format!("{} {} {}", operation.method, operation.path, answered.status);
        let whole = || format!("{OPENAPI}, {told}, of {} {}", answered.method, answered.path);
        // Another method than the path's is told so, unless the gateway speaks first.
        let is_possible = is_its_method || answered.status == 405 || GATEWAYS_OWN.contains(&answered.status);
        let promise = operation.answers.get(&answered.status).filter(|_promise| is_possible);
        let promise = promise.ok_or_else(|| format!("{}: no such answer", whole()))?;
        let code = promise.check(answered).map_err(|fault| format!("{}: {fault}", whole()))?;
        Ok(format!("{told} {}", code.as_deref().unwrap_or("-")))
    }

    /// The operation that the document has for a call, and whether it has the call's method.
    fn operation(&self, answered: &Answered<'_>) -> (&Operation, bool) {
        // API Gateway decodes a path before anybody matches it, an encoded slash too.
        let path = answered.path.split('?').next().unwrap_or_default().replace("%2f", "/").replace("%2F", "/");
        let mut fitting = self.operations.iter().filter(|one| one.is_at(&path)).peekable();
        let Some(first) = fitting.peek().copied() else {
            let unknown = self.operations.iter().find(|one| one.path == "/{unknown}");
            return (unknown.unwrap_or_else(|| panic!("{OPENAPI}: no /{{unknown}}")), true);
        };
        fitting.find(|one| one.method == answered.method).map_or((first, false), |one| (one, true))
    }
}

impl Operation {
    fn is_at(&self, path: &str) -> bool {
        let segments = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
        let (template, path) = (segments(&self.path), segments(path));
        let fits = |(template, segment): (&String, &String)| match template.starts_with('{') {
            true => !segment.is_empty(),
            false => template == segment,
        };
        self.path != "/{unknown}" && template.len() == path.len() && template.iter().zip(&path).all(fits)
    }
}

impl Promise {
    fn of(document: &Value, answer: &Value) -> Self {
        let members = |name: &str| answer.get(name).and_then(Value::as_object).into_iter().flatten();
        let headers = members("headers").map(|(name, header)| {
            let header = resolved(document, header);
            PromisedHeader {
                name: name.to_lowercase(),
                required: header["required"] == true,
                values: closed(document, &header["schema"]),
            }
        });
        let contents = members("content").map(|(kind, content)| (kind.clone(), closed(document, &content["schema"])));
        let codes = answer.pointer("/content/application~1problem+json/schema/allOf").and_then(Value::as_array);
        let codes = codes.into_iter().flatten().filter_map(|one| one.pointer("/properties/code"));
        let codes = codes.flat_map(|code| match code.get("const") {
            Some(only) => vec![only.clone()],
            None => code["enum"].as_array().cloned().unwrap_or_default(),
        });
        Self {
            headers: headers.collect(),
            contents: contents.collect(),
            codes: codes.filter_map(|code| code.as_str().map(str::to_owned)).collect(),
        }
    }

    /// The code of a problem that is as promised.
    fn check(&self, answered: &Answered<'_>) -> Result<Option<String>, String> {
        let kind = answered.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
        let body = self.contents.get(kind).ok_or_else(|| format!("no body of type {kind:?}"))?;
        self.check_headers(answered, kind == PROBLEM)?;
        if answered.method == "HEAD" {
            return Ok(None);
        }
        let value: Value = serde_json::from_slice(answered.body).map_err(|error| format!("the body: {error}"))?;
        judge(body, &value)?;
        if kind != PROBLEM {
            return Ok(None);
        }
        match value["status"] == answered.status {
            true => Ok(value["code"].as_str().map(str::to_owned)),
            false => Err(format!("{value}: its status is {}", answered.status)),
        }
    }

    /// The gateway's own answers have fewer headers than the functions', so the document cannot require all of them.
    fn check_headers(&self, answered: &Answered<'_>, by_function: bool) -> Result<(), String> {
        for header in &self.headers {
            match answered.header(&header.name) {
                Some(value) => header.check(value)?,
                None if header.required || by_function => return Err(format!("no header {}", header.name)),
                None => {}
            }
        }
        let mut others = answered.headers.iter().map(|(name, _value)| name.to_lowercase());
        let is_told = |name: &String| self.headers.iter().any(|one| one.name == *name);
        match others.find(|name| !TRANSPORT.contains(&name.as_str()) && !is_told(name)) {
            Some(other) => Err(format!("a header {other} that nobody was told of")),
            None => Ok(()),
        }
    }
}

impl PromisedHeader {
    /// A header is text; where the schema wants a number, its text is one.
    fn check(&self, value: &str) -> Result<(), String> {
        let as_text = judge(&self.values, &value.into());
        let as_number = value.parse::<i64>().is_ok_and(|number| self.values.is_valid(&number.into()));
        if as_number { Ok(()) } else { as_text.map_err(|fault| format!("header {}: {fault}", self.name)) }
    }
}

impl Answered<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _value)| other.eq_ignore_ascii_case(name)).map(|(_name, value)| *value)
    }
}
