//! The judge can refuse: answers and records that are wrong in one thing each.

#[cfg(test)]
mod tests {
    use record_log::Header;
    use serde_json::{Value, json};
    use wire_contract::{Answered, Api, Kind, Records};

    type Headers<'a> = &'a [(&'a str, &'a str)];

    const PROBLEM: (&str, &str) = ("content-type", "application/problem+json");
    const JSON: (&str, &str) = ("content-type", "application/json");

    fn check(call: (&str, &str), status: u16, headers: Headers<'_>, body: &Value) -> Result<String, String> {
        let body = body.to_string();
        let (method, path) = call;
        Api::promised().check(&Answered { method, path, status, headers: headers.to_vec(), body: body.as_bytes() })
    }

    fn pending() -> Value {
        json!({"requestId": "3-1042", "couponId": "spring-sale", "status": "PENDING", "aheadAtMost": 11})
    }

    fn missing() -> Value {
        json!({
            "type": "urn:firstcome:problem:coupon-not-found", "title": "There is no such coupon", "status": 404,
            "detail": "No coupon a.", "code": "COUPON_NOT_FOUND",
        })
    }

    const ISSUE: (&str, &str) = ("POST", "/coupons/spring-sale/issues");
    const TAKEN: [(&str, &str); 4] = [
        ("Content-Type", "application/json"),
        ("location", "/coupons/spring-sale/issues/3-1042"),
        ("retry-after", "1"),
        ("cache-control", "no-store"),
    ];

    #[test]
    fn an_answer_as_promised_is_named() {
        assert_eq!(check(ISSUE, 202, &TAKEN, &pending()).unwrap(), "POST /coupons/{couponId}/issues 202 -");
        let shown = check(("GET", "/coupons/a?x=y"), 404, &[PROBLEM], &missing()).unwrap();
        assert_eq!(shown, "GET /coupons/{couponId} 404 COUPON_NOT_FOUND");
        let gateways = json!({"message": "Service Unavailable"});
        assert_eq!(check(ISSUE, 503, &[JSON], &gateways).unwrap(), "POST /coupons/{couponId}/issues 503 -");
    }

    #[test]
    fn a_body_that_is_wrong_in_one_thing_is_refused() {
        for (member, value) in [
            ("status", json!("ISSUED")),
            ("requestId", json!("03-1042")),
            ("requestId", json!(1042)),
            ("couponId", Value::Null),
            ("aheadAtMost", json!(-1)),
            ("colour", json!("red")),
        ] {
            let mut body = pending();
            body[member] = value;
            let fault = check(ISSUE, 202, &TAKEN, &body).unwrap_err();
            assert!(fault.contains("POST /coupons/{couponId}/issues 202"), "{fault}");
        }
        let mut incomplete = pending();
        incomplete.as_object_mut().unwrap().remove("requestId");
        check(ISSUE, 202, &TAKEN, &incomplete).unwrap_err();
        for (member, value) in [
            ("code", json!("SOLD_OUT")),
            ("status", json!(410)),
            ("type", json!("about:blank")),
            ("detail", Value::Null),
            ("errors", json!([])),
            ("trace", json!("at main.rs")),
        ] {
            let mut body = missing();
            body[member] = value;
            check(("GET", "/coupons/a"), 404, &[PROBLEM], &body).unwrap_err();
        }
        let (method, path) = ISSUE;
        for body in ["", "{", "null", "[]"] {
            let body = body.as_bytes();
            Api::promised().check(&Answered { method, path, status: 202, headers: TAKEN.to_vec(), body }).unwrap_err();
        }
    }

    #[test]
    fn a_status_that_is_not_promised_is_refused() {
        for (call, status) in [(ISSUE, 200), (ISSUE, 201), (("GET", "/coupons/a"), 410), (("GET", "/nowhere"), 405)] {
            let fault = check(call, status, &TAKEN, &pending()).unwrap_err();
            assert!(fault.ends_with("no such answer"), "{fault}");
        }
        // A method that the path does not take is not answered as the one that it takes.
        check(("DELETE", "/coupons/spring-sale/issues"), 202, &TAKEN, &pending()).unwrap_err();
    }

