//! Keyboard-interactive: the password, where a prompt hides what is typed (RFC 4256).

use russh::client::{AuthResult, KeyboardInteractiveAuthResponse as Response};

use super::{Login, Step};
use crate::{Attempt, Failure, Secret, text::clean};

/// A host that asks more often than this is not asking for a password.
const ROUNDS: usize = 8;

pub(super) async fn answer(login: &mut Login<'_>, password: &Secret) -> Result<Step, Failure> {
    let what = "keyboard-interactive";
    let doing = "answering the host's questions";
    let (user, after) = (login.target.user.clone(), login.answer);
    let timed_out = |_| Failure::Timeout { doing: doing.to_owned(), after };
    let mut reply =
        tokio::time::timeout(after, login.handle.authenticate_keyboard_interactive_start(user, None::<String>))
            .await
            .map_err(timed_out)?;
    let mut given = false;
    for _ in 0..ROUNDS {
        let prompts = match reply {
            Ok(Response::Success) => return Ok(Step::In),
            Ok(Response::Failure { remaining_methods, partial_success }) => {
                let failure = AuthResult::Failure { remaining_methods, partial_success };
                return Ok(login.learn(Some(what.to_owned()), Ok(failure)).await);
            }
            Ok(Response::InfoRequest { prompts, .. }) => prompts,
            Err(error) => return Ok(login.learn(Some(what.to_owned()), Err(error)).await),
        };
        let mut answers = Vec::with_capacity(prompts.len());
        for prompt in &prompts {
            if prompt.echo || given {
                let question = clean(prompt.prompt.as_bytes());
                login
                    .tried
                    .push(Attempt::new(what, format!("the host asks `{question}`, which a password does not answer")));
                return Ok(Step::Next);
            }
            given = true;
            answers.push(password.reveal().to_owned());
        }
        reply = tokio::time::timeout(after, login.handle.authenticate_keyboard_interactive_respond(answers))
            .await
            .map_err(timed_out)?;
    }
    login.tried.push(Attempt::new(what, "the host does not stop asking"));
    Ok(Step::Next)
}
