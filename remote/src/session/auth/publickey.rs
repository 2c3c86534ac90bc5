//! Which keys are offered, in which order, and with which signature.

use std::sync::Arc;

use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey, agent::AgentIdentity};

use super::{
    Login, Step,
    agent::{Agent, Sign, SignError},
    keys::{KeyFile, KeyRing, Unusable, certificate, key_of},
};
use crate::{Attempt, Failure, text::clean};

/// What will be offered.
pub(super) struct Candidates {
    agent: Option<Agent>,
    list: Vec<Candidate>,
    /// Once the host is asked: the hash that it takes for RSA; `None` inside means SHA-1 only.
    rsa: Option<Option<HashAlg>>,
}

struct Candidate {
    what: String,
    certificate: Option<Certificate>,
    source: Source,
}

enum Source {
    Agent(Box<AgentIdentity>),
    File(Arc<KeyFile>),
}

/// Collects what there is, in OpenSSH's order: certificates; agent keys that a file names; other agent keys; files.
pub(super) async fn candidates(login: &mut Login<'_>, ring: &KeyRing) -> Candidates {
    let target = login.target;
    let mut files = Vec::new();
    for identity in &target.identities {
        match ring.file(&identity.path) {
            Ok(file) => files.push(file),
            Err(Unusable::Missing) if !identity.explicit => {}
            Err(Unusable::Missing) => {
                login.tried.push(Attempt::new(identity.path.display().to_string(), "no such file"))
            }
            Err(Unusable::Because(why)) => login.tried.push(Attempt::new(identity.path.display().to_string(), why)),
        }
    }
    let agent = agent(login).await;
    let held: Vec<AgentIdentity> = agent.as_ref().map(|agent| agent.identities.clone()).unwrap_or_default();
    let mut list = certified(login, &files, &held);

    let named = |identity: &&AgentIdentity| files.iter().any(|f| is(f.public.as_ref(), &key_of(identity)));
    let (mut first, rest): (Vec<&AgentIdentity>, Vec<&AgentIdentity>) = held.iter().partition(named);
    // In the order of the files, not of the agent.
    first.sort_by_key(|identity| files.iter().position(|f| is(f.public.as_ref(), &key_of(identity))));
    let rest = rest.into_iter().filter(|_| !target.identities_only);
    list.extend(first.into_iter().chain(rest).map(of_agent));
    let in_agent = |file: &&Arc<KeyFile>| !held.iter().any(|identity| is(file.public.as_ref(), &key_of(identity)));
    list.extend(files.iter().filter(in_agent).map(|file| of_file(file, None)));
    Candidates { agent, list, rsa: None }
}

async fn agent(login: &mut Login<'_>) -> Option<Agent> {
    let socket = login.target.agent.as_ref()?;
    let opened = tokio::time::timeout(login.answer, Agent::open(socket, login.handle.agent_session_binding())).await;
    let why = match opened {
        Ok(Ok(agent)) => return Some(agent),
        Ok(Err(why)) => why,
        Err(_) => "it does not answer".to_owned(),
    };
    login.tried.push(Attempt::new(format!("agent at {}", socket.display()), why));
    None
}

/// Certificates, each with the key that it belongs to.
fn certified(login: &mut Login<'_>, files: &[Arc<KeyFile>], held: &[AgentIdentity]) -> Vec<Candidate> {
    let mut found: Vec<(String, Certificate)> = Vec::new();
    for path in &login.target.certificates {
        match certificate(path) {
            Ok(certificate) => found.push((path.display().to_string(), certificate)),
            Err(Unusable::Missing) => login.tried.push(Attempt::new(path.display().to_string(), "no such file")),
            Err(Unusable::Because(why)) => login.tried.push(Attempt::new(path.display().to_string(), why)),
        }
    }
    let beside = |f: &Arc<KeyFile>| Some((format!("{}-cert.pub", f.path.display()), f.certificate.clone()?));
    found.extend(files.iter().filter_map(beside));
    let mut list = Vec::new();
    for (what, certificate) in found {
        let key = PublicKey::new(certificate.public_key().clone(), "");
        let plain =
            |i: &&AgentIdentity| matches!(i, AgentIdentity::PublicKey { key: k, .. } if k.key_data() == key.key_data());
        let source = match (held.iter().find(plain), files.iter().find(|f| is(f.public.as_ref(), &key))) {
            (Some(identity), _) => Source::Agent(Box::new(identity.clone())),
            (None, Some(file)) => Source::File(Arc::clone(file)),
            (None, None) => {
                login.tried.push(Attempt::new(what, "its private key is not among the keys"));
                continue;
            }
        };
        list.push(Candidate { what, certificate: Some(certificate), source });
    }
    list
}

fn is(public: Option<&PublicKey>, key: &PublicKey) -> bool {
    public.is_some_and(|public| public.key_data() == key.key_data())
}

