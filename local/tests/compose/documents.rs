//! What is judged: the file, and what the pages say of it. Read here, judged in `checks.rs`.

use std::{fs, path::Path};

use serde_json::Value;

/// The file, its text, and the page that sends people to it. All of them can be broken for a test.
#[derive(Clone)]
pub(crate) struct Documents {
    /// The file as data.
    pub(crate) file: Value,
    /// The file as text, for what its header says.
    pub(crate) text: String,
    /// `docs/redpanda.md`.
    pub(crate) page: String,
}

/// One published port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Port {
    /// Where on this machine it listens.
    pub(crate) host: String,
    /// The port on this machine.
    pub(crate) published: u16,
    /// The port of the container.
    pub(crate) target: u16,
}

impl Documents {
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let text = |path: &str| fs::read_to_string(root.join(path)).unwrap();
        Self {
            file: wire_contract::yaml::load("local/compose.yaml"),
            text: text("local/compose.yaml"),
            page: text("docs/redpanda.md"),
        }
    }

    /// The services by name.
    pub(crate) fn services(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.file["services"].as_object().into_iter().flatten().map(|(name, service)| (name.as_str(), service))
    }

    /// The commands that start the parts and the sandbox on them, as a document says them.
    pub(crate) fn commands(document: &str) -> Vec<&str> {
        let lines = document.lines().map(|line| line.trim_start_matches('#').trim());
        lines.filter(|line| line.starts_with("docker compose ") || line.starts_with("cargo local ")).collect()
    }

    /// The addresses that the page's table gives: service and port on this machine.
    pub(crate) fn addresses(&self) -> Vec<(String, u16)> {
        let rows = self.page.lines().filter_map(|line| line.strip_prefix("| `"));
        let address = |row: &str| {
            let (service, rest) = row.split_once('`')?;
            let (_before, port) = rest.split_once("localhost:")?;
            let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
            Some((service.to_owned(), digits.parse().ok()?))
        };
        rows.filter_map(address).collect()
    }
}

/// The items of a list of texts.
pub(crate) fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// A service's published ports, each written as `host:published:target`.
pub(crate) fn ports(service: &Value) -> Result<Vec<Port>, String> {
    let listed = service["ports"].as_array().into_iter().flatten();
    let parsed = listed.map(|port| {
        let parts: Vec<&str> = port.as_str().unwrap_or_default().split(':').collect();
        let [host, published, target] = parts[..] else {
            return Err(format!("port {port} is not 127.0.0.1:PUBLISHED:TARGET"));
        };
        let number = |text: &str| text.parse().map_err(|_not| format!("port {port} has no number where {text} is"));
        Ok(Port { host: host.to_owned(), published: number(published)?, target: number(target)? })
    });
    parsed.collect()
}
