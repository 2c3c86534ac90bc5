//! `rectify announce`: owners read what will change on their hosts, as a check of these hosts sees it now.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    path::Path,
    sync::Arc,
};

use rectify_core::{
    plan::Mode,
    rollout::{Assume, Evidence, News, Newsroom, Person, Purpose, Seen, Setting, Stage, StepName, owners},
    text::chain,
};
use rectify_server::{
    announce::{Attempt, Post, motd, site::Site},
    channels::Channels,
    templates::Templates,
};

use super::rollout::Office;
use crate::{
    args::{Announce as Args, Common},
    config::Config,
    display::{
        Options, Output,
        text::{count, line, names},
    },
    exit::{self, Expected},
    rollouts::{Standing, evidence},
    run::{Execution, Reach, passwords, screen},
    theme::{Meaning, Theme},
};

/// The days before a step on which owners are reminded, unless the project says otherwise.
const REMINDERS: [u16; 2] = [7, 1];

/// Makes the messages and sends or shows them.
///
/// # Errors
/// What is wrong with the input, or with the program. What could not be delivered is in the exit code.
pub(crate) fn run(args: &Args, common: &Common) -> anyhow::Result<u8> {
    let config = Config::load()?;
    let office = Office::open(&args.scope, Some(&args.connection), common)?;
    if office.desk.assume != Assume::default() && !args.preview {
        return Err(
            Expected::usage("--as-of and --stage show what would be announced then: use them with --preview").into()
        );
    }
    let templates = Templates::load(config.announce.templates.as_deref()).map_err(|e| Expected::usage(chain(&e)))?;
    let channels = Channels::new(config.mail.as_ref(), config.hook.as_ref(), Box::new(std::io::stdout()));
    let channels = channels.map_err(|e| Expected::usage(chain(&e)))?;
    let people = office.desk.people(&office.project, office.compiled.iter().map(|c| c.plan.host.as_str()))?;
    let wanted = wanted(args, &config, &office)?;
    if wanted.is_empty() {
        writeln!(std::io::stdout(), "nothing is due")?;
        return Ok(exit::OK);
    }
    let (office, seen) = look(args, common, office, &wanted)?;
    let room = Newsroom {
        view: office.desk.view(&office.project.0.inventory),
        subjects: &office.standing.subjects,
        seen: &seen,
        evidence: &office.evidence,
        people: &people,
        domain: channels.domain(),
    };
    let mut all: Vec<News> = Vec::new();
    for (purpose, steps) in &wanted {
        let steps: Vec<(&Setting, StepName)> = steps.iter().map(|(s, step)| (s, *step)).collect();
        all.extend(room.messages(*purpose, &steps));
    }
    let problems = problems(&room, &wanted, &all);
    for problem in &problems {
        writeln!(std::io::stderr(), "{} {problem}", office.theme.paint(Meaning::Finding, "problem:"))?;
    }
    if args.preview {
        preview(&all, &templates, office.theme)?;
        return Ok(if problems.is_empty() { exit::OK } else { exit::PENDING });
    }
    let post = Post { channels: &channels, templates: &templates, store: &office.desk.store };
    let mut journal = office.desk.journal.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let attempts = runtime.block_on(post.deliver(&mut journal, &all, office.desk.now));
    let attempts = attempts.map_err(|e| Expected::failed(chain(&e)))?;
    if let Some(folder) = args.site.as_deref().or(config.announce.site.as_deref()) {
        publish(folder, &config, &office, &journal, &people, &templates)?;
    }
    if let Some(folder) = &args.motd {
        of_the_day(folder, &office, &room, &wanted, &templates)?;
    }
    report(&attempts, office.theme, problems.is_empty())
}

/// An [`Office`] after its check.
struct Looked {
    project: Arc<(crate::project::Project, Reach)>,
    desk: crate::rollouts::Desk,
    evidence: Evidence,
    standing: Standing,
    theme: Theme,
}

/// The messages to make: their purpose, and the settings with the steps that they are about.
type Wanted = Vec<(Purpose, Vec<(Setting, StepName)>)>;

