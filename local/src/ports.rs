//! The ports that a sandbox listens on: all of them known, and found free, before anything starts.
//!
//! Knows only numbers. `sandbox.rs` gives them out.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::bail;

/// A child of a sandbox that was killed a moment ago may still hold its port; somebody else's program holds it longer.
const FREE_WAIT_MAX: Duration = Duration::from_secs(2);
const FREE_POLL: Duration = Duration::from_millis(50);

/// Below the range from which Linux takes the ports of outgoing connections (32768 on, `ip_local_port_range`): a port
/// from there could be gone between the moment it was found free and the moment its child listens on it.
const RANDOM_PORTS: std::ops::Range<u16> = 20_000..32_000;
const RANDOM_TRIES: usize = 200;

/// One port for each address in the ready line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The gateway's.
    pub api: u16,
    /// The broker's, as clients are told.
    pub kafka: u16,
    /// DynamoDB's.
    pub dynamodb: u16,
    /// The Lambda host's.
    pub functions: u16,
    /// Where faults are asked for.
    pub faults: u16,
}

impl Ports {
    /// `first` and the four after it, or five free ones for 0.
    ///
    /// # Errors
    /// One of them is taken, or lies beyond 65535.
    pub async fn choose(first: u16) -> anyhow::Result<Self> {
        if first == 0 {
            let mut held = Vec::new();
            return Self::of(|_| {
                let listener = free()?;
                let port = listener.local_addr()?.port();
                // Held until all five are known, or the same one would be found twice.
                held.push(listener);
                Ok(port)
            });
        }
        let ports = Self::of(|index| match first.checked_add(index) {
            Some(port) => Ok(port),
            None => bail!("--port {first} leaves no room for the four ports after it; give at most 65531"),
        })?;
        for port in [ports.api, ports.kafka, ports.dynamodb, ports.functions, ports.faults] {
            if !becomes_free(port).await {
                bail!(
                    "port {port} is taken, perhaps by another sandbox; end it, or give another --port ({first} uses \
                     {first} to {}), or --port 0 for free ones",
                    ports.faults
                );
            }
        }
        Ok(ports)
    }

    fn of(mut port: impl FnMut(u16) -> anyhow::Result<u16>) -> anyhow::Result<Self> {
        Ok(Self { api: port(0)?, kafka: port(1)?, dynamodb: port(2)?, functions: port(3)?, faults: port(4)? })
    }
}

/// A free port for something inside the sandbox that nobody is told of.
///
/// # Errors
/// None of many random ports was free.
pub fn internal() -> anyhow::Result<u16> {
    Ok(free()?.local_addr()?.port())
}

fn free() -> anyhow::Result<TcpListener> {
    for _ in 0..RANDOM_TRIES {
        if let Ok(listener) = listen(fastrand::u16(RANDOM_PORTS)) {
            return Ok(listener);
        }
    }
    bail!("none of {RANDOM_TRIES} random ports from {RANDOM_PORTS:?} was free; name one with --port")
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

async fn becomes_free(port: u16) -> bool {
    let wait = async {
        while listen(port).is_err() {
            tokio::time::sleep(FREE_POLL).await;
        }
    };
    tokio::time::timeout(FREE_WAIT_MAX, wait).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_with_the_way_out() {
        let taken = free().expect("free");
        let port = taken.local_addr().expect("bound").port();
        let error = Ports::choose(port).await.expect_err("taken").to_string();
        assert!(error.contains(&format!("port {port} is taken")) && error.contains("--port 0"), "{error}");
    }

    #[tokio::test]
    async fn zero_gives_five_different_free_ports() {
        let ports = Ports::choose(0).await.expect("free");
        let mut all = vec![ports.api, ports.kafka, ports.dynamodb, ports.functions, ports.faults];
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 5);
    }

    #[tokio::test]
    async fn the_ports_after_the_first_must_exist() {
        let error = Ports::choose(65_533).await.expect_err("too high").to_string();
        assert!(error.contains("65531"), "{error}");
    }
}
