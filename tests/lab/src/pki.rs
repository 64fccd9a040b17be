//! Keys and certificates of the lab: one CA for the cluster, one for everything that the lab
//! plays of the outside world (the ACME server's TLS, the cloud API).

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::config::Level;
use crate::node::staging;
use crate::site::Site;

/// The Service that the API server makes for itself: the first address of its range.
const KUBERNETES_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);

/// A certificate authority that writes what it signs into a folder.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: PathBuf,
}

/// Who a certificate is for.
pub(crate) struct Subject<'a> {
    pub(crate) file: &'a str,
    pub(crate) common_name: &'a str,
    pub(crate) organization: Option<&'a str>,
    pub(crate) names: &'a [&'a str],
    pub(crate) addresses: &'a [IpAddr],
}

/// The paths of a certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Pair {
    pub(crate) fn at(dir: &Path, file: &str) -> Self {
        Self { certificate: dir.join(format!("{file}.crt")), key: dir.join(format!("{file}.key")) }
    }
}

impl Authority {
    /// Makes a new CA; its certificate becomes `ca.crt` in `dir`.
    pub(crate) fn create(dir: PathBuf, common_name: &str) -> Result<Self> {
        fs::create_dir_all(&dir)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        fs::write(dir.join("ca.crt"), issuer.pem())?;
        Ok(Self { issuer, dir })
    }

    /// Signs a certificate that serves and authenticates, and writes it beside its key.
    pub(crate) fn sign(&self, subject: &Subject<'_>) -> Result<Pair> {
        let names: Vec<String> = subject.names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, subject.common_name);
        if let Some(organization) = subject.organization {
            params.distinguished_name.push(DnType::OrganizationName, organization);
        }
        params.subject_alt_names.extend(subject.addresses.iter().copied().map(SanType::IpAddress));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let pair = Pair::at(&self.dir, subject.file);
        fs::write(&pair.certificate, certificate.pem())?;
        fs::write(&pair.key, key.serialize_pem())?;
        Ok(pair)
    }
}

/// Makes every key and certificate of a new lab.
pub(crate) fn create(site: &Site) -> Result<()> {
    let cluster = Authority::create(site.path("pki/cluster"), "signet lab cluster")?;
    let user =
        |file, common_name, organization| Subject { file, common_name, organization, names: &[], addresses: &[] };
    cluster.sign(&user("admin", "admin", Some("system:masters")))?;
    cluster.sign(&user("controller-manager", "system:kube-controller-manager", None))?;
    let addresses = [site.address, site.world(), site.edge(), KUBERNETES_SERVICE].map(IpAddr::V4);
    cluster.sign(&Subject {
        names: &[
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ],
        addresses: &addresses,
        ..user("apiserver", "kube-apiserver", None)
    })?;
    if site.level == Level::Node {
        let node = format!("system:node:{}", crate::node::NAME);
        cluster.sign(&Subject {
            names: &[crate::node::NAME],
            addresses: &addresses,
            ..user("kubelet", &node, Some("system:nodes"))
        })?;
        cluster.sign(&user("kubelet-client", "kube-apiserver-kubelet-client", Some("system:masters")))?;
        cluster.sign(&user("scheduler", "system:kube-scheduler", None))?;
        cluster.sign(&user("proxy", "system:kube-proxy", None))?;
    }
    let tokens = KeyPair::generate()?;
    fs::write(site.path("pki/cluster/tokens.key"), tokens.serialize_pem())?;
    fs::write(site.path("pki/cluster/tokens.pub"), tokens.public_key_pem())?;

    let world = Authority::create(site.path("pki/world"), "signet lab world")?;
    let server =
        |file, names| Subject { file, common_name: file, organization: None, names, addresses: &addresses[..2] };
    world.sign(&server("acme", &["pebble.lab", "localhost"]))?;
    if site.level == Level::Node {
        world.sign(&server(staging::NAME, &[staging::HOST]))?;
    }
    world.sign(&server("cloud", &["*.amazonaws.com", "*.us-east-1.amazonaws.com", "localhost"]))?;
    Ok(())
}
