//! `POST /coupons` and `GET /coupons/{couponId}`: what is taken, what is refused, and in which order.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use crate::sandbox::{Sandbox, in_ms, is_problem, unique};

const BODY_BYTES_MAX: usize = 64 * 1024;

fn valid(id: &str) -> Value {
    json!({"couponId": id, "name": "Spring sale", "total": 10})
}

/// A valid coupon with one member changed.
fn with(member: &str, value: Value) -> Value {
    let mut coupon = valid(&unique("with"));
    coupon[member] = value;
    coupon
}

#[tokio::test]
async fn a_created_coupon_is_shown_as_it_was_created() {
    let sandbox = Sandbox::shared();
    let id = unique("created");
    let created = sandbox.create(&valid(&id)).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.header("location"), Some(format!("/coupons/{id}").as_str()));
    let expected = json!({
        "couponId": id, "name": "Spring sale", "total": 10, "remaining": 10, "issued": 0,
        "state": "OPEN", "opensAt": null, "closesAt": null,
    });
    assert_eq!(created.json(), expected);
    let shown = sandbox.show(&id).await;
    assert_eq!((shown.status.as_u16(), shown.json()), (200, expected));
    assert_eq!(shown.header("cache-control"), Some("public, max-age=1"));
}

#[tokio::test]
async fn times_come_back_in_utc_with_three_digits_whatever_their_offset() {
    let sandbox = Sandbox::shared();
    let id = unique("offset");
    let coupon = json!({
        "couponId": id, "name": "Later", "total": 1,
        "opensAt": "2199-01-01T12:00:00+09:00", "closesAt": "2199-01-01T03:00:00.5Z",
    });
    let created = sandbox.create(&coupon).await.json();
    assert_eq!(created["opensAt"], "2199-01-01T03:00:00.000Z");
    assert_eq!(created["closesAt"], "2199-01-01T03:00:00.500Z");
    assert_eq!(created["state"], "SCHEDULED");
}

#[tokio::test]
async fn everything_up_to_its_limit_is_taken() {
    let sandbox = Sandbox::shared();
    let id = format!("{:x<64}", unique("limit_-"));
    let coupon = json!({
        "couponId": id, "name": "봄".repeat(100), "total": 1_000_000_000, "opensAt": null, "closesAt": null,
    });
    let padded = format!("{coupon}{}", " ".repeat(BODY_BYTES_MAX - coupon.to_string().len()));
    let admin = sandbox.scoped("admin", "profile coupons:write email");
    let created = sandbox.call(Method::POST, "/coupons", Some(&admin), padded).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(sandbox.show(&id).await.json()["name"], "봄".repeat(100));
}

#[tokio::test]
async fn what_breaks_a_limit_is_named_by_its_field() {
    let sandbox = Sandbox::shared();
    let cases = [
        ("couponId", json!("")),
        ("couponId", json!("x".repeat(65))),
        ("couponId", json!("a b")),
        ("couponId", json!("../me")),
        ("couponId", json!("é")),
        ("couponId", json!(7)),
        ("couponId", json!(null)),
        ("name", json!("")),
        ("name", json!("봄".repeat(101))),
        ("name", json!(["Spring"])),
        ("total", json!(0)),
        ("total", json!(-1)),
        ("total", json!(1_000_000_001)),
        ("total", json!(1.5)),
        ("total", json!("10")),
        ("total", json!(1e300)),
        ("opensAt", json!("noon")),
        ("opensAt", json!(1_763_607_600)),
        ("closesAt", json!(in_ms(-1000))),
        ("colour", json!("red")),
    ];
    for (field, value) in cases {
        let problem = is_problem(&sandbox.create(&with(field, value.clone())).await, 400, "INVALID_REQUEST");
        let errors = problem["errors"].as_array().unwrap();
        let named = errors.iter().find(|error| error["field"] == field);
        let detail = named.and_then(|error| error["detail"].as_str());
        assert!(detail.is_some_and(|detail| !detail.is_empty()), "{field} {value}: {problem}");
    }
}

