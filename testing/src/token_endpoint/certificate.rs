//! [`Certificate`]: the server certificate of the token endpoint and the authority that signed it.

use std::{error::Error, net::IpAddr, net::Ipv4Addr, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use tokio_rustls::rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

/// A certificate for `localhost` and `127.0.0.1`.
pub(super) struct Certificate {
    /// The certificate of the authority, in PEM.
    pub(super) authority: String,
    pub(super) server: Arc<ServerConfig>,
}

impl Certificate {
    /// Generates new keys and certificates. They are valid from 1970 to 4096, because a test may run at any time.
    ///
    /// The server's certificate is not its own authority, because some TLS libraries reject that.
    pub(super) fn generate() -> Result<Self, Box<dyn Error>> {
        let valid_from = date_time_ymd(1970, 1, 1);
        let mut params = CertificateParams::default();
        params.not_before = valid_from;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "Fake token endpoint (test authority)");
        let key = KeyPair::generate()?;
        let authority = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);

        let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
        params.not_before = valid_from;
        params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.distinguished_name.push(DnType::CommonName, "localhost");
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?;

        // The program under test may have installed another provider as its default.
        let mut server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )?;
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { authority, server: Arc::new(server) })
    }
}
