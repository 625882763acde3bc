//! A TLS listener with a certificate of a private CA made for the occasion; hands on what is inside to the mock
//! cluster, which knows no TLS.

use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// A private certificate authority.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        // A name of its own: an issuer with the subject of what it issued looks self-signed.
        params.distinguished_name.push(DnType::CommonName, "a private CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    /// Its certificate, as the secret has it.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Key and certificate for a host or an address, until the given year.
    pub(crate) fn issued(&self, name: &str, until_year: i32) -> (KeyPair, Certificate) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until_year, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (key, certificate)
    }

    /// Starts a listener for `name` in front of `upstream`; returns its `host:port`.
    pub(crate) async fn front(&self, name: &str, upstream: String) -> String {
        let (key, certificate) = self.issued(name, 2100);
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        // Named, since another member of the workspace may link a second provider.
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::task::spawn(async move {
            while let Ok((stream, _peer)) = listener.accept().await {
                tokio::task::spawn(serve(acceptor.clone(), stream, upstream.clone()));
            }
        });
        address
    }
}

/// One connection, until a side leaves or refuses the handshake.
async fn serve(acceptor: TlsAcceptor, stream: TcpStream, upstream: String) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut onward = TcpStream::connect(&upstream).await?;
    copy_bidirectional(&mut stream, &mut onward).await.map(|_bytes| ())
}
