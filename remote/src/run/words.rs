//! A remote error in the words that an event carries.

use rectify_core::event::Failure as Words;

use crate::{Failure, RemoteError};

/// What went wrong, so that the same trouble on many hosts reads the same: the message says what it is and the hint what to
/// do; what belongs to the one host (address, fingerprint, the keys that were tried) is among the causes.
pub fn words(error: &RemoteError) -> Words {
    let (message, causes) = split(&error.failure, &error.host);
    Words { message, causes, hint: error.hint() }
}

fn split(failure: &Failure, host: &str) -> (String, Vec<String>) {
    match failure {
        Failure::Dns { name, reason } => {
            ("its name cannot be resolved".to_owned(), vec![format!("`{name}`: {reason}")])
        }
        // The reason names every address that was tried.
        Failure::Refused { reason, .. } => ("cannot connect".to_owned(), vec![reason.clone()]),
        Failure::Timeout { doing, after } => {
            (format!("no answer within {} s", after.as_secs_f32()), vec![format!("while {doing}")])
        }
        Failure::Closed { doing, reason } => {
            (format!("the connection was closed: {reason}"), vec![format!("while {doing}")])
        }
        Failure::HostKey(refusal) => {
            let at = refusal.location.as_ref().map(|at| format!(", but see {at}")).unwrap_or_default();
            let place = host.split_once(" (").map_or(host, |(_, place)| place.trim_end_matches(')'));
            let offered = format!("{place} offers {} {}{at}", refusal.algorithm, refusal.fingerprint);
            (refusal.problem.to_string(), vec![offered])
        }
        Failure::Auth { user, tried, closed } => {
            let mut causes: Vec<String> = tried.iter().map(ToString::to_string).collect();
            if causes.is_empty() {
                causes.push("there is no key, agent or password to try".to_owned());
            }
            causes.extend(closed.iter().map(|why| format!("then the host hung up: {why}")));
            (format!("cannot log in as `{user}`"), causes)
        }
        Failure::Jump(at) => {
            let (message, causes) = split(&at.failure, &at.host);
            (format!("jump host {}: {message}", at.host), causes)
        }
        other => (other.to_string(), Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{Attempt, HostKeyProblem, HostKeyRefusal};

    #[test]
    fn the_same_trouble_on_two_hosts_reads_the_same() {
        let unknown = |print: &str| {
            Failure::HostKey(HostKeyRefusal {
                problem: HostKeyProblem::Unknown,
                algorithm: "ssh-ed25519".to_owned(),
                fingerprint: print.to_owned(),
                location: None,
            })
        };
        let late =
            |place: &str| Failure::Timeout { doing: format!("connecting to {place}"), after: Duration::from_secs(3) };
        let gone = |place: &str| Failure::Refused {
            address: place.to_owned(),
            reason: format!("{place}: connection refused"),
        };
        let nameless = |name: &str| Failure::Dns { name: name.to_owned(), reason: "not known".to_owned() };
        for pair in [
            [unknown("SHA256:a"), unknown("SHA256:b")],
            [late("1:22"), late("2:22")],
            [gone("1:22"), gone("2:22")],
            [nameless("a"), nameless("b")],
        ] {
            let [a, b] = pair.map(|failure| words(&RemoteError::new("h (1:22)", failure)));
            assert_eq!((&a.message, &a.hint), (&b.message, &b.hint));
            assert_ne!(a.causes, b.causes, "and what differs is still told");
        }
    }

    #[test]
    fn what_was_tried_is_told_line_by_line_and_the_way_there_too() {
        let tried = vec![Attempt::new("password", "not accepted"), Attempt::new("/k", "no such file")];
        let failure = Failure::Auth { user: "ada".to_owned(), tried, closed: None };
        let jump = Failure::Jump(Arc::new(RemoteError::new("gate (9:22)", failure)));
        let said = words(&RemoteError::new("h", jump));
        assert_eq!(said.message, "jump host gate (9:22): cannot log in as `ada`");
        assert_eq!(said.causes, ["password: not accepted", "/k: no such file"]);
    }
}
