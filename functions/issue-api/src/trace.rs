//! The `traceparent` that a request carries through the log: the caller's, if it is one.
//! Source: <https://www.w3.org/TR/trace-context/#traceparent-header>

use crate::call::Call;

/// The caller's `traceparent`, if it is one of version 00 with ids that are not zero.
pub(crate) fn traceparent(call: &Call) -> Option<String> {
    let text = call.header("traceparent")?.trim();
    let mut parts = text.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let whole = parts.next().is_none()
        && version == "00"
        && is_id(trace, 32)
        && is_id(parent, 16)
        && flags.len() == 2
        && flags.bytes().all(is_hex);
    whole.then(|| text.to_owned())
}

fn is_id(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(is_hex) && text.bytes().any(|byte| byte != b'0')
}

/// Lower case only, as the recommendation has it.
fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traced(text: &str) -> Option<String> {
        let call = serde_json::json!({ "headers": { "traceparent": text } });
        traceparent(&serde_json::from_value(call).unwrap())
    }

    #[test]
    fn only_a_whole_traceparent_is_carried() {
        let whole = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(traced(whole).as_deref(), Some(whole));
        for text in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(traced(text), None, "{text}");
        }
    }
}
