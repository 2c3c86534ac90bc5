//! `rectify-fleet`: a fleet of test hosts for people.
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rectify_tests::fleet::{self, Fleet};
use rectify_tests::image::Image;
use rectify_tests::proxy::{Proxy, Traffic};

const USAGE: &str = "\
usage: rectify-fleet images [debian|rpm|vm]...             build host images that are missing (default: all)
       rectify-fleet up [--debian N] [--rpm N] [--vm N]    start a fleet that stays
       rectify-fleet with [--debian N]... -- COMMAND...    run a command in a fleet's network, as its controller, then take it down
       rectify-fleet proxy ADDRESS:PORT MILLISECONDS       a line to there, from loopback, that delays each way so long: prints its address,
                                                           and for every line read what passed since the last one
       rectify-fleet list                                  the fleets that stay
       rectify-fleet down [FOLDER]                         take one down (default: all that stay)";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["images", names @ ..] => images(names),
        ["up", options @ ..] => up(options),
        ["with", rest @ ..] => with(rest),
        ["proxy", target, delay] => proxy(target, delay),
        ["list"] => {
            fleet::standing().iter().for_each(|folder| println!("{}", folder.display()));
            Ok(())
        }
        ["down"] => fleet::standing().iter().try_for_each(|folder| fleet::clear(folder)),
        ["down", folder] => fleet::clear(Path::new(folder)),
        _ => bail!("{USAGE}"),
    }
}

fn images(names: &[&str]) -> Result<()> {
    for name in names {
        if !Image::ALL.iter().any(|image| image.name() == *name) {
            bail!("there is no image {name}\n{USAGE}");
        }
    }
    for image in Image::ALL {
        if names.is_empty() || names.contains(&image.name()) {
            println!("{}", image.ensure()?.display());
        }
    }
    Ok(())
}

fn with(words: &[&str]) -> Result<()> {
    let Some(end) = words.iter().position(|word| *word == "--") else { bail!("{USAGE}") };
    let [program, args @ ..] = &words[end + 1..] else { bail!("{USAGE}") };
    let fleet = start(&words[..end])?;
    let status = fleet.controller().command(program).args(args).status().with_context(|| format!("run {program}"))?;
    drop(fleet);
    std::process::exit(status.code().unwrap_or(1))
}

fn proxy(target: &str, delay: &str) -> Result<()> {
    let delay = Duration::from_millis(delay.parse().with_context(|| format!("read milliseconds: {delay}"))?);
    let proxy = Proxy::here(target, delay)?;
    println!("{}", proxy.address());
    let mut before = proxy.traffic();
    for line in std::io::stdin().lines() {
        line.context("read standard input")?;
        let now = proxy.traffic();
        let Traffic { connections, up, down, turns } = now.since(&before);
        println!("{}", serde_json::json!({ "connections": connections, "up": up, "down": down, "turns": turns }));
        before = now;
    }
    Ok(())
}

fn start(options: &[&str]) -> Result<Fleet> {
    let mut builder = Fleet::builder();
    for pair in options.chunks(2) {
        let &[option, count] = pair else { bail!("{USAGE}") };
        let count: usize = count.parse().with_context(|| format!("read a number for {option}"))?;
        builder = match option {
            "--debian" => builder.debian(count),
            "--rpm" => builder.rpm(count),
            "--vm" => builder.vm(count),
            _ => bail!("{USAGE}"),
        };
    }
    builder.start()
}

fn up(options: &[&str]) -> Result<()> {
    let fleet = start(options)?;
    let controller = fleet.controller();
    let namespace = controller.namespace().name().to_owned();
    let (home, inventory): (PathBuf, PathBuf) = (controller.home().to_owned(), controller.inventory());
    let first = fleet.hosts().first().map(|host| (host.address(), host.port()));
    drop(controller);
    let folder = fleet.keep()?;
    println!("folder     {}", folder.display());
    println!("inventory  {}", inventory.display());
    println!("namespace  {namespace}");
    println!("home       {}", home.display());
    println!("enter      ip netns exec {namespace} env HOME={} bash", home.display());
    if let Some((address, port)) = first {
        let ssh = home.join(".ssh");
        println!(
            "ssh        ip netns exec {namespace} ssh -F none -i {0}/id_ed25519 -o UserKnownHostsFile={0}/known_hosts -p {port} root@{address}",
            ssh.display()
        );
    }
    println!("down       rectify-fleet down {}", folder.display());
    Ok(())
}
