//! Every call of the API over the two ports in memory: answers, limits, headers and the order of refusals.

#[cfg(test)]
mod promised;
#[cfg(test)]
mod world;

#[cfg(test)]
mod tests {
    use coupon_store::StoreError;
    use serde_json::{Value, json};

    use crate::world::{World, at, call};

    #[tokio::test(start_paused = true)]
    async fn a_coupon_is_created_shown_asked_for_and_held() {
        let world = World::new();
        let body = json!({"couponId": "spring", "name": "봄", "total": 2, "closesAt": "2030-01-01T09:00:00+09:00"});
        let created = world.ask(call("POST", "/coupons").scope("coupons:write").body(&body.to_string())).await;
        assert_eq!((created.status(), created.header("location")), (201, Some("/coupons/spring")));
        let shown = world.ask(call("GET", "/coupons/spring").anonymous()).await;
        assert_eq!(shown.header("cache-control"), Some("public, max-age=1"));
        assert_eq!(
            World::json(&shown),
            json!({
                "couponId": "spring", "name": "봄", "total": 2, "remaining": 2, "issued": 0, "state": "OPEN",
                "opensAt": null, "closesAt": "2030-01-01T00:00:00.000Z",
            })
        );
        assert_eq!(created.body(), shown.body());

        let asked = world.ask(call("POST", "/coupons/spring/issues")).await;
        let ticket = World::json(&asked)["requestId"].as_str().unwrap().to_owned();
        assert_eq!(World::json(&asked), json!({"requestId": ticket, "couponId": "spring", "status": "PENDING"}));
        assert_eq!(asked.header("location"), Some(format!("/coupons/spring/issues/{ticket}").as_str()));
        assert_eq!((asked.status(), asked.header("retry-after")), (202, Some("1")));

        let status = format!("/coupons/spring/issues/{ticket}");
        let pending = world.ask(call("GET", &status)).await;
        assert_eq!((pending.status(), pending.header("retry-after")), (200, Some("1")));
        world.decide("spring", &["user-17"]).await;
        world.wait(250);
        let issued = World::json(&world.ask(call("GET", &status)).await);
        assert_eq!((&issued["status"], &issued["rank"]), (&json!("ISSUED"), &json!(1)));
        let mine = World::json(&world.ask(call("GET", "/me/coupons")).await);
        assert_eq!(
            mine,
            json!({"items": [{
                "couponId": "spring", "requestId": ticket, "rank": 1, "issuedAt": issued["issuedAt"],
            }]})
        );
        let again = world.ask(call("POST", "/coupons/spring/issues")).await;
        let held = json!({"requestId": ticket, "rank": 1, "issuedAt": issued["issuedAt"]});
        assert_eq!((again.status(), &World::json(&again)["coupon"]), (409, &held));
    }

    #[tokio::test(start_paused = true)]
    async fn a_problem_has_the_form_of_rfc_9457() {
        let world = World::new();
        let answer = world.ask(call("POST", "/coupons/nothing/issues")).await;
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(
            World::json(&answer),
            json!({
                "type": "urn:firstcome:problem:coupon-not-found", "title": "There is no such coupon", "status": 404,
                "detail": "No coupon nothing.", "code": "COUPON_NOT_FOUND",
            })
        );
    }

