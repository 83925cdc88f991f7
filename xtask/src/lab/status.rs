//! `cargo xtask lab status`: what runs, as Asterisk itself tells it over AMI.

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
    println!("version: {}", ami.value("CoreSettings", "AsteriskVersion")?);
    match chroot::running(&place)? {
        Some(pid) => println!("runs as: process {pid} in a chroot"),
        None => println!("runs as: container or foreign process"),
    }
    println!("sip: 127.0.0.1:{} udp+tcp", place.ports.sip);
    println!("ami: 127.0.0.1:{}   ari: 127.0.0.1:{}", place.ports.ami, place.ports.ari);
    for endpoint in ami.list("PJSIPShowEndpoints", "EndpointList")? {
        println!(
            "endpoint {}: {}, contacts: {}",
            endpoint.get("ObjectName"),
            endpoint.get("DeviceState").to_lowercase(),
            endpoint.get("Contacts")
        );
    }
    let channels = ami.list("CoreShowChannels", "CoreShowChannel")?;
    println!("channels: {}", channels.len());
    for channel in channels {
        println!(
            "  {} {} {} {}",
            channel.get("Channel"),
            channel.get("ChannelStateDesc"),
            channel.get("Exten"),
            channel.get("Duration")
        );
    }
    Ok(())
}
