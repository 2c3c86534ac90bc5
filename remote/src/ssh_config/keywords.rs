//! Every keyword of `ssh_config(5)`, and what becomes of it here.

use super::error::Effect;

/// What becomes of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Support {
    /// It is honoured.
    Full,
    /// It cannot matter to a tool that opens one session for itself.
    Harmless,
    /// It matters and is not honoured, unless it has one of these values.
    Missing(Effect, &'static [&'static str]),
    /// No OpenSSH that we know of has it.
    Unknown,
}

const OFF: &[&str] = &["no", "false", "none"];

/// Options that are honoured, in lower case.
pub(super) const FULL: &[&str] = &[
    "addressfamily",
    "batchmode",
    "bindaddress",
    "certificatefile",
    "checkhostip",
    "compression",
    "connecttimeout",
    "globalknownhostsfile",
    "hashknownhosts",
    "hostkeyalgorithms",
    "hostkeyalias",
    "hostname",
    "identitiesonly",
    "identityagent",
    "identityfile",
    "ignoreunknown",
    "kbdinteractiveauthentication",
    "passwordauthentication",
    "port",
    "preferredauthentications",
    "proxycommand",
    "proxyjump",
    "pubkeyauthentication",
    "serveralivecountmax",
    "serveraliveinterval",
    "stricthostkeychecking",
    "user",
    "userknownhostsfile",
];

/// Forwarding, multiplexing, terminals, logging, tuning, and what OpenSSH itself ignores by now.
const HARMLESS: &[&str] = &[
    "addkeystoagent",
    "afstokenpassing",
    "canonicaldomains",
    "canonicalizefallbacklocal",
    "canonicalizemaxdots",
    "canonicalizepermittedcnames",
    "channeltimeout",
    "cipher",
    "clearallforwardings",
    "compressionlevel",
    "connectionattempts",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "dynamicforward",
    "enableescapecommandline",
    "enablesshkeysign",
    "escapechar",
    "exitonforwardfailure",
    "fallbacktorsh",
    "fingerprinthash",
    "forkafterauthentication",
    "forwardagent",
    "forwardx11",
    "forwardx11timeout",
    "forwardx11trusted",
    "gatewayports",
    "globalknownhostsfile2",
    "gssapiclientidentity",
    "gssapidelegatecredentials",
    "gssapikexalgorithms",
    "gssapikeyexchange",
    "gssapirenewalforcesrekey",
    "gssapiserveridentity",
    "gssapitrustdns",
    "hostbasedacceptedalgorithms",
    "hostbasedkeytypes",
    "ipqos",
    "kbdinteractivedevices",
    "keepalive",
    "localcommand",
    "localforward",
    "loglevel",
    "logverbose",
    "numberofpasswordprompts",
    "obscurekeystroketiming",
    "permitremoteopen",
    "protocol",
    "rekeylimit",
    "remotecommand",
    "remoteforward",
    "requesttty",
    "rhostsauthentication",
    "rhostsrsaauthentication",
    "rsaauthentication",
    "sendenv",
    "sessiontype",
    "setenv",
    "stdinnull",
    "streamlocalbindmask",
    "streamlocalbindunlink",
    "syslogfacility",
    "tag",
    "tcpkeepalive",
    "tunnel",
    "tunneldevice",
    "updatehostkeys",
    "useprivilegedport",
    "userknownhostsfile2",
    "useroaming",
    "usersh",
    "versionaddendum",
    "visualhostkey",
    "warnweakcrypto",
    "xauthlocation",
];

/// Options that matter and are not honoured: effect, and the values with which they do not matter.
const MISSING: &[(&str, Effect, &[&str])] = &[
    ("bindinterface", Effect::Destination, &["none"]),
    ("canonicalizehostname", Effect::Destination, OFF),
    ("proxyusefdpass", Effect::Destination, OFF),
    ("refuseconnection", Effect::Destination, &["none"]),
    ("casignaturealgorithms", Effect::Trust, &[]),
    ("knownhostscommand", Effect::Trust, &["none"]),
    ("nohostauthenticationforlocalhost", Effect::Trust, OFF),
    ("requiredrsasize", Effect::Trust, &["1024"]),
    ("revokedhostkeys", Effect::Trust, &["none"]),
    ("verifyhostkeydns", Effect::Trust, OFF),
    ("gssapiauthentication", Effect::Authentication, OFF),
    ("hostbasedauthentication", Effect::Authentication, OFF),
    ("pkcs11provider", Effect::Authentication, &["none"]),
    ("pubkeyacceptedalgorithms", Effect::Authentication, &[]),
    ("securitykeyprovider", Effect::Authentication, &["internal"]),
    ("ciphers", Effect::Other, &[]),
    ("kexalgorithms", Effect::Other, &[]),
    ("macs", Effect::Other, &[]),
    ("permitlocalcommand", Effect::Other, OFF),
];

/// Other names of options.
const ALIASES: &[(&str, &str)] = &[
    ("challengeresponseauthentication", "kbdinteractiveauthentication"),
    ("dsaauthentication", "pubkeyauthentication"),
    ("identityfile2", "identityfile"),
    ("pubkeyacceptedkeytypes", "pubkeyacceptedalgorithms"),
    ("skeyauthentication", "kbdinteractiveauthentication"),
    ("smartcarddevice", "pkcs11provider"),
    ("tisauthentication", "kbdinteractiveauthentication"),
];

/// The name in lower case, without aliases.
pub(super) fn canonical(keyword: &str) -> String {
    let lower = keyword.to_ascii_lowercase();
    match ALIASES.iter().find(|(alias, _)| *alias == lower) {
        Some((_, name)) => (*name).to_owned(),
        None => lower,
    }
}

/// What becomes of the keyword, which is [`canonical`].
pub(super) fn support(keyword: &str) -> Support {
    if FULL.contains(&keyword) {
        return Support::Full;
    }
    if HARMLESS.contains(&keyword) {
        return Support::Harmless;
    }
    match MISSING.iter().find(|(name, ..)| *name == keyword) {
        Some((_, effect, off)) => Support::Missing(*effect, off),
        None => Support::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_has_one_fate() {
        let missing = MISSING.iter().map(|(name, ..)| name);
        let mut all: Vec<_> =
            FULL.iter().chain(HARMLESS).chain(missing).chain(ALIASES.iter().map(|(alias, _)| alias)).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(all.iter().all(|name| **name == name.to_ascii_lowercase()));
    }
}
