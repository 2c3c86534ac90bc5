//! Logging in, in OpenSSH's order: keys (certificates, agent, files), then keyboard-interactive, then the password.

mod agent;
mod interactive;
mod keys;
mod publickey;

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
        if self.takes(MethodKind::PublicKey) {
            let step = publickey::try_all(self, ring, candidates).await?;
            if step != Step::Next {
                return Ok(step);
            }
        }
        if self.methods.is_none() {
            let asked = self
                .wait("asking how to log in", |login| login.handle.authenticate_none(login.target.user.clone()))
                .await?;
            match self.learn(None, asked).await {
                Step::Next => {}
                step => return Ok(step),
            }
        }
        let Some(password) = self.target.password.clone() else {
            if !self.takes(MethodKind::PublicKey) {
                self.tried.push(Attempt::new("keys", format!("the host does not take keys, only {}", self.offered())));
            }
            return Ok(Step::Next);
        };
        if self.takes(MethodKind::KeyboardInteractive) {
            let step = interactive::answer(self, &password).await?;
            if step != Step::Next {
                return Ok(step);
            }
        }
        if self.takes(MethodKind::Password) {
            let sent = self
                .wait("sending the password", |login| {
                    login.handle.authenticate_password(login.target.user.clone(), password.reveal())
                })
                .await?;
            return Ok(self.learn(Some("password".to_owned()), sent).await);
        }
        if !self.takes(MethodKind::KeyboardInteractive) {
            self.tried
                .push(Attempt::new("password", format!("the host does not take passwords, only {}", self.offered())));
        }
        Ok(Step::Next)
    }

    /// Whether the host may take this method.
    fn takes(&self, method: MethodKind) -> bool {
        self.methods.as_ref().is_none_or(|methods| methods.contains(&method))
    }

    fn offered(&self) -> String {
        let names =
            |m: &Vec<MethodKind>| m.iter().map(|m| <&'static str>::from(m).to_owned()).collect::<Vec<_>>().join(", ");
        self.methods.as_ref().map(names).filter(|names| !names.is_empty()).unwrap_or_else(|| "nothing".to_owned())
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
                format!("accepted, but the host wants more: {}", self.offered())
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
