//! Private key files, opened once for the whole fleet.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
};

use russh::keys::{
    self, Certificate, PrivateKey, PublicKey, PublicKeyOrCertificate, load_openssh_certificate, load_public_key,
};
use zeroize::Zeroizing;

use super::{
    super::target::{Ask, Target},
    short,
};
use crate::{Secret, text::clean};

/// How often a passphrase is asked for.
const PASSPHRASE_ATTEMPTS: u32 = 3;

/// A key file larger than this is no key.
const LARGEST: u64 = 64 << 10;

/// All key files that were looked at, and the one who knows passphrases.
pub(crate) struct KeyRing {
    ask: Arc<dyn Ask>,
    files: std::sync::Mutex<HashMap<PathBuf, Arc<KeyFile>>>,
    /// Held while a person is asked: one question at a time.
    asking: tokio::sync::Mutex<()>,
}

/// One key file.
pub(super) struct KeyFile {
    pub(super) path: PathBuf,
    /// The public part, where it can be had without a passphrase.
    pub(super) public: Option<PublicKey>,
    /// The certificate beside it.
    pub(super) certificate: Option<Certificate>,
    text: Zeroizing<String>,
    /// `None` while it is locked.
    private: std::sync::Mutex<Option<Opened>>,
}

/// A private key, or why there is none.
pub(super) type Opened = Result<Arc<PrivateKey>, String>;

/// Why a key file is of no use.
pub(super) enum Unusable {
    Missing,
    Because(String),
}

impl KeyRing {
    pub(crate) fn new(ask: Arc<dyn Ask>) -> Self {
        Self { ask, files: std::sync::Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    /// Reads the file, once.
    pub(super) fn file(&self, path: &Path) -> Result<Arc<KeyFile>, Unusable> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files.get(path) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(KeyFile::read(path)?);
        files.insert(path.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    /// Opens a locked key by asking for its passphrase. Whoever comes while it is asked for shares the answer.
    pub(super) async fn unlock(&self, file: &KeyFile, target: &Target) -> Opened {
        let _one = self.asking.lock().await;
        if let Some(opened) = file.opened() {
            return opened;
        }
        let known = match &target.passphrase {
            Some(passphrase) => file.decode(passphrase.clone()).await,
            None => None,
        };
        let opened = match known {
            Some(key) => Ok(key),
            // Another host's passphrase may be right, and another host may permit to ask.
            None if target.passphrase.is_some() => return Err("the passphrase is wrong".to_owned()),
            None if !target.ask => return Err("it is encrypted, and BatchMode forbids to ask".to_owned()),
            None => self.ask_for(file).await,
        };
        *file.private.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened.clone());
        opened
    }

    async fn ask_for(&self, file: &KeyFile) -> Opened {
        for attempt in 1..=PASSPHRASE_ATTEMPTS {
            let Some(passphrase) = self.ask.passphrase(&file.path, attempt).await else {
                return Err(if attempt == 1 {
                    "it is encrypted and nobody can be asked for its passphrase: add it to an agent (`ssh-add`)"
                        .to_owned()
                } else {
                    "no passphrase was given".to_owned()
                });
            };
            if let Some(key) = file.decode(passphrase).await {
                return Ok(key);
            }
        }
        Err("the passphrase is wrong".to_owned())
    }
}

impl KeyFile {
    fn read(path: &Path) -> Result<Self, Unusable> {
        let because = |e: io::Error| match e.kind() {
            io::ErrorKind::NotFound => Unusable::Missing,
            _ => Unusable::Because(format!("cannot read it: {}", clean(e.to_string().as_bytes()))),
        };
        let meta = fs::metadata(path).map_err(because)?;
        if !meta.is_file() || meta.len() > LARGEST {
            return Err(Unusable::Because("it is not a key file".to_owned()));
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(because)?);
        let beside = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let certificate = load_openssh_certificate(beside("-cert.pub")).ok();
        // `IdentityFile key.pub` names a key that only the agent holds (ssh_config(5)).
        if !text.contains("PRIVATE KEY") {
            let public = load_public_key(path)
                .map_err(|_| Unusable::Because("it is neither a private nor a public key".to_owned()))?;
            let private = std::sync::Mutex::new(Some(Err(
                "only the public key is there, and no agent holds the private one".to_owned(),
            )));
            return Ok(Self { path: path.to_owned(), public: Some(public), certificate, text, private });
        }
        // The owner's own key that others can read is refused, as ssh does.
        if meta.mode() & 0o077 != 0 && meta.uid() == rustix::process::getuid().as_raw() {
            let mode = meta.mode() & 0o7777;
            return Err(Unusable::Because(format!(
                "others can read it (mode {mode:04o}): `chmod 600 {}`",
                path.display()
            )));
        }
        let (public, private) = match short::decode(&text, None) {
            Ok(key) => (Some(key.public_key().clone()), Some(Ok(Arc::new(key)))),
            Err(error) if is_locked(&error, &text) => {
                let beside = load_public_key(beside(".pub")).ok();
                let inside = || PrivateKey::from_openssh(text.as_bytes()).ok().map(|key| key.public_key().clone());
                (beside.or_else(inside), None)
            }
            Err(error) => {
                return Err(Unusable::Because(format!(
                    "it cannot be understood: {}",
                    clean(error.to_string().as_bytes())
                )));
            }
        };
        Ok(Self { path: path.to_owned(), public, certificate, text, private: std::sync::Mutex::new(private) })
    }

    /// The private key, if this is its passphrase.
    async fn decode(&self, passphrase: Secret) -> Option<Arc<PrivateKey>> {
        let text = self.text.clone();
        // The key derivation is slow on purpose.
        let decoded = tokio::task::spawn_blocking(move || short::decode(&text, Some(passphrase.reveal())));
        decoded.await.ok()?.ok().map(Arc::new)
    }

    /// The private key, if it is open; or why it cannot be opened; or `None` while it is locked.
    pub(super) fn opened(&self) -> Option<Opened> {
        self.private.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn is_locked(error: &keys::Error, text: &str) -> bool {
    matches!(error, keys::Error::KeyIsEncrypted)
        || text.contains("BEGIN ENCRYPTED PRIVATE KEY")
        || text.contains("Proc-Type: 4,ENCRYPTED")
}

/// A certificate file.
pub(super) fn certificate(path: &Path) -> Result<Certificate, Unusable> {
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(Unusable::Missing),
        _ => {}
    }
    load_openssh_certificate(path).map_err(|e| Unusable::Because(clean(e.to_string().as_bytes())))
}

/// The key inside what an agent holds.
pub(super) fn key_of(identity: &russh::keys::agent::AgentIdentity) -> PublicKey {
    use russh::keys::agent::AgentIdentity;
    match identity {
        AgentIdentity::PublicKey { key, .. } => key.clone(),
        AgentIdentity::Certificate { certificate, .. } => {
            PublicKeyOrCertificate::from(certificate.clone()).public_key()
        }
    }
}
