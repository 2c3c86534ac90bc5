//! sudo, doas and su, the real ones, in a mount namespace with accounts of its own.

use std::{fs, sync::Arc};

use rectify_remote::{
    BecomeProblem, Failure, RemoteError, Secret, exchange,
    helper::{Become, Method},
    session::Target,
};

use crate::harness::{Setup, Sshd, TrustAll, connector, key, mode, run, start, tool};

const BEFORE: &str = "mount --bind $DIR/passwd /etc/passwd; mount --bind $DIR/shadow /etc/shadow; \
    mount --bind $DIR/group /etc/group; mount --bind $DIR/sudoers /etc/sudoers; \
    touch $DIR/empty; for f in /etc/sudoers.d/*; do if [ -f $f ]; then mount --bind $DIR/empty $f; fi; done; \
    if [ -e /etc/doas.conf ]; then mount --bind $DIR/doas.conf /etc/doas.conf; \
    else mkdir -p $DIR/up $DIR/over; cp $DIR/doas.conf $DIR/up/doas.conf; \
    mount -t tmpfs none $DIR/over; mkdir $DIR/over/u $DIR/over/w; cp $DIR/doas.conf $DIR/over/u/; chmod 600 $DIR/over/u/doas.conf; \
    mount -t overlay -o lowerdir=/etc,upperdir=$DIR/over/u,workdir=$DIR/over/w none /etc; \
    mount --bind $DIR/passwd /etc/passwd; mount --bind $DIR/shadow /etc/shadow; mount --bind $DIR/group /etc/group; \
    mount --bind $DIR/sudoers /etc/sudoers; fi; ";

/// A server where joe, whose password is `joe's`, is an account; root's password is `root's`.
fn machine(sudoers: &str, doas: &str) -> Sshd {
    for (program, package) in [("sudo", "sudo"), ("doas", "opendoas"), ("su", "util-linux"), ("unshare", "util-linux")]
    {
        tool(program, package);
    }
    let sshd = Sshd::with(Setup { config: "PasswordAuthentication yes", before: BEFORE });
    let hash = |password: &str| run("openssl", "openssl", &["passwd", "-6", password]).trim().to_owned();
    let home = sshd.at("home");
    std::os::unix::fs::chown(&home, Some(4242), Some(4242)).unwrap();
    let lines = |text: &str| {
        text.lines()
            .filter(|l| !l.starts_with("root:") && !l.starts_with("joe:"))
            .map(|l| format!("{l}\n"))
            .collect::<String>()
    };
    let passwd = format!("root:x:0:0:root:/root:/bin/bash\njoe:x:4242:4242:joe:{}:/bin/sh\n", home.display());
    fs::write(sshd.at("passwd"), passwd + &lines(&fs::read_to_string("/etc/passwd").unwrap())).unwrap();
    let shadow = format!("root:{}:19000:0:99999:7:::\njoe:{}:19000:0:99999:7:::\n", hash("root's"), hash("joe's"));
    fs::write(sshd.at("shadow"), shadow + &lines(&fs::read_to_string("/etc/shadow").unwrap())).unwrap();
    fs::write(
        sshd.at("group"),
        "root:x:0:\njoe:x:4242:\n".to_owned() + &lines(&fs::read_to_string("/etc/group").unwrap()),
    )
    .unwrap();
    fs::write(sshd.at("sudoers"), format!("Defaults !fqdn\nroot ALL=(ALL) ALL\n{sudoers}\n")).unwrap();
    fs::write(sshd.at("doas.conf"), format!("{doas}\n")).unwrap();
    mode(&sshd.at("shadow"), 0o600);
    mode(&sshd.at("sudoers"), 0o440);
    mode(&sshd.at("doas.conf"), 0o600);
    sshd
}

fn joe(sshd: &Sshd) -> Target {
    let mut target = Target::new("127.0.0.1", sshd.port, "joe", Arc::new(TrustAll));
    target.password = Some(Secret::new("joe's"));
    target
}

/// Who the helper runs as, after two exchanges (one that sends the helper, one that finds it).
async fn who(sshd: &Sshd, method: Method, password: Option<&str>) -> Result<String, RemoteError> {
    let mut who = String::new();
    for _ in 0..2 {
        let session = connector().connect(&joe(sshd)).await?;
        let mut start = start(&sshd.at("bin"));
        start.r#become = Some(Become {
            method,
            user: "root".to_owned(),
            program: None,
            password: password.map(Secret::new),
            flags: Vec::new(),
        });
        let mut exchange = exchange::over(session, &start).await?;
        who = String::from_utf8(exchange.receiver.receive().await?.unwrap().to_vec()).unwrap();
        assert_eq!(exchange.receiver.receive().await?.unwrap(), "the plan");
        // All bytes pass, also those that a terminal would act upon.
        let bytes: Vec<u8> = (0..=255_u8).cycle().take(70_000).collect();
        exchange.sender.send(bytes.clone()).await?;
        assert_eq!(exchange.receiver.receive().await?.unwrap(), bytes);
    }
    Ok(who)
}