    #[tokio::test(start_paused = true)]
    async fn paths_and_methods_that_are_none_are_told_apart() {
        let world = World::new();
        for path in [
            "/",
            "/coupon",
            "/coupons/",
            "/coupons/a/issues/",
            "/coupons/a/b",
            "/me",
            "/me/coupons/x",
            "//",
            "//coupons",
        ] {
            world.expect(call("GET", path), 404, "NOT_FOUND").await;
        }
        for (method, path, allow) in [
            ("GET", "/coupons", "POST"),
            ("DELETE", "/coupons/a", "GET"),
            ("GET", "/coupons/a/issues", "POST"),
            ("POST", "/coupons/a/issues/0-1", "GET"),
            ("PUT", "/me/coupons", "GET"),
        ] {
            let answer = world.expect(call(method, path), 405, "METHOD_NOT_ALLOWED").await;
            assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_preflight_of_a_path_that_is_there_is_a_yes() {
        let world = World::new();
        for (path, allow) in [("/coupons", "POST"), ("/coupons/a", "GET"), ("/coupons/a/issues", "POST")] {
            let answer = world.preflight(path).await;
            assert_eq!((answer.status(), answer.header("allow"), answer.body()), (204, Some(allow), ""), "{path}");
        }
        assert_eq!(world.preflight("/nowhere").await.status(), 404);
        world.expect(call("OPTIONS", "/coupons"), 405, "METHOD_NOT_ALLOWED").await;
    }

    #[tokio::test(start_paused = true)]
    async fn creating_refuses_in_the_order_403_413_400_and_names_every_field() {
        let world = World::new();
        let huge = "x".repeat(64 * 1024 + 1);
        world.expect(call("POST", "/coupons").body(&huge), 403, "FORBIDDEN").await;
        let scoped = |body: &str| call("POST", "/coupons").scope("openid coupons:write").body(body);
        world.expect(scoped(&huge), 413, "PAYLOAD_TOO_LARGE").await;
        for body in ["", "{", "[]", "null", "\"x\"", "{}", &" ".repeat(64 * 1024)] {
            world.expect(scoped(body), 400, "INVALID_REQUEST").await;
        }
        let body = json!({
            "couponId": "a b", "name": "", "total": 0, "opensAt": "noon", "closesAt": 7, "colour": "red",
        });
        let answer = world.expect(scoped(&body.to_string()), 400, "INVALID_REQUEST").await;
        let errors = World::json(&answer)["errors"].as_array().unwrap().clone();
        let fields: Vec<&str> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
        assert_eq!(fields, ["couponId", "name", "total", "opensAt", "closesAt", "colour"]);
        assert!(errors.iter().all(|error| !error["detail"].as_str().unwrap().is_empty()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_has_to_be_one_and_to_end_in_the_future() {
        let world = World::new();
        let with = |opens: Value, closes: Value| {
            let body = json!({"couponId": "c", "name": "n", "total": 1, "opensAt": opens, "closesAt": closes});
            call("POST", "/coupons").scope("coupons:write").body(&body.to_string())
        };
        for (opens, closes) in [
            (json!(at(10)), json!(at(10))),
            (json!(at(11)), json!(at(10))),
            (Value::Null, json!(at(0))),
            (Value::Null, json!(at(-1))),
        ] {
            world.expect(with(opens, closes), 400, "INVALID_REQUEST").await;
        }
        assert_eq!(world.ask(with(json!(at(-5)), json!(at(1)))).await.status(), 201);
        world.expect(with(Value::Null, Value::Null), 409, "COUPON_EXISTS").await;
    }

    #[tokio::test(start_paused = true)]
    async fn asking_refuses_in_the_contracts_order() {
        let world = World::new();
        world.create("early", json!({"opensAt": at(10_000)})).await;
        world.create("open", json!({"total": 1})).await;
        let ask = |id: &str| call("POST", &format!("/coupons/{id}/issues"));
        world.expect(ask("a%20b"), 400, "INVALID_REQUEST").await;
        world.expect(ask("none").user(""), 400, "INVALID_REQUEST").await;
        world.expect(ask("none").user(&"u".repeat(129)), 400, "INVALID_REQUEST").await;
        world.expect(ask("none"), 404, "COUPON_NOT_FOUND").await;
        let early = world.expect(ask("early"), 403, "NOT_OPEN").await;
        assert_eq!(early.header("retry-after"), Some("11"));
        // For 100 ms after the opening it is still scheduled here.
        world.wait(10_099);
        let early = world.expect(ask("early"), 403, "NOT_OPEN").await;
        assert_eq!(early.header("retry-after"), Some("1"));
        world.wait(1);
        assert_eq!(world.ask(ask("early")).await.status(), 202);
        world.decide("open", &["winner"]).await;
        let sold_out = world.expect(ask("open").user("winner"), 410, "SOLD_OUT").await;
        assert!(World::json(&sold_out)["detail"].as_str().unwrap().contains("/me/coupons"));
        world.create("closing", json!({"closesAt": at(20_000)})).await;
        world.wait(10_000);
        world.expect(ask("closing"), 410, "CLOSED").await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_from_the_cached_head_reads_nothing_and_a_miss_is_never_cached() {
        let world = World::new();
        let ask = || call("POST", "/coupons/spring/issues");
        world.expect(ask(), 404, "COUPON_NOT_FOUND").await;
        world.create("spring", json!({"total": 1})).await;
        assert_eq!(world.ask(ask()).await.status(), 202);
        world.decide("spring", &["winner"]).await;
        assert_eq!(world.ask(ask()).await.status(), 202, "the head is cached for 250 ms");
        world.wait(250);
        world.expect(ask(), 410, "SOLD_OUT").await;
        let reads = world.reads();
        world.expect(ask(), 410, "SOLD_OUT").await;
        world.expect(ask().user("another"), 410, "SOLD_OUT").await;
        assert_eq!(world.reads(), reads);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pending_status_reads_no_item_and_tells_how_many_are_ahead() {
        let world = World::new();
        world.create("spring", json!({"total": 5})).await;
        for user in ["ann", "bob", "cho"] {
            world.ask(call("POST", "/coupons/spring/issues").user(user)).await;
        }
        let partition = world.partition("spring");
        world.decide("spring", &["ann"]).await;
        world.wait(250);
        let status = |offset: i64| call("GET", &format!("/coupons/spring/issues/{partition}-{offset}"));
        let reads = world.reads();
        let answer = World::json(&world.ask(status(2).user("cho")).await);
        assert_eq!((&answer["status"], &answer["aheadAtMost"]), (&json!("PENDING"), &json!(1)));
        assert_eq!(world.reads() - reads, 1, "the head alone");
        world.expect(call("GET", "/coupons/spring/issues/99-0"), 404, "REQUEST_NOT_FOUND").await;
        for ticket in ["x", "0", "1-", "-1-1", "1-1-1", "00-1", "1-%31"] {
            let path = format!("/coupons/spring/issues/{ticket}");
            world.expect(call("GET", &path), 400, "INVALID_REQUEST").await;
        }
        // A ticket is no proof of identity: bob is told of his own coupon, and of the place.
        let other = World::json(&world.ask(status(0).user("bob")).await);
        assert_eq!((&other["status"], &other["reason"]), (&json!("REJECTED"), &json!("ALREADY_ISSUED")));
        assert_eq!(other.get("coupon"), None);
        world.decide("spring", &["ann", "bob"]).await;
        world.wait(250);
        let other = World::json(&world.ask(status(0).user("bob")).await);
        assert_eq!(other["coupon"]["rank"], json!(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_winner_whose_coupon_is_not_to_be_seen_yet_is_not_told_that_there_is_none() {
        let world = World::in_pieces();
        world.create("spring", json!({})).await;
        let asked = World::json(&world.ask(call("POST", "/coupons/spring/issues")).await);
        let status = format!("/coupons/spring/issues/{}", asked["requestId"].as_str().unwrap());
        world.wait(250);
        let reads = world.reads();
        // The head has moved and the winner's item is on its way.
        let ((), told) =
            tokio::join!(world.decide("spring", &["user-17"]), async { world.ask(call("GET", &status)).await });
        let told = World::json(&told);
        assert_eq!((&told["status"], &told["rank"]), (&json!("ISSUED"), &json!(1)), "{told}");
        // The head, the item, and snapshots: one at least that was refused.
        assert!(world.reads() - reads >= 4, "{} reads", world.reads() - reads);
        assert_eq!(World::json(&world.ask(call("GET", &status)).await), told);
    }

    #[tokio::test(start_paused = true)]
    async fn a_decided_status_costs_a_head_and_an_item_and_only_a_strangers_ticket_a_snapshot() {
        let world = World::new();
        world.create("spring", json!({"total": 3})).await;
        let partition = world.partition("spring");
        world.decide("spring", &["ann", "ann", "bob", "cho", "dan"]).await;
        let cost = async |user: &str, offset: i64, status: &str| {
            world.wait(250);
            let reads = world.reads();
            let path = format!("/coupons/spring/issues/{partition}-{offset}");
            let told = World::json(&world.ask(call("GET", &path).user(user)).await);
            assert_eq!(told["reason"].as_str().or(told["status"].as_str()), Some(status), "{told}");
            world.reads() - reads
        };
        assert_eq!(cost("ann", 0, "ISSUED").await, 2);
        assert_eq!(cost("ann", 1, "ALREADY_ISSUED").await, 2);
        assert_eq!(cost("dan", 4, "SOLD_OUT").await, 2);
        assert_eq!(cost("dan", 0, "ALREADY_ISSUED").await, 3, "dan holds nothing, and this is not dan's ticket");
    }

    #[tokio::test(start_paused = true)]
    async fn an_acknowledgement_that_is_no_ticket_is_a_503() {
        let world = World::new();
        world.create("spring", json!({"total": 5})).await;
        world.ask(call("POST", "/coupons/spring/issues").user("ann")).await;
        world.decide("spring", &["ann"]).await;
        world.wait(250);
        // The topic is made anew under its old name: offsets start at 0 again, below what is applied.
        world.recreate_topic();
        let answer = world.expect(call("POST", "/coupons/spring/issues").user("bob"), 503, "QUEUE_UNAVAILABLE").await;
        assert_eq!(answer.header("retry-after"), Some("1"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_coupon_of_another_log_is_a_503() {
        let world = World::new();
        world.create_elsewhere("spring").await;
        world.expect(call("POST", "/coupons/spring/issues"), 503, "QUEUE_UNAVAILABLE").await;
        world.expect(call("GET", "/coupons/spring/issues/0-0"), 503, "QUEUE_UNAVAILABLE").await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_or_a_queue_that_is_away_is_a_503_with_retry_after() {
        let world = World::new();
        world.create("spring", json!({"total": 5})).await;
        world.drop_topic();
        for path in ["/coupons/spring/issues"] {
            let answer = world.expect(call("POST", path), 503, "QUEUE_UNAVAILABLE").await;
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
        let create = call("POST", "/coupons").scope("coupons:write");
        let body = json!({"couponId": "late", "name": "n", "total": 1}).to_string();
        world.expect(create.body(&body), 503, "QUEUE_UNAVAILABLE").await;
        world.break_store(StoreError::Unknown("taken away".into()));
        for (method, path) in [("POST", "/coupons/other/issues"), ("GET", "/coupons/other"), ("GET", "/me/coupons")] {
            let answer = world.expect(call(method, path), 503, "STORE_UNAVAILABLE").await;
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn my_coupons_come_page_by_page_and_a_wrong_page_is_a_400() {
        let world = World::new();
        for number in 0..5 {
            let id = format!("c-{number}");
            world.create(&id, json!({})).await;
            world.ask(call("POST", &format!("/coupons/{id}/issues"))).await;
            world.decide(&id, &["user-17"]).await;
        }
        let mut seen = Vec::new();
        let mut query = "limit=2&cursor=".to_owned();
        for _page in 0..3 {
            let page = World::json(&world.ask(call("GET", "/me/coupons").query(&query)).await);
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["couponId"].clone()));
            match page.get("nextCursor") {
                Some(cursor) => query = format!("limit=2&cursor={}", cursor.as_str().unwrap()),
                None => break,
            }
        }
        assert_eq!(seen, ["c-0", "c-1", "c-2", "c-3", "c-4"]);
        for query in
            ["limit=0", "limit=101", "limit=x", "limit=", "limit=%2B5", "limit=1.0", "cursor=%21", "cursor=YSBi"]
        {
            world.expect(call("GET", "/me/coupons").query(query), 400, "INVALID_REQUEST").await;
        }
        assert_eq!(world.ask(call("GET", "/me/coupons").query("limit=100&x=y")).await.status(), 200);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_record_is_the_contracts_and_carries_the_callers_trace() {
        let world = World::new();
        world.create("spring", json!({})).await;
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        world.ask(call("POST", "/coupons/spring/issues").header("traceparent", trace)).await;
        let record = world.requests("spring").remove(0);
        assert_eq!(record.key.as_deref(), Some(b"spring".as_slice()));
        let value: Value = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
        assert_eq!(value, json!({"type": "issue", "couponId": "spring", "userId": "user-17", "requestedAt": at(0)}));
        let headers: Vec<(&str, &[u8])> =
            record.headers.iter().map(|header| (header.name.as_str(), header.value.as_deref().unwrap())).collect();
        assert_eq!(headers, [("content-type", b"application/json".as_slice()), ("traceparent", trace.as_bytes())]);
    }
}
