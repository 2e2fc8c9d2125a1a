//! What libpq means by its `sslmode`: `prefer` and `require` encrypt and ask nobody who the server is, `verify-ca` wants its
//! certificate signed by somebody who is trusted, `verify-full` wants it to be the host's as well.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// Who has to say that the server is who it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    Nobody,
    Authority,
    AuthorityAndName,
}

/// Whom to trust.
pub enum Roots {
    /// Those that the system trusts.
    System,
    /// Those of a file.
    File(PathBuf),
}

/// A certificate of one's own, and its key.
pub struct Own {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

pub fn connector(verification: Verification, roots: &Roots, own: Option<&Own>) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Verifier {
        verification,
        trusted: match verification {
            Verification::Nobody => Trusted::nobody(),
            _ => Trusted::of(roots)?,
        },
        algorithms: provider.signature_verification_algorithms,
    });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let key = PrivateKeyDer::from_pem_file(&own.key)
                .with_context(|| format!("the key in {} cannot be read", own.key.display()))?;
            builder.with_client_auth_cert(certificates(&own.certificate)?, key)?
        }
    };
    // What a server since 17 wants to hear where the first byte is TLS already.
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(MakeRustlsConnect::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let context = || format!("the certificates in {} cannot be read", path.display());
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .with_context(context)?
        .collect::<Result<_, _>>()
        .with_context(context)?;
    if certificates.is_empty() {
        bail!("no certificate is in {}", path.display());
    }
    Ok(certificates)
}

#[derive(Debug)]
struct Trusted {
    authorities: RootCertStore,
    /// Those of a file, among which a server's own may be that is signed by itself.
    named: Vec<CertificateDer<'static>>,
}

impl Trusted {
    fn nobody() -> Self {
        Self {
            authorities: RootCertStore::empty(),
            named: Vec::new(),
        }
    }

    fn of(roots: &Roots) -> Result<Self> {
        let mut trusted = Self::nobody();
        match roots {
            Roots::System => {
                let found = rustls_native_certs::load_native_certs().certs;
                trusted.authorities.add_parsable_certificates(found);
                if trusted.authorities.is_empty() {
                    bail!(
                        "the system trusts no certificates: sslrootcert names a file of some (Debian: ca-certificates)"
                    );
                }
            }
            Roots::File(path) => {
                trusted.named = certificates(path)?;
                for certificate in &trusted.named {
                    let added = trusted.authorities.add(certificate.clone());
                    added.with_context(|| format!("a certificate in {} is unusable", path.display()))?;
                }
            }
        }
        Ok(trusted)
    }
}

#[derive(Debug)]
struct Verifier {
    verification: Verification,
    trusted: Trusted,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.verification == Verification::Nobody {
            return Ok(ServerCertVerified::assertion());
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        // One that signs itself is nobody's authority to webpki, and good to OpenSSL where it is trusted by name.
        if self.trusted.named.contains(end_entity) {
            check_dates(end_entity, now)?;
        } else {
            let authorities = &self.trusted.authorities;
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                authorities,
                intermediates,
                now,
                self.algorithms.all,
            )?;
        }
        if self.verification == Verification::AuthorityAndName {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    // Whoever has been asked for no name may hold any key.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.verification {
            Verification::Nobody => Ok(HandshakeSignatureValid::assertion()),
            _ => verify_tls12_signature(message, certificate, signature, &self.algorithms),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.verification {
            Verification::Nobody => Ok(HandshakeSignatureValid::assertion()),
            _ => verify_tls13_signature(message, certificate, signature, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn check_dates(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let parsed = Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let validity = parsed.tbs_certificate.validity;
    let seconds = now.as_secs();
    if seconds < validity.not_before.to_unix_duration().as_secs() {
        return Err(CertificateError::NotValidYet.into());
    }
    if seconds > validity.not_after.to_unix_duration().as_secs() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}
