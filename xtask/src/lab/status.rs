//! `cargo xtask lab status`: what runs, as Asterisk itself reports it over AMI.

use super::ami::Ami;
use super::chroot;
use super::place::Place;
use anyhow::{Result, bail};

/// Prints version, endpoints and channels; an error when the lab does not answer.
pub(crate) fn status() -> Result<()> {
    let place = Place::from_environment()?;
    let mut ami = match Ami::login(place.ports.ami) {
        Ok(ami) => ami,
        Err(error) => bail!("lab Asterisk is down: {error:#}"),
    };
    // One write at the end, so that a reader that stops early, such as `head`, causes no failure.
    print!("{}", report(&place, &mut ami)?);
    Ok(())
}

fn report(place: &Place, ami: &mut Ami) -> Result<String> {
    let ports = place.ports;
    let mut lines = vec![format!("version: {}", ami.value("CoreSettings", "AsteriskVersion")?)];
    lines.push(match chroot::running(place)? {
        Some(pid) => format!("runs as: process {pid} in a chroot"),
        None => "runs as: container, or process of another user".to_owned(),
    });
    lines.push(format!("sip: 127.0.0.1:{} udp+tcp", ports.sip));
    lines.push(format!("ami: 127.0.0.1:{}   ari: 127.0.0.1:{}", ports.ami, ports.ari));
    for endpoint in ami.list("PJSIPShowEndpoints", "EndpointList")? {
        let state = endpoint.get("DeviceState").to_lowercase();
        lines.push(format!(
            "endpoint {}: {state}, contacts: {}",
            endpoint.get("ObjectName"),
            endpoint.get("Contacts")
        ));
    }
    let channels = ami.list("CoreShowChannels", "CoreShowChannel")?;
    lines.push(format!("channels: {}", channels.len()));
    for channel in channels {
        let columns = ["Channel", "ChannelStateDesc", "Exten", "Duration"].map(|name| channel.get(name));
        lines.push(format!("  {}", columns.join(" ")));
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}
