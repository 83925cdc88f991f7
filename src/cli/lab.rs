//! `offhook lab`: runs the embedded lab PBX until Ctrl-C.

use std::{
    fs::File,
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use super::{Exit, Output, output::harmless, reasons};
use crate::{
    config::PbxProfile,
    lab::{DigestChoice, LabOptions, Passwords, Told, Users},
    node::{Node, NodeOptions, asked_to_end},
    private,
    wall::Wall,
};

/// Lines that may wait to be shown; more are left out.
const TOLD: usize = 1_000;

/// Arguments of `offhook lab`.
#[derive(Debug, Args)]
pub(crate) struct LabArgs {
    /// Where to listen, UDP and TCP.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:5060")]
    bind: SocketAddr,
    /// Users from a YAML file with a list `accounts` of `username`, `password` and, if wanted, `display`.
    #[arg(long, value_name = "FILE", conflicts_with = "generate")]
    users: Option<PathBuf>,
    /// How many users to make, from 6001 on.
    #[arg(long, value_name = "N", default_value_t = 10)]
    generate: usize,
    /// Passwords of made users; `lab` is `secret6001` and so on. Without it: `lab` on loopback, else `random`.
    #[arg(long, value_enum)]
    passwords: Option<PasswordsArg>,
    /// Digest algorithms that are offered; some phones give up when one is there that they do not know.
    #[arg(long, value_enum, default_value_t = DigestArg::Md5)]
    digest: DigestArg,
    /// Digest realm.
    #[arg(long, default_value = "offhook-lab")]
    realm: String,
    /// Lets anybody call; registration needs a password all the same.
    #[arg(long)]
    open_calls: bool,
    /// Folder whose file lab.log keeps what is told, for its owner alone.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PasswordsArg {
    Lab,
    Random,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DigestArg {
    Both,
    Md5,
    Sha256,
}

impl LabArgs {
    fn options(self) -> LabOptions {
        let passwords = match self.passwords {
            Some(PasswordsArg::Lab) => Passwords::Lab,
            Some(PasswordsArg::Random) => Passwords::Random,
            // A password that stands in the documentation is for a machine that nobody else reaches.
            None if self.bind.ip().is_loopback() => Passwords::Lab,
            None => Passwords::Random,
        };
        LabOptions {
            bind: self.bind,
            users: match self.users {
                Some(path) => Users::File(path),
                None => Users::Generated { count: self.generate, passwords },
            },
            realm: self.realm,
            digest: match self.digest {
                DigestArg::Both => DigestChoice::Both,
                DigestArg::Md5 => DigestChoice::Md5,
                DigestArg::Sha256 => DigestChoice::Sha256,
            },
            authenticate_calls: !self.open_calls,
            ..LabOptions::default()
        }
    }
}

/// Executes the verb.
pub(crate) async fn run(args: LabArgs, output: &mut Output) -> io::Result<Exit> {
    // Listened for from now on: nobody who has seen the card may find the program deaf.
    let asked = asked_to_end()?;
    let log = match args.data.as_deref().map(open_log).transpose() {
        Ok(log) => log,
        Err(error) => {
            output.remark(format_args!("offhook lab: {error}"))?;
            return Ok(Exit::NotReady);
        }
    };
    let (told, heard) = mpsc::channel(TOLD);
    let lab = LabOptions { told: Some(told), ..args.options() };
    let options = NodeOptions { lab: Some(lab), media_workers: 1, ..NodeOptions::system() };
    let node = match Node::start(options).await {
        Ok(node) => node,
        Err(error) => {
            output.remark(format_args!("offhook lab: {}", reasons(&error)))?;
            return Ok(Exit::NotReady);
        }
    };
    if let Some(profile) = node.profile() {
        output.text(card(profile))?;
    }
    output.flush()?;
    // On a thread of its own: a reader that has stopped reading must not keep the lab from ending, nor may a closed pipe or a
    // full disk end it.
    let apart = Output::apart()?;
    tokio::task::spawn_blocking(move || tell(heard, log, apart));
    asked.cancelled().await;
    output.remark("stopping")?;
    if let Err(error) = node.stop().await {
        output.remark(format_args!("offhook lab: {}", reasons(&error)))?;
        return Ok(Exit::NotReady);
    }
    Ok(Exit::Passed)
}

fn open_log(folder: &Path) -> io::Result<File> {
    let named =
        |path: &Path, error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    private::create_folder(folder).map_err(|error| named(folder, error))?;
    let path = folder.join("lab.log");
    private::open_to_append(&path).map_err(|error| named(&path, error))
}

/// Writes a line about everything that happens, where it stays and where a person sees it; one goes on without the other.
fn tell(mut heard: mpsc::Receiver<Told>, log: Option<File>, output: Output) {
    let (mut log, mut output) = (log, Some(output));
    while let Some(told) = heard.blocking_recv() {
        let at = Wall::system().now().to_zoned(TimeZone::system());
        let line = format!("{} {}", at.strftime("%Y-%m-%d %H:%M:%S%.3f"), harmless(&told.to_string()));
        log.take_if(|log| is_over(writeln!(log, "{line}"), "lab.log"));
        output.take_if(|output| is_over(output.line(&line).and_then(|()| output.flush()), "standard output"));
        if log.is_none() && output.is_none() {
            return;
        }
    }
}

/// Tells whether nothing more can be written there, and says so.
fn is_over(written: io::Result<()>, place: &str) -> bool {
    if let Err(error) = &written {
        tracing::warn!(%error, place, "what happens at the lab is not told any more");
    }
    written.is_err()
}

/// Returns what a person needs to know to use the lab: the one place where passwords are shown.
fn card(profile: &PbxProfile) -> String {
    let mut lines =
        vec![format!("lab PBX     {} (udp, tcp)", profile.domain), "users       password".to_owned()];
    lines.extend(
        profile.accounts.iter().map(|user| format!("  {:<10}{}", user.username, user.password.reveal())),
    );
    lines.push("numbers".to_owned());
    let mut numbers: Vec<_> = profile.numbers.iter().map(|(name, number)| (number, name)).collect();
    numbers.sort_unstable();
    lines.extend(numbers.iter().map(|(number, name)| format!("  {number:<10}{}", name.replace('_', " "))));
    lines.push("Ctrl-C stops\n".to_owned());
    lines.join("\n")
}