fn of_agent(identity: &AgentIdentity) -> Candidate {
    let (kind, comment, certificate) = match identity {
        AgentIdentity::PublicKey { comment, .. } => ("key", comment, None),
        AgentIdentity::Certificate { comment, certificate } => ("certificate", comment, Some(certificate.clone())),
    };
    let what =
        format!("agent {kind} {} ({})", key_of(identity).fingerprint(HashAlg::Sha256), clean(comment.as_bytes()));
    Candidate { what, certificate, source: Source::Agent(Box::new(identity.clone())) }
}

fn of_file(file: &Arc<KeyFile>, certificate: Option<Certificate>) -> Candidate {
    Candidate { what: file.path.display().to_string(), certificate, source: Source::File(Arc::clone(file)) }
}

/// Offers each in turn; one that was offered is not offered again.
pub(super) async fn try_all(
    login: &mut Login<'_>,
    ring: &KeyRing,
    candidates: &mut Candidates,
) -> Result<Step, Failure> {
    while !candidates.list.is_empty() && login.takes(russh::MethodKind::PublicKey) {
        let candidate = candidates.list.remove(0);
        let step = try_one(login, ring, candidates, candidate).await?;
        if step != Step::Next {
            return Ok(step);
        }
    }
    Ok(Step::Next)
}

async fn try_one(
    login: &mut Login<'_>,
    ring: &KeyRing,
    candidates: &mut Candidates,
    candidate: Candidate,
) -> Result<Step, Failure> {
    let Candidate { what, certificate, source } = candidate;
    let mut public = match &source {
        Source::Agent(identity) => Some(key_of(identity)),
        Source::File(file) => file.public.clone(),
    };
    // At most twice: once to find out whether the host takes a locked key, once with it open.
    loop {
        if let (None, Source::File(file)) = (&public, &source) {
            match open(login, ring, file).await {
                Ok(key) => public = Some(key.public_key().clone()),
                Err(why) => return Ok(note(login, &what, &why)),
            }
        }
        let Some(key) = &public else {
            return Ok(Step::Next);
        };
        let hash = match rsa_hash(login, candidates, key).await? {
            Ok(hash) => hash,
            Err(why) => return Ok(note(login, &what, &why)),
        };
        let mut signer = match &source {
            Source::Agent(identity) => match candidates.agent.as_mut() {
                Some(agent) => agent.signer(identity),
                None => return Ok(Step::Next),
            },
            Source::File(file) => match file.opened() {
                Some(Ok(key)) => Sign::Key(key),
                Some(Err(why)) => return Ok(note(login, &what, &why)),
                None => Sign::Locked,
            },
        };
        let user = login.target.user.clone();
        let after = login.answer;
        let offered = async {
            match &certificate {
                Some(certificate) => {
                    login.handle.authenticate_certificate_with(user, certificate.clone(), hash, &mut signer).await
                }
                None => login.handle.authenticate_publickey_with(user, key.clone(), hash, &mut signer).await,
            }
        };
        let timed_out = |_| Failure::Timeout { doing: format!("offering {what}"), after };
        match tokio::time::timeout(after, offered).await.map_err(timed_out)? {
            Ok(result) => return Ok(login.learn(Some(what), Ok(result)).await),
            Err(SignError::Gone) => return Ok(Step::Gone),
            Err(SignError::Refused(why)) => return Ok(note(login, &what, &why)),
            Err(SignError::Locked) => {
                let Source::File(file) = &source else {
                    return Ok(Step::Next);
                };
                if let Err(why) = open(login, ring, file).await {
                    return Ok(note(login, &what, &why));
                }
            }
        }
    }
}

async fn open(login: &mut Login<'_>, ring: &KeyRing, file: &KeyFile) -> Result<Arc<russh::keys::PrivateKey>, String> {
    if let Some(opened) = file.opened() {
        return opened;
    }
    login.asked = true;
    ring.unlock(file, login.target).await
}

fn note(login: &mut Login<'_>, what: &str, why: &str) -> Step {
    login.tried.push(Attempt::new(what, why));
    Step::Next
}

/// The hash for an RSA signature (RFC 8332); nothing for other keys. The inner error says why there is none.
async fn rsa_hash(
    login: &mut Login<'_>,
    candidates: &mut Candidates,
    key: &PublicKey,
) -> Result<Result<Option<HashAlg>, String>, Failure> {
    if !matches!(key.algorithm(), Algorithm::Rsa { .. }) {
        return Ok(Ok(None));
    }
    let best = match candidates.rsa {
        Some(best) => best,
        None => {
            let asked =
                login.wait("asking for signature algorithms", |login| login.handle.best_supported_rsa_hash()).await?;
            // A host that does not say takes SHA-256 if it takes SHA-2 at all.
            let best = asked.ok().flatten().unwrap_or(Some(HashAlg::Sha256));
            candidates.rsa = Some(best);
            best
        }
    };
    Ok(match best {
        Some(hash) => Ok(Some(hash)),
        None => {
            Err("the host only takes RSA signatures with SHA-1, which are forgeable: use an Ed25519 key".to_owned())
        }
    })
}
