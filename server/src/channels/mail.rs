//! Mail by SMTP (RFC 5321), as text and HTML (RFC 2046), threaded (RFC 5322) and with a List-Id (RFC 2919).

use std::{fmt, path::PathBuf, time::Duration};

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    address::Envelope,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use serde::Deserialize;

use super::{ChannelError, Message as Sent, secret::secret, why};

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// In the clear at first, then TLS; refused if the server cannot.
    #[default]
    Starttls,
    /// TLS from the start.
    Tls,
    /// In the clear: for a relay on this machine.
    None,
}

/// `[mail]` in `rectify.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailSettings {
    /// Whom the mail is from: `Name <address>`.
    pub from: String,
    /// The server: `host` or `host:port`.
    pub server: String,
    /// How the connection is protected.
    #[serde(default)]
    pub security: Security,
    /// The account at the server.
    pub user: Option<String>,
    /// A file with its password, readable by its owner only.
    pub password_file: Option<PathBuf>,
    /// A file with the certificate (PEM) that the server's is checked with, besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// The List-Id, by which people sort their mail; the sender's domain with `rollouts.` or `drift.` before it unless set.
    pub list_id: Option<String>,
    /// Seconds that the server may take for a message: 30 unless set.
    pub timeout: Option<u64>,
}

/// The way to a mail server.
pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    reply_to: Option<Mailbox>,
    list_id: Option<String>,
    patience: Duration,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("from", &self.from).field("list_id", &self.list_id).finish_non_exhaustive()
    }
}

impl Mail {
    /// Sets up the way; nothing is contacted yet.
    ///
    /// # Errors
    /// Addresses that are none, files that cannot be read, a password that everybody may read, a certificate that is none.
    pub fn new(settings: &MailSettings) -> Result<Self, ChannelError> {
        let from = mailbox("from", &settings.from)?;
        let (host, port) = split(&settings.server)?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host);
        let parameters = || parameters(host, settings);
        let (tls, usual) = match settings.security {
            Security::Starttls => (Tls::Required(parameters()?), 587),
            Security::Tls => (Tls::Wrapper(parameters()?), 465),
            Security::None => (Tls::None, 25),
        };
        builder = builder.tls(tls).port(port.unwrap_or(usual));
        let patience = Duration::from_secs(settings.timeout.unwrap_or(30));
        builder = builder.timeout(Some(patience));
        if let Some(user) = &settings.user {
            if settings.security == Security::None && !is_here(host) {
                return Err(ChannelError::Settings(
                    "[mail] a password never goes over the net in the clear: set `security`".into(),
                ));
            }
            builder = builder.credentials(Credentials::new(user.clone(), password(settings)?));
        }
        let reply_to = settings.reply_to.as_deref().map(|text| mailbox("reply_to", text)).transpose()?;
        let list_id = settings.list_id.clone();
        Ok(Mail { transport: builder.build(), from, reply_to, list_id, patience })
    }

    /// The domain of the sender.
    pub fn domain(&self) -> &str {
        self.from.email.domain()
    }

    /// The longest that the server may take for a message.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Hands a message for one address to the server; all who are named in it get the same message.
    ///
    /// # Errors
    /// What the server or the line said, in one line.
    pub async fn send(&self, message: &Sent, to: &str) -> Result<(), ChannelError> {
        let written = self.message(message, to)?;
        // The library's own limit is one for connecting; a server that goes silent later would be waited for without end.
        let sent = tokio::time::timeout(self.patience, self.transport.send(written)).await;
        let patience = self.patience.as_secs();
        let sent =
            sent.map_err(|_| ChannelError::Unreached(format!("the mail server took longer than {patience} s")))?;
        match sent {
            Ok(_) => Ok(()),
            Err(e) if e.is_permanent() => Err(ChannelError::Refused(why(&e))),
            Err(e) => Err(ChannelError::Unreached(why(&e))),
        }
    }

    fn message(&self, sent: &Sent, to: &str) -> Result<Message, ChannelError> {
        let wrong = |e: &dyn fmt::Display| ChannelError::Refused(format!("the message cannot be written: {e}"));
        let recipient: Address = to.parse().map_err(|e| wrong(&e))?;
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(sent.letter.subject.clone())
            .message_id(Some(format!("<{}>", sent.id)))
            .date_now();
        for address in sent.addresses.iter().filter_map(|uri| uri.strip_prefix("mailto:")) {
            builder = builder.to(Mailbox::new(Some(sent.name.clone()), address.parse().map_err(|e| wrong(&e))?));
        }
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        if let Some(first) = &sent.follows {
            builder = builder.in_reply_to(format!("<{first}>")).references(format!("<{first}>"));
        }
        let header = |name: &'static str, value: String| HeaderValue::new(HeaderName::new_from_ascii_str(name), value);
        let list = self.list_id.clone().unwrap_or_else(|| format!("{}.{}", sent.list, self.domain()));
        builder = builder
            .raw_header(header("List-Id", format!("<{list}>")))
            .raw_header(header("Auto-Submitted", "auto-generated".into()));
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![recipient]).map_err(|e| wrong(&e))?;
        let parts = MultiPart::alternative_plain_html(sent.letter.text.clone(), sent.letter.html.clone());
        builder.envelope(envelope).multipart(parts).map_err(|e| wrong(&e))
    }
}

fn mailbox(key: &str, text: &str) -> Result<Mailbox, ChannelError> {
    text.parse().map_err(|e| ChannelError::Settings(format!("[mail] {key} = {text:?} is no address: {e}")))
}

fn split(server: &str) -> Result<(&str, Option<u16>), ChannelError> {
    match server.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => {
            let port = port
                .parse()
                .map_err(|_| ChannelError::Settings(format!("[mail] server = {server:?}: {port:?} is no port")))?;
            Ok((host, Some(port)))
        }
        _ => Ok((server, None)),
    }
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn parameters(host: &str, settings: &MailSettings) -> Result<TlsParameters, ChannelError> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = &settings.ca_file {
        let file = |source| ChannelError::File { doing: "reading", path: path.clone(), source };
        let pem = std::fs::read(path).map_err(file)?;
        let wrong = |e: &dyn fmt::Display| ChannelError::Settings(format!("[mail] ca_file: {}: {e}", path.display()));
        // The library takes a file without any for one with none.
        if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
            return Err(wrong(&"it holds no certificate in PEM"));
        }
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(|e| wrong(&e))?);
    }
    builder.build().map_err(|e| ChannelError::Settings(format!("[mail] TLS: {e}")))
}

fn password(settings: &MailSettings) -> Result<String, ChannelError> {
    let Some(path) = &settings.password_file else {
        return Err(ChannelError::Settings("[mail] `user` needs `password_file`".into()));
    };
    secret("[mail] password_file", path)
}