fn wanted(args: &Args, config: &Config, office: &Office) -> Result<Wanted, Expected> {
    let view = office.desk.view(&office.project.inventory);
    if args.due {
        let reminders = config.announce.reminders.as_deref().unwrap_or(&REMINDERS);
        let due = view.due(&office.standing.subjects, &office.evidence, reminders);
        let named = |(id, step): (String, StepName)| Some((office.desk.rollouts.settings.get(&id)?.clone(), step));
        let due = due.into_iter().map(|(purpose, steps)| (purpose, steps.into_iter().filter_map(named).collect()));
        return Ok(due.collect());
    }
    let chosen: Vec<&Setting> = match args.settings.as_slice() {
        [] => office.desk.rollouts.settings.values().collect(),
        ids => ids.iter().map(|id| office.desk.setting(id)).collect::<Result<_, _>>()?,
    };
    let mut steps = Vec::new();
    for setting in chosen {
        let reached = view.reached(setting);
        let ahead = setting.steps[reached..].iter();
        // What has been forced is announced first; then the next step on which something happens to hosts.
        let next = match forced(office, setting) {
            Some(to) => setting.steps.iter().find(|s| s.name == to),
            None => ahead.skip(1).find(|s| s.name.stage >= Stage::OptOut),
        };
        if let Some(step) = next.filter(|s| args.until.is_none_or(|day| s.date <= day)) {
            steps.push((setting.clone(), step.name));
        }
    }
    if steps.is_empty() {
        return Err(Expected::usage("no setting has a step to announce"));
    }
    Ok(vec![(Purpose::Announcement, steps)])
}

/// The step to which the last advance was forced, until every owner was told of that.
fn forced(office: &Office, setting: &Setting) -> Option<StepName> {
    let journal = &office.desk.journal;
    let (advance, to, _) = journal.forced_advance(setting)?;
    let hosts = office.subjects(setting).keys();
    let mut owners = hosts.flat_map(|host| owners(&office.project.inventory, host));
    owners.any(|(owner, _)| !journal.heard_of(advance, &owner)).then_some(to)
}

/// Checks the hosts that have tasks of the settings, and keeps what was seen.
fn look(args: &Args, common: &Common, office: Office, wanted: &Wanted) -> anyhow::Result<(Looked, Seen)> {
    let Office { project, desk, mut evidence, standing, compiled, theme, .. } = office;
    let settings: Vec<&Setting> = wanted.iter().flat_map(|(_, steps)| steps.iter().map(|(s, _)| s)).collect();
    let affected = |host: &str| {
        settings.iter().any(|s| standing.subjects.get(&s.id).is_some_and(|hosts| hosts.contains_key(host)))
    };
    let compiled: Vec<_> = compiled.into_iter().filter(|c| affected(&c.plan.host)).collect();
    if compiled.is_empty() {
        return Err(Expected::usage("no host has tasks of these settings").into());
    }
    let screen = screen(true);
    let reach = Reach::new(args.connection.clone(), passwords(&args.connection)?, &project, screen.clone())?;
    let locked = reach.locked(&project.inventory, compiled.iter().map(|c| c.plan.host.as_str()));
    if locked.has_errors() {
        return Err(project.expected(&locked).into());
    }
    let display = Options {
        output: Output::Nothing,
        verbose: 0,
        diff: false,
        screen,
        width: crate::width(),
        inventory: args.scope.hosts.sources.chosen(),
        again: args.scope.again(),
        stdout: theme,
        stderr: crate::theme(common, false),
    };
    let run = Execution {
        mode: Mode::Check,
        forks: args.connection.forks,
        names: vec!["rectify announce".into()],
        display,
        keep: None,
    };
    let shared = Arc::new((project, reach));
    let (_, gather) = run.execute(&shared, compiled)?;
    let lost = gather.unreachable();
    if !lost.is_empty() {
        let lost: Vec<String> = lost.into_iter().map(str::to_owned).collect();
        return Err(Expected {
            message: format!("what changes is not known for {}: nothing was announced", names(&lost, 10)),
            code: exit::UNREACHABLE,
        }
        .into());
    }
    if let Err(problem) = evidence::keep(&desk, &standing, &gather) {
        writeln!(std::io::stderr(), "warning: {problem}")?;
    }
    if desk.assume == Assume::default() {
        evidence = desk.evidence()?;
    }
    Ok((Looked { project: shared, desk, evidence, standing, theme }, gather.seen()))
}

