//! Logging in, in OpenSSH's order: keys (certificates, agent, files), then keyboard-interactive, then the password.

mod agent;
mod interactive;
mod keys;
mod publickey;
mod short;

use std::{future::Future, time::Duration};

use russh::{
    MethodKind,
    client::{AuthResult, Handle},
};
use tokio::{sync::watch, time::timeout};

pub(crate) use self::keys::KeyRing;
use super::{Session, handler::Client, target::Target};
use crate::{Attempt, Failure};

/// Why a login did not come about.
pub(crate) struct Stop {
    pub(crate) failure: Failure,
    /// Whether a person was asked for a passphrase on the way.
    pub(crate) asked: bool,
    /// Whether the peer ended the connection.
    pub(crate) hung_up: bool,
}

/// Where a login stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    In,
    /// Not in; go on with the next credential.
    Next,
    /// One of several factors was accepted: start again with the methods that are left.
    Partly,
    /// The connection is over.
    Gone,
}

struct Login<'a> {
    handle: &'a mut Handle<Client>,
    closed: watch::Receiver<Option<String>>,
    target: &'a Target,
    answer: Duration,
    tried: Vec<Attempt>,
    /// What the host says it would take; `None` before it said so.
    methods: Option<Vec<MethodKind>>,
    asked: bool,
}

/// Logs in on a connection whose host key was accepted.
pub(crate) async fn log_in(session: &mut Session, target: &Target, ring: &KeyRing) -> Result<(), Stop> {
    let closed = session.closed.clone();
    let mut login = Login {
        handle: &mut session.handle,
        closed,
        target,
        answer: target.timeouts.answer,
        tried: Vec::new(),
        methods: None,
        asked: false,
    };
    let outcome = login.run(ring).await;
    let asked = login.asked;
    match outcome {
        Ok(Step::In) => Ok(()),
        Ok(step) => {
            let hung_up = step == Step::Gone;
            let closed = if hung_up { Some(login.why_gone().await) } else { None };
            Err(Stop {
                failure: Failure::Auth { user: target.user.clone(), tried: login.tried, closed },
                asked,
                hung_up,
            })
        }
        Err(failure) => Err(Stop { failure, asked, hung_up: false }),
    }
}

impl Login<'_> {
    async fn run(&mut self, ring: &KeyRing) -> Result<Step, Failure> {
        let mut candidates = publickey::candidates(self, ring).await;
        // Each round uses up one factor; sshd_config's AuthenticationMethods names no more than these.
        for _ in 0..4 {
            let step = self.round(ring, &mut candidates).await?;
            if step != Step::Partly {
                return Ok(step);
            }
        }
        Ok(Step::Next)
    }

    async fn round(&mut self, ring: &KeyRing, candidates: &mut publickey::Candidates) -> Result<Step, Failure> {
        for method in self.order() {
            if method != MethodKind::PublicKey && self.methods.is_none() {
                let asked = self
                    .wait("asking how to log in", |login| login.handle.authenticate_none(login.target.user.clone()))
                    .await?;
                match self.learn(None, asked).await {
                    Step::Next => {}
                    step => return Ok(step),
                }
            }
            let step = match method {
                _ if !self.takes(method) => Step::Next,
                MethodKind::PublicKey => publickey::try_all(self, ring, candidates).await?,
                _ => self.password(method).await?,
            };
            if step != Step::Next {
                return Ok(step);
            }
        }
        self.explain();
        Ok(Step::Next)
    }

    /// The methods to try, in order.
    fn order(&self) -> Vec<MethodKind> {
        const ALL: [MethodKind; 3] = [MethodKind::PublicKey, MethodKind::KeyboardInteractive, MethodKind::Password];
        match &self.target.methods {
            None => ALL.to_vec(),
            Some(names) => names
                .iter()
                .filter_map(|name| ALL.into_iter().find(|m| <&'static str>::from(m) == name.as_str()))
                .collect(),
        }
    }

    /// Logs in with the password, if there is one.
    async fn password(&mut self, method: MethodKind) -> Result<Step, Failure> {
        let Some(password) = self.target.password.clone() else { return Ok(Step::Next) };
        if method == MethodKind::KeyboardInteractive {
            return interactive::answer(self, &password).await;
        }
        let sent = self
            .wait("sending the password", |login| {
                login.handle.authenticate_password(login.target.user.clone(), password.reveal())
            })
            .await?;
        Ok(self.learn(Some("password".to_owned()), sent).await)
    }

    /// Says what was not tried, and why.
    fn explain(&mut self) {
        let order = self.order();
        let named = |method: MethodKind| order.contains(&method);
        let mut not = |what: &str, why: String| self.tried.push(Attempt::new(what, why));
        let asks = named(MethodKind::KeyboardInteractive) || named(MethodKind::Password);
        let methods = self.methods.clone();
        let takes = |method| methods.as_ref().is_none_or(|all: &Vec<MethodKind>| all.contains(&method));
        let offered = offered(methods.as_deref());
        match self.target.password {
            Some(_) if !asks => not("password", "the ssh configuration leaves it out".to_owned()),
            Some(_) if !takes(MethodKind::KeyboardInteractive) && !takes(MethodKind::Password) => {
                not("password", format!("the host does not take passwords, only {offered}"));
            }
            None if named(MethodKind::PublicKey) && !takes(MethodKind::PublicKey) => {
                not("keys", format!("the host does not take keys, only {offered}"));
            }
            _ => {}
        }
        if !named(MethodKind::PublicKey) {
            self.tried.push(Attempt::new("keys", "the ssh configuration leaves them out"));
        }
    }

    /// Whether the host may take this method.
    fn takes(&self, method: MethodKind) -> bool {
        self.methods.as_ref().is_none_or(|methods| methods.contains(&method))
    }

    /// Takes in an answer to a credential.
    async fn learn(&mut self, what: Option<String>, answer: Result<AuthResult, russh::Error>) -> Step {
        let (remaining, partial) = match answer {
            Ok(AuthResult::Success) => return Step::In,
            Ok(AuthResult::Failure { remaining_methods, partial_success }) => {
                (remaining_methods.to_vec(), partial_success)
            }
            Err(_) => (Vec::new(), false),
        };
        // Without any method left the library ends the session, if the peer did not.
        let gone = remaining.is_empty();
        self.methods = Some(remaining);
        if let Some(what) = what {
            let result = if partial {
                format!("accepted, but the host wants more: {}", offered(self.methods.as_deref()))
            } else {
                "not accepted".to_owned()
            };
            self.tried.push(Attempt::new(what, result));
        }
        match (partial, gone) {
            (_, true) => Step::Gone,
            (true, false) => Step::Partly,
            (false, false) => Step::Next,
        }
    }

    /// Waits for an answer for as long as the peer may take.
    async fn wait<'s, T, F: Future<Output = T>>(
        &'s mut self,
        doing: &str,
        ask: impl FnOnce(&'s mut Self) -> F,
    ) -> Result<T, Failure> {
        let after = self.answer;
        timeout(after, ask(self)).await.map_err(|_| Failure::Timeout { doing: doing.to_owned(), after })
    }

    async fn why_gone(&mut self) -> String {
        let patience = Duration::from_secs(2);
        match timeout(patience, self.closed.wait_for(Option::is_some)).await {
            Ok(Ok(why)) => why.clone().unwrap_or_default(),
            _ => "the host ended the connection".to_owned(),
        }
    }
}

/// What a host says it takes, in words.
fn offered(methods: Option<&[MethodKind]>) -> String {
    let names: Vec<&'static str> = methods.unwrap_or_default().iter().map(<&'static str>::from).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}
