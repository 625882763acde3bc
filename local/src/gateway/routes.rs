//! The routes of an HTTP API, and which of them a request takes.
//!
//! Pure. A route's integration and authorizer are data here; `mod.rs` acts on them.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html>

use std::collections::BTreeMap;

use anyhow::{bail, ensure};
use hyper::Method;
use percent_encoding::percent_decode_str;

/// The route that takes what no other one does.
pub(super) const DEFAULT: &str = "$default";

/// A route as it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `GET /coupons/{couponId}`, `ANY /files/{path+}` or `$default`.
    pub key: String,
    /// The function it leads to.
    pub function: String,
    /// Whether nobody gets through without a valid token.
    pub authorized: bool,
}

impl From<template::Route> for Route {
    fn from(template::Route { key, function, authorized, .. }: template::Route) -> Self {
        Self { key, function, authorized }
    }
}

/// All routes, the most specific first.
#[derive(Debug)]
pub(super) struct Routes {
    routes: Vec<(Pattern, Route)>,
    default: Option<Route>,
}

/// Which route, and what its variables stand for.
#[derive(Debug)]
pub(super) struct Match<'a> {
    pub(super) route: &'a Route,
    pub(super) parameters: BTreeMap<&'a str, String>,
}

#[derive(Debug)]
struct Pattern {
    /// None for `ANY`.
    method: Option<Method>,
    segments: Vec<Segment>,
}

#[derive(Debug)]
enum Segment {
    Literal(String),
    Variable(String),
    /// `{name+}`: all the rest.
    Greedy(String),
}

impl Routes {
    pub(super) fn new(declared: Vec<Route>) -> anyhow::Result<Self> {
        let mut routes = Vec::new();
        let mut default = None;
        for route in declared {
            if route.key == DEFAULT {
                default = Some(route);
            } else {
                routes.push((Pattern::parse(&route.key)?, route));
            }
        }
        routes.sort_by_key(|(pattern, _)| pattern.generality());
        Ok(Self { routes, default })
    }

    /// The route for a request: a full match before one with variables, before a greedy one, before `$default`.
    pub(super) fn find(&self, method: &Method, path: &str) -> Option<Match<'_>> {
        // Decoded before it is cut, as the function sees it: an encoded slash must not lead past a route's authorizer to a
        // function that then reads another route from the path.
        let path = percent_decode_str(path).decode_utf8_lossy();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let found = self.routes.iter().find_map(|(pattern, route)| {
            let parameters = pattern.matches(method, &segments)?;
            Some(Match { route, parameters })
        });
        found.or_else(|| self.default.as_ref().map(|route| Match { route, parameters: BTreeMap::new() }))
    }

    /// The functions that the routes lead to.
    pub(super) fn functions(&self) -> impl Iterator<Item = &str> {
        self.routes.iter().map(|(_, route)| route).chain(&self.default).map(|route| route.function.as_str())
    }
}

impl Pattern {
    fn parse(key: &str) -> anyhow::Result<Self> {
        let Some((method, path)) = key.split_once(' ') else {
            bail!("{key:?} is no route key: expected `METHOD /path`, `ANY /path` or `$default`");
        };
        let method = if method == "ANY" { None } else { Some(Method::from_bytes(method.as_bytes())?) };
        ensure!(path.starts_with('/'), "the path of route {key:?} must begin with a slash");
        let segments: Vec<_> = path.split('/').skip(1).map(Segment::parse).collect();
        let rest = segments.iter().position(|segment| matches!(segment, Segment::Greedy(_)));
        ensure!(
            rest.is_none_or(|place| place + 1 == segments.len()),
            "in route {key:?} only the last variable may be greedy"
        );
        Ok(Self { method, segments })
    }

    /// The lower, the more specific: how its segments compare from the left, then whether it names its method.
    fn generality(&self) -> (Vec<u8>, bool) {
        let segment = |segment: &Segment| match segment {
            Segment::Literal(_) => 0,
            Segment::Variable(_) => 1,
            Segment::Greedy(_) => 2,
        };
        (self.segments.iter().map(segment).collect(), self.method.is_none())
    }

