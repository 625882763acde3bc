//! `POST /coupons/{couponId}/issues`, the status of a ticket, and `GET /me/coupons`: the answers, and the order of the
//! refusals.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use crate::hosted::Response;
use crate::sandbox::{Sandbox, in_ms, is_problem, unique};

fn ticket_of(answer: &Value) -> (i64, i64) {
    let (partition, offset) = answer["requestId"].as_str().unwrap().split_once('-').unwrap();
    (partition.parse().unwrap(), offset.parse().unwrap())
}

#[tokio::test]
async fn an_accepted_request_is_answered_with_its_ticket() {
    let sandbox = Sandbox::shared();
    let coupon = sandbox.coupon("accepted", 1).await;
    let answer = sandbox.issue(&coupon, "ann").await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let body = answer.json();
    assert_eq!((&body["couponId"], &body["status"]), (&json!(coupon), &json!("PENDING")));
    let (partition, _) = ticket_of(&body);
    assert_eq!(partition, i64::from(record_log::partition_of(coupon.as_bytes(), 10)));
    let location = format!("/coupons/{coupon}/issues/{}", body["requestId"].as_str().unwrap());
    assert_eq!(answer.header("location"), Some(location.as_str()));
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    let told = sandbox.outcome_of(&coupon, body["requestId"].as_str().unwrap(), "ann").await;
    assert_eq!((&told["status"], &told["rank"]), (&json!("ISSUED"), &json!(1)));
}

#[tokio::test]
async fn the_body_of_a_request_is_ignored() {
    let sandbox = Sandbox::shared();
    let coupon = sandbox.coupon("body", 1).await;
    let path = format!("/coupons/{coupon}/issues");
    let somebody_else = unique("somebody-else");
    let claimed = json!({"userId": somebody_else, "sub": somebody_else}).to_string();
    let answer = sandbox.call(Method::POST, &path, Some(&sandbox.token("ann")), claimed).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let ticket = answer.json()["requestId"].as_str().unwrap().to_owned();
    assert_eq!(sandbox.outcome_of(&coupon, &ticket, "ann").await["status"], "ISSUED");
    assert_eq!(sandbox.mine(&somebody_else, "").await.json(), json!({"items": []}));
}

#[tokio::test]
async fn a_second_request_of_a_holder_is_refused_with_the_coupon() {
    let sandbox = Sandbox::shared();
    let coupon = sandbox.coupon("second", 5).await;
    let first = sandbox.asks(&coupon, "ann").await;
    let problem = is_problem(&sandbox.issue(&coupon, "ann").await, 409, "ALREADY_ISSUED");
    let held = json!({"requestId": first["requestId"], "rank": 1, "issuedAt": first["issuedAt"]});
    assert_eq!(problem["coupon"], held);
}

#[tokio::test]
async fn two_requests_at_once_come_to_one_coupon_and_one_reason() {
    let sandbox = Sandbox::shared();
    let coupon = sandbox.coupon("twice", 5).await;
    let user = unique("twice");
    let mut statuses = Vec::new();
    let answers = tokio::join!(sandbox.issue(&coupon, &user), sandbox.issue(&coupon, &user));
    for answer in [answers.0, answers.1] {
        // The slower one may meet the decision of the faster one already.
        if answer.status == 202 {
            let ticket = answer.json()["requestId"].as_str().unwrap().to_owned();
            let told = sandbox.outcome_of(&coupon, &ticket, &user).await;
            if told["status"] == "REJECTED" {
                assert_eq!(told["reason"], "ALREADY_ISSUED");
                assert_eq!(told["coupon"]["rank"], 1, "a holder is told what they hold: {told}");
            }
            statuses.push(told["status"].as_str().unwrap().to_owned());
        } else {
            is_problem(&answer, 409, "ALREADY_ISSUED");
            statuses.push("REJECTED".into());
        }
    }
    statuses.sort();
    assert_eq!(statuses, ["ISSUED", "REJECTED"]);
    let mine = sandbox.mine(&user, "").await.json();
    assert_eq!(mine["items"].as_array().unwrap().len(), 1, "{mine}");
}

#[tokio::test]
async fn the_refusals_come_in_their_order() {
    let sandbox = Sandbox::shared();
    is_problem(&sandbox.issue("a%20b", "ann").await, 400, "INVALID_REQUEST");
    is_problem(&sandbox.issue("nobody-made-this", "ann").await, 404, "COUPON_NOT_FOUND");

    let later = unique("later");
    let coupon = json!({"couponId": later, "name": "Later", "total": 1, "opensAt": in_ms(3_600_000)});
    assert_eq!(sandbox.create(&coupon).await.status, 201);
    let early = sandbox.issue(&later, "ann").await;
    is_problem(&early, 403, "NOT_OPEN");
    let seconds: u64 = early.header("retry-after").unwrap().parse().unwrap();
    assert!((3_000..=3_601).contains(&seconds), "{seconds}");

    let last = sandbox.coupon("last", 1).await;
    assert_eq!(sandbox.asks(&last, "ann").await["status"], "ISSUED");
    sandbox.until_state(&last, "SOLD_OUT").await;
    // Ann holds it, but what is asked first is whether there is any left.
    let problem = is_problem(&sandbox.issue(&last, "ann").await, 410, "SOLD_OUT");
    assert!(problem["detail"].as_str().unwrap().contains("/me/coupons"), "{problem}");

    let short = sandbox.closing_coupon("short", 1, Duration::from_secs(2)).await;
    sandbox.until_state(&short, "CLOSED").await;
    is_problem(&sandbox.issue(&short, "bob").await, 410, "CLOSED");
}

