//! What the server is told from outside: to end, and to read its files anew.

use rectify_server::{
    notify::Teller,
    schedule::{Reload, Say},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::{beside, in_force, read};
use crate::{args::Serve, exit::Expected, run::Halt};

/// Who is told.
pub(super) struct Signals {
    pub(super) halt: watch::Sender<Halt>,
    pub(super) end: watch::Sender<bool>,
    pub(super) args: Serve,
    pub(super) reload: Reload,
    pub(super) teller: Teller,
    pub(super) say: Say,
}

impl Signals {
    /// Listens from here on, for as long as the program runs.
    ///
    /// # Errors
    /// If there are no signals.
    pub(super) fn listen(self) -> std::io::Result<()> {
        let mut pressed = signal(SignalKind::interrupt())?;
        let mut ended = signal(SignalKind::terminate())?;
        let mut hung = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    Some(()) = pressed.recv() => self.end(),
                    Some(()) = ended.recv() => self.end(),
                    Some(()) = hung.recv() => self.again().await,
                }
            }
        });
        Ok(())
    }

    /// The first time, nothing new begins; the second time, what runs is ended too.
    fn end(&self) {
        if self.end.send_replace(true) {
            (self.say)("running commands are ended");
            self.halt.send_replace(Halt::Now);
        } else {
            (self.say)("told to end: nothing new begins; a second signal ends what runs");
            self.halt.send_replace(Halt::NoMore);
        }
    }

    /// Reads the files anew. What is wrong leaves everything as it was.
    async fn again(&self) {
        let args = self.args.clone();
        let read = tokio::task::spawn_blocking(move || {
            let (config, schedules) = read::schedules()?;
            let office = beside::office(&args, &config)?;
            Ok::<_, Expected>((schedules, office))
        });
        match read.await {
            Ok(Ok((schedules, office))) => {
                let read = in_force(&schedules);
                self.reload.replace(schedules).await;
                self.teller.replace(office);
                (self.say)(&format!("read anew: {read}"));
            }
            Ok(Err(wrong)) => self.wrong(&wrong.message).await,
            Err(panic) => self.wrong(&format!("a defect of this program: {panic}")).await,
        }
    }

    async fn wrong(&self, what: &str) {
        let subject = "the schedules could not be read anew: those before stay in force";
        (self.say)(&format!("{subject}\n{what}"));
        // Told once for the same mistake.
        let key = format!("reload {what}");
        if let Err(e) = self.teller.alarm(&key, subject, what).await {
            (self.say)(&format!("warning: operators were not told: {e}"));
        }
    }
}
