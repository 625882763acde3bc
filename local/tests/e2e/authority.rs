//! A private certificate authority, made for the occasion, and what it vouches for: a broker, or a listener in front of an
//! API.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType, date_time_ymd,
};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "a private CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A directory with a broker's key and certificate, for 127.0.0.1 and until the given year, and the CA's own.
    pub(crate) fn directory(&self, until_year: i32) -> tempfile::TempDir {
        let (key, certificate) = self.issued(until_year);
        let directory = tempfile::tempdir().unwrap();
        let chain = format!("{}{}{}", key.serialize_pem(), certificate.pem(), self.0.pem());
        std::fs::write(directory.path().join("server.pem"), chain).unwrap();
        std::fs::write(directory.path().join("ca.pem"), self.0.pem()).unwrap();
        directory
    }

    /// Listens with TLS in front of `http://host:port`; where, as https.
    pub(crate) async fn front(&self, url: &str) -> String {
        let (key, certificate) = self.issued(2100);
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        // Named, since another member of the workspace links a second provider.
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let upstream = url.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _peer)) = listener.accept().await {
                tokio::spawn(serve(acceptor.clone(), stream, upstream.clone()));
            }
        });
        format!("https://{address}")
    }

    /// Key and certificate for 127.0.0.1, until the given year.
    fn issued(&self, until_year: i32) -> (KeyPair, Certificate) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::IpAddress("127.0.0.1".parse().unwrap())];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until_year, 1, 1);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (key, certificate)
    }
}

/// One connection, until a side leaves or refuses the handshake.
async fn serve(acceptor: TlsAcceptor, stream: TcpStream, upstream: String) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut onward = TcpStream::connect(&upstream).await?;
    copy_bidirectional(&mut stream, &mut onward).await.map(|_bytes| ())
}
