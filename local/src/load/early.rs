//! What is asked before bots come: a coupon is given away, and asked for until everybody who refuses knows.

use std::time::{Duration, Instant};

use anyhow::bail;
use baseline::verdict::{Asked, Told};
use load_generator::Person;

use super::api::Api;

/// People beside those of a profile, who take what is to be sold out.
pub const EARLY_PEOPLE: usize = 64;
/// Refusals in a row after which a coupon counts as sold out everywhere: ten for each environment of an emulated host.
const REFUSED_IN_A_ROW: usize = 160;
const SOLD_OUT_MAX: Duration = Duration::from_secs(20);
const SOLD_OUT: &str = "SOLD_OUT";

/// Lets the last of the people take what there is, and ask until they are refused again and again; or, by a system that
/// refuses nobody at its door (B), taken in vain as often, with none left. What was asked, on a clock of its own.
///
/// # Errors
/// No answer, or the coupon does not sell out in time.
pub async fn sell_out(api: &Api, coupon: &str, people: &[Person]) -> anyhow::Result<Vec<Asked>> {
    let (mut asked, mut in_vain, origin) = (Vec::new(), 0, Instant::now());
    let now_us = || u64::try_from(origin.elapsed().as_micros()).unwrap_or(u64::MAX);
    for person in people.iter().rev().take(EARLY_PEOPLE).cycle() {
        let sent_us = now_us();
        let answer = api.issue(coupon, &person.token).await?;
        let told = told_by(answer.status.as_u16(), answer.said().code.as_deref());
        asked.push(Asked { user_id: person.user_id.clone(), sent_us, answered_us: now_us(), told });
        let is_in_vain = match told {
            Told::SoldOut | Told::AlreadyIssued => true,
            Told::Accepted => api.show(coupon).await?.said().state.as_deref() == Some(SOLD_OUT),
            Told::Issued | Told::Nothing => false,
        };
        in_vain = if is_in_vain { in_vain + 1 } else { 0 };
        if in_vain >= REFUSED_IN_A_ROW {
            break;
        }
        if origin.elapsed() > SOLD_OUT_MAX {
            bail!("{coupon} is not sold out after {} s: {}", SOLD_OUT_MAX.as_secs(), answer.shown());
        }
    }
    Ok(asked)
}

/// What an answer says, for the judge.
pub fn told_by(status: u16, code: Option<&str>) -> Told {
    match (status, code) {
        (201, _) => Told::Issued,
        (202, _) => Told::Accepted,
        (_, Some(SOLD_OUT)) => Told::SoldOut,
        (_, Some("ALREADY_ISSUED")) => Told::AlreadyIssued,
        _ => Told::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::extract::State;
    use axum::http::StatusCode;
    use axum::routing::{get, post};
    use axum::{Json, Router};
    use hyper::header::HeaderValue;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_answer_means_the_same_whoever_gave_it() {
        assert_eq!(told_by(201, None), Told::Issued);
        assert_eq!(told_by(410, Some("SOLD_OUT")), Told::SoldOut);
        assert_eq!(told_by(409, Some("ALREADY_ISSUED")), Told::AlreadyIssued);
        assert_eq!(told_by(503, Some("QUEUE_UNAVAILABLE")), Told::Nothing);
    }

    /// Takes everybody, as B does, and has so many before it is sold out.
    async fn taking(stock: usize) -> (Api, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        let shown = move |State(taken): State<Arc<AtomicUsize>>| async move {
            let sold_out = taken.load(Ordering::Relaxed) >= stock;
            Json(json!({"state": if sold_out { "SOLD_OUT" } else { "OPEN" }}))
        };
        let take = |State(taken): State<Arc<AtomicUsize>>| async move {
            let ticket = format!("0-{}", taken.fetch_add(1, Ordering::Relaxed));
            (StatusCode::ACCEPTED, Json::<Value>(json!({"requestId": ticket, "status": "PENDING"})))
        };
        let routes = Router::new()
            .route("/coupons/{coupon}", get(shown))
            .route("/coupons/{coupon}/issues", post(take))
            .with_state(Arc::clone(&taken));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (Api::new(&url).unwrap(), taken)
    }

    #[tokio::test]
    async fn a_coupon_is_sold_out_though_everybody_is_taken_on() {
        let (api, taken) = taking(3).await;
        let person = |n| Person { user_id: format!("user-{n}"), token: HeaderValue::from_static("Bearer x") };
        let people: Vec<Person> = (0..10).map(person).collect();
        let asked = sell_out(&api, "sale", &people).await.unwrap();
        // The third is the first to find none left behind it.
        assert_eq!(asked.len(), 2 + REFUSED_IN_A_ROW);
        assert_eq!(taken.load(Ordering::Relaxed), asked.len());
        assert!(asked.windows(2).all(|pair| pair[0].answered_us <= pair[1].sent_us), "one after the other");
        assert_eq!(asked[0].user_id, "user-9", "the last of the people, whom nobody else asks as");
    }
}