fn problem(error: RemoteError) -> BecomeProblem {
    assert!(!error.to_string().contains("joe's") && !error.to_string().contains("root's"), "{error}");
    match error.failure {
        Failure::Become { problem, .. } => problem,
        _ => panic!("{error}"),
    }
}

#[tokio::test]
async fn sudo_with_and_without_a_password() {
    let sshd = machine("joe ALL=(ALL) ALL", "");
    assert_eq!(who(&sshd, Method::Sudo, Some("joe's")).await.unwrap(), "root");
    assert_eq!(problem(who(&sshd, Method::Sudo, None).await.unwrap_err()), BecomeProblem::PasswordRequired);
    assert_eq!(problem(who(&sshd, Method::Sudo, Some("wrong")).await.unwrap_err()), BecomeProblem::WrongPassword);
    let sshd = machine("joe ALL=(ALL) NOPASSWD: ALL", "");
    assert_eq!(who(&sshd, Method::Sudo, None).await.unwrap(), "root");
    assert_eq!(who(&sshd, Method::Sudo, Some("not needed")).await.unwrap(), "root");
}

#[tokio::test]
async fn sudo_that_prompts_in_its_own_words_uses_a_terminal_of_its_own_insists_on_one_or_refuses() {
    let sshd = machine("Defaults !passprompt_override, use_pty\njoe ALL=(ALL) ALL", "");
    assert_eq!(who(&sshd, Method::Sudo, Some("joe's")).await.unwrap(), "root");
    let sshd = machine("Defaults requiretty\njoe ALL=(ALL) NOPASSWD: ALL", "");
    assert_eq!(problem(who(&sshd, Method::Sudo, None).await.unwrap_err()), BecomeProblem::RequireTty);
    let sshd = machine("", "");
    let refused = problem(who(&sshd, Method::Sudo, Some("joe's")).await.unwrap_err());
    assert!(matches!(refused, BecomeProblem::NotPermitted(_)), "{refused:?}");
}

#[tokio::test]
async fn doas_with_and_without_a_password() {
    let sshd = machine("", "permit joe");
    assert_eq!(who(&sshd, Method::Doas, Some("joe's")).await.unwrap(), "root");
    assert_eq!(problem(who(&sshd, Method::Doas, None).await.unwrap_err()), BecomeProblem::PasswordRequired);
    assert_eq!(problem(who(&sshd, Method::Doas, Some("wrong")).await.unwrap_err()), BecomeProblem::WrongPassword);
    let sshd = machine("", "permit nopass joe");
    assert_eq!(who(&sshd, Method::Doas, None).await.unwrap(), "root");
    let sshd = machine("", "permit nobody");
    assert!(matches!(problem(who(&sshd, Method::Doas, None).await.unwrap_err()), BecomeProblem::NotPermitted(_)));
}

#[tokio::test]
async fn su_with_the_right_the_wrong_and_no_password() {
    let sshd = machine("", "");
    assert_eq!(who(&sshd, Method::Su, Some("root's")).await.unwrap(), "root");
    assert_eq!(problem(who(&sshd, Method::Su, Some("wrong")).await.unwrap_err()), BecomeProblem::WrongPassword);
    assert_eq!(problem(who(&sshd, Method::Su, None).await.unwrap_err()), BecomeProblem::PasswordRequired);
}

#[tokio::test]
async fn the_password_is_nowhere_on_the_host_while_the_helper_runs() {
    let sshd = machine("joe ALL=(ALL) ALL", "");
    let session = connector().connect(&joe(&sshd)).await.unwrap();
    let mut start = start(&sshd.at("bin"));
    start.r#become = Some(Become {
        method: Method::Sudo,
        user: "root".to_owned(),
        program: None,
        password: Some(Secret::new("joe's")),
        flags: Vec::new(),
    });
    let mut exchange = exchange::over(session, &start).await.unwrap();
    exchange.receiver.receive().await.unwrap().unwrap();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        // This process itself has it, of course.
        if process.file_name().to_string_lossy().parse::<u32>().is_ok_and(|pid| pid != std::process::id()) {
            for file in ["cmdline", "environ"] {
                let bytes = fs::read(process.path().join(file)).unwrap_or_default();
                assert!(!String::from_utf8_lossy(&bytes).contains("joe's"), "{:?} {file}", process.path());
            }
        }
    }
}

#[tokio::test]
async fn an_ssh_password_gets_in_and_a_wrong_one_is_told() {
    let sshd = machine("", "");
    connector().connect(&joe(&sshd)).await.unwrap();
    let key_file = sshd.at("unwanted");
    key(&key_file, &["-t", "ed25519"]);
    let wrong = Target {
        password: Some(Secret::new("wr0ng!")),
        identities: vec![crate::harness::identity(&key_file)],
        ..joe(&sshd)
    };
    let error = connector().connect(&wrong).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("unwanted: not accepted") && text.contains("password: not accepted"), "{text}");
    assert!(!text.contains("wr0ng!"));
}