    fn matches(&self, method: &Method, path: &[&str]) -> Option<BTreeMap<&str, String>> {
        if self.method.as_ref().is_some_and(|wanted| wanted != method) {
            return None;
        }
        let mut parameters = BTreeMap::new();
        let mut rest = path;
        for segment in &self.segments {
            let (first, others) = rest.split_first()?;
            match segment {
                Segment::Literal(literal) if literal == first => {}
                Segment::Variable(name) if !first.is_empty() => {
                    parameters.insert(name.as_str(), (*first).to_owned());
                }
                Segment::Greedy(name) if rest.iter().any(|segment| !segment.is_empty()) => {
                    parameters.insert(name.as_str(), rest.join("/"));
                    return Some(parameters);
                }
                Segment::Literal(_) | Segment::Variable(_) | Segment::Greedy(_) => return None,
            }
            rest = others;
        }
        rest.is_empty().then_some(parameters)
    }
}

impl Segment {
    fn parse(text: &str) -> Self {
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            None => Self::Literal(text.to_owned()),
            Some(name) => match name.strip_suffix('+') {
                Some(name) => Self::Greedy(name.to_owned()),
                None => Self::Variable(name.to_owned()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(keys: &[&str]) -> Routes {
        let route = |key: &&str| Route { key: (*key).into(), function: "f".into(), authorized: false };
        Routes::new(keys.iter().map(route).collect()).unwrap()
    }

    fn taken(routes: &Routes, method: Method, path: &str) -> Option<(String, Vec<String>)> {
        let found = routes.find(&method, path)?;
        Some((
            found.route.key.clone(),
            found.parameters.into_iter().map(|(name, value)| format!("{name}={value}")).collect(),
        ))
    }

    #[test]
    fn the_most_specific_route_is_taken() {
        let routes = routes(&[
            "$default",
            "ANY /{proxy+}",
            "GET /coupons/{couponId}",
            "ANY /coupons/{couponId}",
            "GET /coupons/mine",
            "POST /coupons/{couponId}/issues",
        ]);
        for (method, path, key, parameters) in [
            (Method::GET, "/coupons/mine", "GET /coupons/mine", vec![]),
            (Method::GET, "/coupons/x", "GET /coupons/{couponId}", vec!["couponId=x"]),
            (Method::PUT, "/coupons/x", "ANY /coupons/{couponId}", vec!["couponId=x"]),
            (Method::POST, "/coupons/b%20c/issues", "POST /coupons/{couponId}/issues", vec!["couponId=b c"]),
            (Method::POST, "/coupons/a%2Fissues", "POST /coupons/{couponId}/issues", vec!["couponId=a"]),
            (Method::GET, "/%63oupons/x", "GET /coupons/{couponId}", vec!["couponId=x"]),
            (Method::GET, "/coupons/", "ANY /{proxy+}", vec!["proxy=coupons/"]),
            (Method::GET, "/coupons//issues", "ANY /{proxy+}", vec!["proxy=coupons//issues"]),
            (Method::GET, "/", "$default", vec![]),
            (Method::OPTIONS, "*", "$default", vec![]),
        ] {
            let parameters = parameters.into_iter().map(str::to_owned).collect();
            assert_eq!(taken(&routes, method, path), Some((key.to_owned(), parameters)), "{path}");
        }
    }

    #[test]
    fn without_a_default_an_unknown_path_has_no_route() {
        assert_eq!(taken(&routes(&["GET /a"]), Method::GET, "/b"), None);
        assert_eq!(taken(&routes(&["GET /a"]), Method::POST, "/a"), None);
    }

    #[test]
    fn broken_percent_encoding_is_a_value_like_any_other() {
        let routes = routes(&["GET /{id}"]);
        for (path, id) in [("/%", "id=%"), ("/%zz", "id=%zz"), ("/%ff", "id=\u{fffd}"), ("/%00", "id=\0")] {
            assert_eq!(taken(&routes, Method::GET, path).unwrap().1, [id], "{path}");
        }
    }

    #[test]
    fn a_key_that_is_none_is_refused() {
        for key in ["/coupons", "GET coupons", "GET", "GET /{a+}/b", "G\u{e9}T /a"] {
            let route = Route { key: key.into(), function: "f".into(), authorized: false };
            assert!(Routes::new(vec![route]).is_err(), "{key}");
        }
    }
}
