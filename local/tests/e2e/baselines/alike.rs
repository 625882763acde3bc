//! What all three have in common, so that one harness can ask them: tokens, errors, creation, and a good end.

use baseline::System;
use hyper::Method;
use serde_json::json;

use super::world::{Outbox, World};
use crate::sandbox::{is_problem, is_unauthorized, local};

#[tokio::test]
async fn they_take_the_same_calls_and_end_in_good_order() {
    for system in System::ALL {
        let mut world = World::start(system, Outbox::Prompt).await;
        let issues = "/coupons/sale/issues";
        let without = world.call(Method::POST, issues, "none", "").await.unwrap();
        is_unauthorized(&without);
        let ann = world.token("ann");
        is_problem(&world.call(Method::POST, issues, &ann, "").await.unwrap(), 404, "COUPON_NOT_FOUND");
        let coupon = json!({"couponId": "sale", "name": "Sale", "total": 2}).to_string();
        is_problem(&world.call(Method::POST, "/coupons", &ann, &coupon).await.unwrap(), 403, "FORBIDDEN");
        world.create("sale", 2).await;
        let again = world.call(Method::POST, "/coupons", &world.shops_token(), &coupon).await.unwrap();
        is_problem(&again, 409, "COUPON_EXISTS");
        let shown = world.get("/coupons/sale", "ann").await.json();
        let expected = json!({
            "couponId": "sale", "name": "sale", "total": 2, "remaining": 2, "issued": 0, "state": "OPEN",
            "opensAt": null, "closesAt": null,
        });
        assert_eq!(shown, expected, "{system}");
        is_problem(&world.get("/elsewhere", "ann").await, 404, "NOT_FOUND");
        assert!(world.end_server().await.success(), "{system}");
    }
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_named() {
    let output = local(&["baseline", "redis", "--port", "0", "--redis", "127.0.0.1:1"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no Redis at 127.0.0.1:1"), "{said}");
}