#[tokio::test]
async fn a_window_that_never_opens_is_refused() {
    let sandbox = Sandbox::shared();
    let (early, late) = (in_ms(60_000), in_ms(120_000));
    for (opens_at, closes_at) in [(&late, &early), (&early, &early)] {
        let mut coupon = with("opensAt", json!(opens_at));
        coupon["closesAt"] = json!(closes_at);
        is_problem(&sandbox.create(&coupon).await, 400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn several_faults_are_told_at_once() {
    let sandbox = Sandbox::shared();
    let broken = json!({"couponId": "a b", "name": "", "total": 0});
    let problem = is_problem(&sandbox.create(&broken).await, 400, "INVALID_REQUEST");
    let mut fields: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["couponId", "name", "total"]);
}

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let sandbox = Sandbox::shared();
    let admin = sandbox.scoped("admin", "coupons:write");
    let deep = "[".repeat(30_000);
    for body in ["", "{", "null", "[]", "\"text\"", r#"["c","n",1]"#, "\u{feff}{}", "{}", &deep] {
        let answer = sandbox.call(Method::POST, "/coupons", Some(&admin), body).await;
        is_problem(&answer, 400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn an_id_is_given_once_and_the_first_coupon_stays() {
    let sandbox = Sandbox::shared();
    let id = sandbox.coupon("once", 3).await;
    let again = json!({"couponId": id, "name": "Other", "total": 99});
    is_problem(&sandbox.create(&again).await, 409, "COUPON_EXISTS");
    assert_eq!(sandbox.show(&id).await.json()["total"], 3);
}

#[tokio::test]
async fn the_scope_comes_before_the_size_and_the_size_before_the_content() {
    let sandbox = Sandbox::shared();
    let admin = sandbox.scoped("admin", "coupons:write");
    let too_large = "x".repeat(BODY_BYTES_MAX + 1);
    for scope in ["", "coupons:read", "coupons:writer", "xcoupons:write", "coupons:write,"] {
        let somebody = sandbox.scoped("ann", scope);
        let answer = sandbox.call(Method::POST, "/coupons", Some(&somebody), &*too_large).await;
        is_problem(&answer, 403, "FORBIDDEN");
    }
    let answer = sandbox.call(Method::POST, "/coupons", Some(&admin), &*too_large).await;
    is_problem(&answer, 413, "PAYLOAD_TOO_LARGE");
    let answer = sandbox.call(Method::POST, "/coupons", Some(&admin), &*"x".repeat(BODY_BYTES_MAX)).await;
    is_problem(&answer, 400, "INVALID_REQUEST");
}

#[tokio::test]
async fn a_coupon_that_is_none_is_not_shown() {
    let sandbox = Sandbox::shared();
    is_problem(&sandbox.show("nobody-made-this").await, 404, "COUPON_NOT_FOUND");
    for id in ["a%20b", "%00", "%2e%2e", &"x".repeat(65), "a'or'1'='1"] {
        is_problem(&sandbox.show(id).await, 400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn the_state_is_the_first_that_holds() {
    let sandbox = Sandbox::shared();
    let later = unique("state");
    let coupon = json!({"couponId": later, "name": "Later", "total": 1, "opensAt": in_ms(1500)});
    assert_eq!(sandbox.create(&coupon).await.status, 201);
    sandbox.until_state(&later, "OPEN").await;
    assert_eq!(sandbox.asks(&later, "ann").await["status"], "ISSUED");
    sandbox.until_state(&later, "SOLD_OUT").await;

    // Sold out and then closed; with more time on a machine on which it closed before ann had asked.
    for seconds in [3, 12, 48] {
        let short = sandbox.closing_coupon("state", 1, Duration::from_secs(seconds)).await;
        let asked = sandbox.issue(&short, "ann").await;
        if asked.status == 410 {
            continue;
        }
        let told = sandbox.outcome_of(&short, asked.json()["requestId"].as_str().unwrap(), "ann").await;
        if told["status"] == "REJECTED" {
            continue;
        }
        sandbox.until_state(&short, "CLOSED").await;
        assert_eq!(sandbox.show(&short).await.json()["remaining"], 0);
        return;
    }
    panic!("no request was faster than a coupon that closes");
}