/// Hosts without an owner, and owners without an address: nobody is told of these.
fn problems(room: &Newsroom<'_>, wanted: &Wanted, all: &[News]) -> Vec<String> {
    let mut problems = Vec::new();
    for (setting, _) in wanted.iter().flat_map(|(_, steps)| steps) {
        let hosts = room.without_owner(setting);
        if !hosts.is_empty() {
            problems.push(format!(
                "nobody is told of {} on {}: no `owner` in the inventory",
                setting.id,
                names(&hosts, 10)
            ));
        }
    }
    let unreachable = all.iter().filter(|n| n.to.is_empty());
    problems.extend(unreachable.map(|n| format!("{} has no address in `contacts`", line(&n.owner))));
    problems.sort();
    problems.dedup();
    problems
}

fn preview(all: &[News], templates: &Templates, theme: Theme) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for news in all {
        let letter = templates.letter(news).map_err(|e| Expected::usage(chain(&e)))?;
        let to: Vec<&str> = news.to.iter().map(|uri| uri.strip_prefix("mailto:").unwrap_or(uri)).collect();
        writeln!(out, "{} {} <{}>", theme.paint(Meaning::Heading, "To:"), line(&news.owner), line(&to.join(", ")))?;
        writeln!(out, "{} {}\n", theme.paint(Meaning::Heading, "Subject:"), line(&letter.subject))?;
        for text in letter.text.lines() {
            writeln!(out, "{}", line(text))?;
        }
        writeln!(out, "{}", theme.paint(Meaning::Quiet, "─".repeat(72)))?;
    }
    writeln!(out, "{}. This was a preview: nothing was sent.", count(all.len(), "message"))?;
    Ok(())
}

fn publish(
    folder: &Path,
    config: &Config,
    office: &Looked,
    journal: &rectify_core::rollout::Journal,
    people: &BTreeMap<String, Person>,
    templates: &Templates,
) -> anyhow::Result<()> {
    let url = config.announce.url.as_deref().unwrap_or("https://rectify.invalid").trim_end_matches('/');
    let site = Site { rollouts: &office.desk.rollouts, journal, people, templates, url, now: office.desk.now };
    let files = site.write(folder).map_err(|e| Expected::failed(chain(&e)))?;
    writeln!(std::io::stdout(), "{} in {}", count(files, "page"), folder.display())?;
    Ok(())
}

/// Writes what those who log in to a host are told; nothing for hosts on which nothing changes, so that what is over goes.
fn of_the_day(
    folder: &Path,
    office: &Looked,
    room: &Newsroom<'_>,
    wanted: &Wanted,
    templates: &Templates,
) -> anyhow::Result<()> {
    let hosts: BTreeSet<&String> = office.standing.subjects.values().flat_map(BTreeMap::keys).collect();
    let mut texts = BTreeMap::new();
    for host in hosts {
        let mut news = Vec::new();
        for (purpose, steps) in wanted.iter().filter(|(purpose, _)| *purpose != Purpose::Summary) {
            let steps: Vec<(&Setting, StepName)> = steps.iter().map(|(s, step)| (s, *step)).collect();
            news.extend(room.on_host(*purpose, host, &steps));
        }
        let text = templates.motd(host, &news).map_err(|e| Expected::usage(chain(&e)))?;
        texts.insert(host.clone(), text);
    }
    let files = motd::write(folder, &texts).map_err(|e| Expected::failed(chain(&e)))?;
    writeln!(std::io::stdout(), "{} of the day in {}", count(files, "message"), folder.display())?;
    Ok(())
}

fn report(attempts: &[Attempt], theme: Theme, whole: bool) -> anyhow::Result<u8> {
    let mut out = std::io::stdout().lock();
    for attempt in attempts {
        let to = attempt.to.strip_prefix("mailto:").unwrap_or(&attempt.to);
        let (meaning, word) = match (&attempt.failed, attempt.before) {
            (Some(_), _) => (Meaning::Failed, "failed"),
            (None, true) => (Meaning::Quiet, "delivered before"),
            (None, false) => (Meaning::Ok, "delivered"),
        };
        let why = attempt.failed.as_ref().map(|why| format!(": {}", line(why))).unwrap_or_default();
        writeln!(out, "{} {} <{}>{why}", theme.paint(meaning, word), line(&attempt.owner), line(to))?;
    }
    let failed = attempts.iter().filter(|a| a.failed.is_some()).count();
    let sent = attempts.iter().filter(|a| a.failed.is_none() && !a.before).count();
    writeln!(out, "{} sent, {failed} failed", count(sent, "message"))?;
    Ok(match (failed, whole) {
        (0, true) => exit::OK,
        (0, false) => exit::PENDING,
        _ => exit::FAILED,
    })
}