#[tokio::test]
async fn the_last_coupon_goes_to_one_of_many_and_the_others_are_told() {
    let sandbox = Sandbox::shared();
    let coupon = sandbox.coupon("last", 1).await;
    let users: Vec<String> = (0..8).map(|number| format!("last-{number}")).collect();
    let asking = users.iter().map(|user| async {
        let answer = sandbox.issue(&coupon, user).await;
        if answer.status == 410 {
            return "SOLD_OUT".to_owned();
        }
        let ticket = answer.json()["requestId"].as_str().unwrap().to_owned();
        let told = sandbox.outcome_of(&coupon, &ticket, user).await;
        told.get("reason").unwrap_or(&told["status"]).as_str().unwrap().to_owned()
    });
    let mut ends = futures_util::future::join_all(asking).await;
    ends.sort();
    assert_eq!(ends[0], "ISSUED");
    assert!(ends[1..].iter().all(|end| end == "SOLD_OUT"), "{ends:?}");
}

#[tokio::test]
async fn a_status_speaks_of_the_callers_own_coupon() {
    let sandbox = Sandbox::shared();
    let coupon = sandbox.coupon("own", 2).await;
    let first = sandbox.asks(&coupon, "ann").await;
    assert_eq!(sandbox.asks(&coupon, "bob").await["rank"], 2);
    let ticket = first["requestId"].as_str().unwrap();
    // Whichever environment answers: one may have cached a head from before the decision.
    let of_ann = sandbox.outcome_of(&coupon, ticket, "ann").await;
    let expected = json!({
        "requestId": ticket, "couponId": coupon, "status": "ISSUED", "rank": 1, "issuedAt": first["issuedAt"],
    });
    assert_eq!(of_ann, expected);
    // Ann's ticket in bob's hands: he has another coupon, and hears nothing of hers.
    let of_bob = sandbox.outcome_of(&coupon, ticket, "bob").await;
    assert_eq!((&of_bob["status"], &of_bob["reason"]), (&json!("REJECTED"), &json!("ALREADY_ISSUED")));
    assert_eq!(of_bob["coupon"]["rank"], 2);
    let of_eve = sandbox.outcome_of(&coupon, ticket, "eve").await;
    assert_eq!(of_eve["status"], "REJECTED");
    assert!(of_eve.get("rank").is_none() && of_eve.get("coupon").is_none(), "{of_eve}");
}

#[tokio::test]
async fn a_ticket_of_the_future_is_pending() {
    let sandbox = Sandbox::shared();
    let coupon = sandbox.coupon("future", 2).await;
    let (partition, offset) = ticket_of(&sandbox.asks(&coupon, "ann").await);
    let future = format!("{partition}-{}", offset + 1_000_000);
    // An environment that cached the head before ann's request was decided cannot tell yet how many are ahead.
    let knows = |answer: &Response| answer.json().get("aheadAtMost").is_some();
    let answer = sandbox.status_once(&coupon, &future, "ann", knows).await;
    let body = answer.json();
    assert_eq!((answer.status.as_u16(), &body["status"]), (200, &json!("PENDING")));
    assert_eq!(body["aheadAtMost"], 999_999);
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn a_ticket_that_is_none_is_refused() {
    let sandbox = Sandbox::shared();
    let coupon = sandbox.coupon("none", 2).await;
    let partition = record_log::partition_of(coupon.as_bytes(), 10);
    for ticket in
        ["x", "3", "3-", "-1", "03-1", "3-01", "+3-1", "3-1-2", "3-x", "0-9223372036854775808", "%20", "1%2D1%00"]
    {
        is_problem(&sandbox.status(&coupon, ticket, "ann").await, 400, "INVALID_REQUEST");
    }
    let elsewhere = format!("{}-0", (partition + 1) % 10);
    is_problem(&sandbox.status(&coupon, &elsewhere, "ann").await, 404, "REQUEST_NOT_FOUND");
    is_problem(&sandbox.status("nobody-made-this", "0-0", "ann").await, 404, "COUPON_NOT_FOUND");
    is_problem(&sandbox.status("a%20b", "0-0", "ann").await, 400, "INVALID_REQUEST");
}

#[tokio::test]
async fn my_coupons_come_in_pages() {
    let sandbox = Sandbox::shared();
    let user = unique("collector");
    let mut expected = Vec::new();
    for _ in 0..3 {
        let coupon = sandbox.coupon("mine", 1).await;
        let told = sandbox.asks(&coupon, &user).await;
        let item = json!({
            "couponId": coupon, "requestId": told["requestId"], "rank": 1, "issuedAt": told["issuedAt"],
        });
        expected.push(item);
    }
    expected.sort_by_key(|item| item["couponId"].as_str().unwrap().to_owned());
    let mut pages = Vec::new();
    let mut query = "?limit=1".to_owned();
    // One more page than coupons at most: the last full one may not know yet that it is the last.
    for _ in 0..4 {
        let page = sandbox.mine(&user, &query).await.json();
        assert!(page["items"].as_array().unwrap().len() <= 1);
        pages.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        query = format!("?limit=1&cursor={cursor}");
    }
    assert_eq!(pages, expected);
    assert_eq!(sandbox.mine(&user, "?cursor=").await.json(), json!({"items": expected}));
}

#[tokio::test]
async fn a_query_that_breaks_a_limit_is_refused() {
    let sandbox = Sandbox::shared();
    for query in
        ["?limit=0", "?limit=101", "?limit=-1", "?limit=x", "?limit=", "?limit=1.0", "?cursor=%00", "?cursor=!!"]
    {
        is_problem(&sandbox.mine("ann", query).await, 400, "INVALID_REQUEST");
    }
    assert_eq!(sandbox.mine(&unique("nobody"), "?limit=100").await.json(), json!({"items": []}));
}
