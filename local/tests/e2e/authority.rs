//! What a private certificate authority vouches for: a broker's directory here, a listener by the Kafka client's own tests.

#[path = "../../../crates/kafka/tests/support/tls.rs"]
mod tls;

pub(crate) use tls::Authority;

impl Authority {
    /// A directory with a broker's key and certificate, for 127.0.0.1 and until the given year, and the CA's own.
    pub(crate) fn directory(&self, until_year: i32) -> tempfile::TempDir {
        let (key, certificate) = self.issued("127.0.0.1", until_year);
        let directory = tempfile::tempdir().unwrap();
        let chain = format!("{}{}{}", key.serialize_pem(), certificate.pem(), self.pem());
        std::fs::write(directory.path().join("server.pem"), chain).unwrap();
        std::fs::write(directory.path().join("ca.pem"), self.pem()).unwrap();
        directory
    }
}