    #[test]
    fn a_header_that_lacks_or_is_wrong_or_is_unknown_is_refused() {
        for name in ["content-type", "location", "retry-after", "cache-control"] {
            let fewer: Vec<_> = TAKEN.into_iter().filter(|(one, _value)| !one.eq_ignore_ascii_case(name)).collect();
            check(ISSUE, 202, &fewer, &pending()).unwrap_err();
        }
        for (name, value) in
            [("Content-Type", "text/html"), ("retry-after", "soon"), ("retry-after", "0"), ("cache-control", "public")]
        {
            let changed = TAKEN.map(|(one, old)| (one, if one == name { value } else { old }));
            check(ISSUE, 202, &changed, &pending()).unwrap_err();
        }
        check(ISSUE, 202, &[&TAKEN[..], &[("x-internal", "1")]].concat(), &pending()).unwrap_err();
        // A 503 of the function says when to ask again; the gateway's own cannot.
        let mut body = missing();
        body["status"] = json!(503);
        body["code"] = json!("QUEUE_UNAVAILABLE");
        check(ISSUE, 503, &[PROBLEM], &body).unwrap_err();
        check(ISSUE, 503, &[PROBLEM, ("retry-after", "1")], &body).unwrap();
    }

    fn record(kind: Kind, key: &str, value: &Value, headers: Headers<'_>) -> Result<(), String> {
        let header = |(name, value): &(&str, &str)| Header {
            name: (*name).into(),
            value: Some(value.as_bytes().to_vec().into()),
        };
        let headers: Vec<Header> = headers.iter().map(header).collect();
        let value = value.to_string();
        Records::promised().check(kind, Some(key.as_bytes()), Some(value.as_bytes()), &headers)
    }

    #[test]
    fn a_record_that_is_wrong_in_one_thing_is_refused() {
        let request =
            json!({"type": "issue", "couponId": "a", "userId": "u", "requestedAt": "2026-11-20T03:00:00.123Z"});
        let result =
            json!({"requestId": "3-1", "couponId": "a", "userId": "u", "status": "REJECTED", "reason": "CLOSED"});
        for (kind, good) in [(Kind::Request, request), (Kind::Result, result)] {
            record(kind, "a", &good, &[JSON]).unwrap();
            record(kind, "a", &good, &[JSON, ("traceparent", "00-ab-cd-01")]).unwrap();
            record(kind, "b", &good, &[JSON]).unwrap_err();
            record(kind, "a", &good, &[]).unwrap_err();
            record(kind, "a", &good, &[("content-type", "text/plain")]).unwrap_err();
            record(kind, "a", &good, &[JSON, ("x-debug", "1")]).unwrap_err();
            for member in ["couponId", "userId"] {
                let mut bad = good.clone();
                bad[member] = json!("a b");
                record(kind, "a", &bad, &[JSON]).unwrap_err();
            }
        }
        let won = json!({"requestId": "3-1", "couponId": "a", "userId": "u", "status": "ISSUED"});
        record(Kind::Result, "a", &won, &[JSON]).unwrap_err();
    }

    #[test]
    fn a_dead_letter_keeps_what_it_had_and_says_why_and_from_where() {
        let own = [("dlq-reason", "invalid"), ("dlq-topic", "t"), ("dlq-partition", "3"), ("dlq-offset", "0")];
        let headers = [&[("x", "y"), ("dlq-reason", "a liar's")], &own[..]].concat();
        record(Kind::DeadLetter, "any", &json!("thing"), &headers).unwrap();
        Records::promised().check(Kind::DeadLetter, None, None, &[]).unwrap_err();
        for lost in 0..own.len() {
            let fewer: Vec<_> = own.into_iter().filter(|one| *one != own[lost]).collect();
            record(Kind::DeadLetter, "any", &json!("thing"), &fewer).unwrap_err();
        }
        let odd = own.map(|(name, value)| (name, if name == "dlq-reason" { "bad luck" } else { value }));
        record(Kind::DeadLetter, "any", &json!("thing"), &odd).unwrap_err();
    }
}
