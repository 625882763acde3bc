//! What the broker listens on, what it tells its clients, and whether they get there: those outside by a published port,
//! those among the containers by a service's name. And that it keeps what it acknowledges.

use serde_json::Value;

use crate::documents::{Documents, Port, ports, texts};

/// Where clients among the containers are told the broker's address.
const INSIDERS: [(&str, &str); 2] = [("topics", "RPK_BROKERS"), ("console", "KAFKA_BROKERS")];

/// A listener by name.
struct Listener {
    name: String,
    host: String,
    port: u16,
}

impl Listener {
    fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// Everything that is wrong.
pub(crate) fn faults(documents: &Documents) -> Vec<String> {
    let broker = &documents.file["services"]["redpanda"];
    let (bound, told) = (listeners(broker, "--kafka-addr="), listeners(broker, "--advertise-kafka-addr="));
    let ports = ports(broker).unwrap_or_default();
    let mut faults = safety(broker);
    for listener in &bound {
        if !told.iter().any(|told| told.name == listener.name) {
            faults.push(format!("listener {} is not advertised", listener.name));
        }
    }
    for listener in &told {
        match bound.iter().find(|bound| bound.name == listener.name) {
            None => faults.push(format!("{} is advertised without a listener", listener.name)),
            Some(bound) => faults.extend(unreachable(documents, listener, bound, &ports)),
        }
    }
    for port in ports {
        if !told.iter().any(|told| told.host == "localhost" && told.port == port.published) {
            faults.push(format!("redpanda: nothing advertised leads through the published port {}", port.published));
        }
    }
    for (service, variable) in INSIDERS {
        let address = documents.file["services"][service]["environment"][variable].as_str().unwrap_or_default();
        if !told.iter().any(|told| told.host != "localhost" && told.address() == address) {
            faults.push(format!("{service}: {variable}={address} is nothing that the broker advertises inside"));
        }
    }
    faults
}

/// The addresses advertised to clients on this machine.
pub(crate) fn outside(documents: &Documents) -> Vec<String> {
    let told = listeners(&documents.file["services"]["redpanda"], "--advertise-kafka-addr=");
    told.iter().filter(|listener| listener.host == "localhost").map(Listener::address).collect()
}

/// Why a client that was told `listener` does not get to `bound`.
fn unreachable(documents: &Documents, listener: &Listener, bound: &Listener, ports: &[Port]) -> Option<String> {
    let address = listener.address();
    if bound.host != "0.0.0.0" {
        return Some(format!("{address}: the listener is bound to {}, within its container", bound.host));
    }
    if listener.host == "localhost" {
        let leads = |port: &Port| port.published == listener.port && port.target == bound.port;
        return (!ports.iter().any(leads))
            .then(|| format!("{address} is advertised, and no published port leads there"));
    }
    if documents.file["services"].get(&listener.host).is_none() {
        return Some(format!("{address} is advertised, and is neither localhost nor a service"));
    }
    (listener.port != bound.port).then(|| format!("{address} is advertised, and the listener has port {}", bound.port))
}

/// `name://host:port,…` behind a flag.
fn listeners(broker: &Value, flag: &str) -> Vec<Listener> {
    let list = texts(&broker["command"]).find_map(|word| word.strip_prefix(flag)).unwrap_or_default();
    let parsed = list.split(',').filter_map(|one| {
        let (name, address) = one.split_once("://")?;
        let (host, port) = address.rsplit_once(':')?;
        Some(Listener { name: name.into(), host: host.into(), port: port.parse().ok()? })
    });
    parsed.collect()
}

/// What the mode for containers would take away.
fn safety(broker: &Value) -> Vec<String> {
    let words: Vec<&str> = texts(&broker["command"]).collect();
    let mut faults = Vec::new();
    if !words.contains(&"--unsafe-bypass-fsync=false") {
        faults.push("redpanda acknowledges what it has not written to the disk".into());
    }
    if !words.windows(2).any(|pair| pair == ["--set", "redpanda.auto_create_topics_enabled=false"]) {
        faults.push("redpanda makes topics that nobody configured".into());
    }
    faults
}
