//! Why a look at a host, or a change of it, did not work out.

use serde::{Deserialize, Serialize};

use crate::plan::TaskId;

/// The earlier tasks whose effects are not known; sorted, without repetition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Because(Vec<TaskId>);

impl Because {
    /// One task.
    pub fn task(task: TaskId) -> Self {
        Because(vec![task])
    }

    /// These tasks.
    pub fn tasks(tasks: impl IntoIterator<Item = TaskId>) -> Self {
        let mut tasks: Vec<TaskId> = tasks.into_iter().collect();
        crate::small::sort(&mut tasks);
        tasks.dedup();
        Because(tasks)
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Because) -> Self {
        Because::tasks(self.0.into_iter().chain(other.0))
    }

    /// The tasks.
    pub fn as_slice(&self) -> &[TaskId] {
        &self.0
    }

    /// Whether no task is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The result of looking at, or changing, a host.
pub type HostResult<T> = Result<T, HostError>;

/// What a host answers instead of a value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HostError {
    /// A rehearsal cannot know: an earlier task may have changed it. Never an invented value.
    #[error("not known in a check, because of an earlier task")]
    Unknown(Because),
    /// A rehearsal does not do this, and its effects have been noted as unknown (a command).
    #[error("not run in a check")]
    NotRehearsed,
    /// The operating system refused.
    #[error("{action} {object}: {message}")]
    Io {
        /// What was tried, as a participle: `reading`, `replacing`.
        action: String,
        /// To what: a path, a unit, a key.
        object: String,
        /// The system's own words.
        message: String,
        /// `errno`, where there is one.
        errno: Option<i32>,
    },
    /// Something is longer than a module can take.
    #[error("{object} is {size} bytes, over the limit of {limit}")]
    TooLarge {
        /// What.
        object: String,
        /// Its size in bytes, or at least that much.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A program that belongs to the host's own machinery (apt-get, systemctl) failed.
    #[error("{program} ended with {status}: {stderr}")]
    Program {
        /// What was run, as a person would write it.
        program: String,
        /// `exit 100`, `signal 9`.
        status: String,
        /// The end of what it said, sanitized and bounded.
        stderr: String,
    },
    /// This host cannot do that at all; the text says why and what would be needed.
    #[error("{0}")]
    Unsupported(String),
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl HostError {
    /// An [`HostError::Io`] from the standard library's error.
    pub fn io(action: &str, object: impl Into<String>, error: &std::io::Error) -> Self {
        HostError::Io {
            action: action.into(),
            object: object.into(),
            message: error.to_string(),
            errno: error.raw_os_error(),
        }
    }
}

/// Why a module could not do its part.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ModuleError {
    /// The host's answer.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The arguments make no sense together, or not on this host.
    #[error("{0}")]
    Invalid(String),
    /// It was tried and did not work. The message says what was done, to what, and why it failed.
    #[error("{message}")]
    Failed {
        /// For a person, one line.
        message: String,
        /// What else the registered result carries (`rc`, `stderr` …).
        data: serde_json::Map<String, serde_json::Value>,
    },
}

impl ModuleError {
    /// A [`ModuleError::Failed`] without further data.
    pub fn failed(message: impl Into<String>) -> Self {
        ModuleError::Failed { message: message.into(), data: serde_json::Map::new() }
    }

    /// The tasks whose unknown effects are the reason, if that is what it is.
    pub fn because(&self) -> Option<&Because> {
        match self {
            ModuleError::Host(HostError::Unknown(because)) => Some(because),
            _ => None,
        }
    }
}
