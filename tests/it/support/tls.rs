//! Certificates of a test's own: an authority that nobody else knows, what it vouches for, and blocking
//! TLS clients that trust it.

use super::PATIENCE;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned,
    SupportedProtocolVersion,
};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

/// The names under which everything on loopback is reached.
pub const LOOPBACK: [&str; 2] = ["127.0.0.1", "localhost"];

/// Versions of TLS to speak.
pub static TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
pub static TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// A TLS connection to the gateway.
pub type Tls = StreamOwned<ClientConnection, TcpStream>;

/// An authority that is trusted only where a test says so.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its private key, in PEM.
#[derive(Clone)]
pub struct Identity {
    pub certificate: String,
    pub private_key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = parameters(&[], "Throwaway authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    /// Its own certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Vouches for names.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.sign(&parameters(names, "A server"))
    }

    /// Vouches for names, until a day that is long past.
    pub fn issue_expired(&self, names: &[&str]) -> Identity {
        let mut params = parameters(names, "A server of the past");
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
        self.sign(&params)
    }

    /// Vouches for names in a certificate that is altered.
    pub fn issue_altered(
        &self,
        names: &[&str],
        alter: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let mut params = parameters(names, "An odd server");
        alter(&mut params);
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Identity {
            certificate: certificate.pem(),
            private_key: key.serialize_pem(),
        }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("an authority");
        roots
    }
}

impl Identity {
    /// A certificate for names that nobody vouches for.
    pub fn self_signed(names: &[&str]) -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = parameters(names, "A server of nobody's");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self {
            certificate: certificate.pem(),
            private_key: key.serialize_pem(),
        }
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("PEM")]
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.private_key.as_bytes()).expect("PEM")
    }

    /// A server that shows this certificate and offers these protocols.
    pub fn server(&self, alpn: &[&str]) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(self.chain(), self.key())
            .expect("a certificate with its key");
        config.alpn_protocols = protocols(alpn);
        Arc::new(config)
    }
}

/// A TLS client to be.
pub struct Dialer {
    roots: RootCertStore,
    alpn: Vec<Vec<u8>>,
    versions: &'static [&'static SupportedProtocolVersion],
    identity: Option<Identity>,
}

impl Dialer {
    /// A client that trusts this authority and offers no protocol by ALPN.
    pub fn trusting(authority: &Authority) -> Self {
        Self {
            roots: authority.roots(),
            alpn: Vec::new(),
            versions: rustls::DEFAULT_VERSIONS,
            identity: None,
        }
    }

    /// The same that offers these protocols.
    pub fn offering(mut self, alpn: &[&str]) -> Self {
        self.alpn = protocols(alpn);
        self
    }

    /// The same that speaks these versions alone.
    pub fn speaking(mut self, versions: &'static [&'static SupportedProtocolVersion]) -> Self {
        self.versions = versions;
        self
    }

    /// The same with a certificate of its own.
    pub fn showing(mut self, identity: &Identity) -> Self {
        self.identity = Some(identity.clone());
        self
    }

    /// The client's configuration.
    pub fn config(&self) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(self.versions)
            .expect("versions")
            .with_root_certificates(self.roots.clone());
        let mut config = match &self.identity {
            Some(identity) => builder
                .with_client_auth_cert(identity.chain(), identity.key())
                .expect("a certificate with its key"),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols.clone_from(&self.alpn);
        Arc::new(config)
    }

    /// Connects and shakes hands. A gateway that refuses the client's certificate says so only
    /// later, as an answer is read.
    pub fn connect(&self, address: SocketAddr) -> io::Result<Tls> {
        let mut tcp = TcpStream::connect(address)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_write_timeout(Some(PATIENCE))?;
        tcp.set_nodelay(true)?;
        let mut tls = ClientConnection::new(self.config(), name()).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp)?;
        }
        Ok(StreamOwned::new(tls, tcp))
    }
}

/// The name that clients ask for.
pub fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn protocols(alpn: &[&str]) -> Vec<Vec<u8>> {
    alpn.iter()
        .map(|protocol| protocol.as_bytes().to_vec())
        .collect()
}

fn parameters(names: &[&str], common_name: &str) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.use_authority_key_identifier_extension = true;
    params
}
