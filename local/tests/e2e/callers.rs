//! Who calls, and what they call that does not exist: tokens, users, paths and methods. That the gateway verifies
//! tokens as Amazon's does is `gateway.rs`; here it is the whole way.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::{Method, Request};
use local::keys::Claims;
use serde_json::json;

use crate::hosted::{http_client, send};
use crate::sandbox::{Sandbox, is_problem, is_unauthorized};

const CALLS: [(Method, &str); 6] = [
    (Method::POST, "/coupons"),
    (Method::POST, "/coupons/spring/issues"),
    (Method::GET, "/coupons/spring/issues/0-0"),
    (Method::GET, "/me/coupons"),
    (Method::GET, "/nowhere"),
    (Method::DELETE, "/me/coupons"),
];

#[tokio::test]
async fn nobody_is_let_in_without_a_token() {
    let sandbox = Sandbox::shared();
    for (method, path) in CALLS {
        is_unauthorized(&sandbox.call(method, path, None, "").await);
    }
}

#[tokio::test]
async fn a_token_that_is_not_ours_is_none() {
    let sandbox = Sandbox::shared();
    let good = sandbox.scoped("ann", "coupons:write");
    let sign = |claims: Claims| sandbox.keys.sign("ann", &claims).unwrap();
    let part = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let pieces: Vec<&str> = good.split('.').collect();
    let unsigned = format!("{}.{}.", part(json!({"alg": "none", "typ": "JWT"})), pieces[1]);
    let by_password = format!("{}.{}.{}", part(json!({"alg": "HS256", "typ": "JWT"})), pieces[1], pieces[2]);
    let somebody_else =
        part(json!({"iss": "https://firstcome.local", "aud": "firstcome", "sub": "bob", "exp": 9_999_999_999_u64}));
    let tampered = format!("{}.{somebody_else}.{}", pieces[0], pieces[2]);
    let tokens = [
        sign(Claims { expires_in_seconds: -3600, ..Claims::default() }),
        sign(Claims { audience: "another".into(), ..Claims::default() }),
        sign(Claims { issuer: "https://example.com".into(), ..Claims::default() }),
        unsigned,
        by_password,
        tampered,
        format!("{}.{}.", pieces[0], pieces[1]),
        "not-a-token".to_owned(),
        String::new(),
    ];
    for token in tokens {
        for (method, path) in CALLS {
            is_unauthorized(&sandbox.call(method, path, Some(&token), "").await);
        }
    }
}

#[tokio::test]
async fn anybody_may_look_at_a_coupon() {
    let sandbox = Sandbox::shared();
    let coupon = sandbox.coupon("open", 1).await;
    let path = format!("/coupons/{coupon}");
    for token in [None, Some("not-a-token")] {
        assert_eq!(sandbox.call(Method::GET, &path, token, "").await.status, 200);
    }
}

#[tokio::test]
async fn a_user_that_breaks_the_limit_is_refused() {
    let sandbox = Sandbox::shared();
    let coupon = sandbox.coupon("users", 10).await;
    for user in ["a b", "é", "a\u{7f}", &"x".repeat(129)] {
        is_problem(&sandbox.issue(&coupon, user).await, 400, "INVALID_REQUEST");
        is_problem(&sandbox.mine(user, "").await, 400, "INVALID_REQUEST");
    }
    // As odd as they may be: every printable character of ASCII, among them those that JSON escapes.
    for user in ["\"\\/<script>'{}", &"~".repeat(128)] {
        assert_eq!(sandbox.asks(&coupon, user).await["status"], "ISSUED");
        assert_eq!(sandbox.mine(user, "").await.json()["items"][0]["couponId"], coupon.as_str());
    }
}

#[tokio::test]
async fn what_does_not_exist_is_told_apart_from_what_is_called_wrongly() {
    let sandbox = Sandbox::shared();
    let token = sandbox.token("ann");
    for path in ["/", "/nowhere", "/coupons/a/b", "/coupons/spring/issues/0-0/x", "/me", "/me/coupons/x"] {
        is_problem(&sandbox.call(Method::GET, path, Some(&token), "").await, 404, "NOT_FOUND");
    }
    let cases = [
        (Method::DELETE, "/coupons", "POST"),
        (Method::PUT, "/coupons/spring", "GET"),
        (Method::GET, "/coupons/spring/issues", "POST"),
        (Method::POST, "/coupons/spring/issues/0-0", "GET"),
        (Method::POST, "/me/coupons", "GET"),
    ];
    for (method, path, allowed) in cases {
        let answer = sandbox.call(method, path, Some(&token), "").await;
        is_problem(&answer, 405, "METHOD_NOT_ALLOWED");
        assert!(answer.header("allow").is_some_and(|allow| allow.contains(allowed)), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn the_functions_are_invoked_at_the_address_that_the_ready_line_names() {
    let sandbox = Sandbox::shared();
    let invoke = "/2015-03-31/functions/issue-worker/invocations";
    let request = Request::post(format!("{}{invoke}", sandbox.at.functions));
    let request = request.body(json!({"eventSource": "SelfManagedKafka", "records": {}}).to_string().into()).unwrap();
    let answer = send(&http_client(), request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("x-amz-function-error"), None, "{answer:?}");
}

#[tokio::test]
async fn no_path_is_worth_a_500() {
    let sandbox = Sandbox::shared();
    let token = sandbox.token("ann");
    let long = format!("/coupons/{}", "x".repeat(6000));
    for path in [
        "/coupons/..%2f..%2fetc",
        "/coupons//issues",
        "//coupons",
        "/coupons/%ff%fe",
        "/coupons/spring/issues/%c0%80",
        "/me/coupons?limit=1&limit=2",
        "/me/coupons?%00=%00",
        "/me/coupons?cursor=%ff",
        "/coupons/a%3fb",
        &long,
    ] {
        let answer = sandbox.call(Method::GET, path, Some(&token), "").await;
        assert!(answer.status.is_client_error() || answer.status.is_success(), "{path}: {answer:?}");
    }
}
