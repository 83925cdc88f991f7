//! The lab Asterisk: `cargo xtask lab up|down|status`.
//!
//! A container where a Docker engine answers and has or can build the image, otherwise a folder of Debian packages
//! run with `chroot`. Both use the configuration of `docker/asterisk/` and the same loopback ports.

mod ami;
mod chroot;
mod compose;
mod packages;
mod place;
mod ready;
mod status;

use anyhow::{Result, bail};
use compose::Compose;
pub(crate) use place::Place;
pub(crate) use status::status;
use std::time::Instant;

/// How the lab Asterisk is run.
enum Backend<'a> {
    Compose(&'a Compose),
    Chroot,
}

/// Says what is missing where no lab can be run, and what can be done instead.
const NO_WAY: &str = "the lab Asterisk needs root on a Debian system, or a Docker engine that can build its image; \
                      this machine has neither. Everything but the interop tests runs with: cargo xtask test --no-interop";

/// Starts the lab unless it answers already, and waits until it is ready.
pub(crate) fn up() -> Result<()> {
    let place = Place::from_environment()?;
    let begun = Instant::now();
    let started = ensure(&place)?;
    let verb = if started { "started" } else { "is already up" };
    println!(
        "lab Asterisk {verb} ({:.1} s): sip 127.0.0.1:{} udp+tcp, ami {}, ari {}, rtp {}-{}",
        begun.elapsed().as_secs_f32(),
        place.ports.sip,
        place.ports.ami,
        place.ports.ari,
        place.ports.rtp_start,
        place.ports.rtp_end
    );
    Ok(())
}

/// Makes sure that a ready lab with the current configuration runs at `place`; true when it had to
/// be started.
///
/// # Errors
/// When no backend is usable here, or Asterisk does not become ready.
pub(crate) fn ensure(place: &Place) -> Result<bool> {
    let _lock = place.lock()?;
    let compose = Compose::find();
    if chroot::running(place)?.is_some() || compose.as_ref().is_some_and(|compose| compose.running(place)) {
        if ready::now(&place.ports) && place.configuration_is_current()? {
            return Ok(false);
        }
        stop(place, compose.as_ref())?;
    } else if ready::now(&place.ports) {
        // Started by another user, root for instance; it takes our credentials, so it is a lab of ours.
        eprintln!("xtask: using the lab Asterisk that runs already");
        return Ok(false);
    } else if ready::taken(&place.ports) {
        bail!(
            "another program listens on the lab's ports (sip {}, ami {}); stop it or set {}=1..9 for other ports",
            place.ports.sip,
            place.ports.ami,
            place::SLOT
        );
    }
    match choose(place, compose.as_ref())? {
        Backend::Compose(compose) => compose.start(place)?,
        Backend::Chroot => chroot::start(place)?,
    }
    place.remember_configuration()?;
    ready::wait(place, || chroot::log_tail(place))?;
    Ok(true)
}

/// Stops the lab; nothing happens when there is none.
pub(crate) fn down() -> Result<()> {
    let place = Place::from_environment()?;
    let was_up = end(&place)?;
    println!("lab Asterisk {}", if was_up { "stopped" } else { "was not running" });
    Ok(())
}

/// Stops the lab silently; true when there was one.
///
/// # Errors
/// When it runs and cannot be stopped.
pub(crate) fn end(place: &Place) -> Result<bool> {
    let _lock = place.lock()?;
    stop(place, Compose::find().as_ref())
}

fn stop(place: &Place, compose: Option<&Compose>) -> Result<bool> {
    let mut was_up = chroot::stop(place)?;
    if let Some(compose) = compose.filter(|compose| compose.running(place)) {
        compose.stop(place)?;
        was_up = true;
    }
    Ok(was_up)
}

/// Picks the backend; `OFFHOOK_LAB=chroot|docker` decides where both would do.
fn choose<'a>(place: &Place, compose: Option<&'a Compose>) -> Result<Backend<'a>> {
    let wish = std::env::var("OFFHOOK_LAB").unwrap_or_default();
    let (docker, chroot) = match wish.as_str() {
        "" => (true, true),
        "docker" => (true, false),
        "chroot" => (false, true),
        other => bail!("OFFHOOK_LAB is `{other}`; it may be `docker` or `chroot`"),
    };
    let chroot = chroot && packages::possible(place);
    if let Some(compose) = compose.filter(|_| docker) {
        // Unpacked packages show that the image could not be had in an earlier run; do not try each time.
        let settled = chroot && packages::unpacked(place);
        if compose.has_image() || (!settled && compose.build()) {
            return Ok(Backend::Compose(compose));
        }
    }
    if chroot { Ok(Backend::Chroot) } else { bail!("{NO_WAY}") }
}
