//! The lab as a container of `docker-compose.yml`.

use super::place::Place;
use crate::shell;
use anyhow::Result;
use std::process::Command;

const IMAGE: &str = "offhook-lab-asterisk:22";
const SERVICE: &str = "asterisk";

/// A Docker engine that answers, and its Compose program.
#[derive(Clone)]
pub(crate) struct Compose {
    words: Vec<&'static str>,
}

impl Compose {
    /// Finds engine and Compose, in its plugin or its older stand-alone form.
    pub(crate) fn find() -> Option<Self> {
        if !shell::installed("docker") || !shell::succeeds("docker", &["version"]) {
            return None;
        }
        if shell::succeeds("docker", &["compose", "version"]) {
            return Some(Self { words: vec!["docker", "compose"] });
        }
        shell::succeeds("docker-compose", &["version"]).then(|| Self { words: vec!["docker-compose"] })
    }

    /// Tells whether the image is there.
    pub(crate) fn has_image(&self) -> bool {
        shell::succeeds("docker", &["image", "inspect", IMAGE])
    }

    /// Builds the image; false when that is not possible, for instance because no registry can be reached.
    pub(crate) fn build(&self) -> bool {
        eprintln!("xtask: building the image {IMAGE}");
        match self.command(&["build", SERVICE]).and_then(|mut command| shell::quietly(&mut command)) {
            Ok(_) => true,
            Err(error) => {
                let text = format!("{error:#}");
                eprintln!("xtask: no image: {}", text.lines().last().unwrap_or_default().trim());
                false
            }
        }
    }

    /// Tells whether the container of this place runs.
    pub(crate) fn running(&self, place: &Place) -> bool {
        let arguments = ["ps", "-q", "--filter", "status=running", "--filter"];
        let mut command = Command::new("docker");
        command.args(arguments).arg(format!("label=offhook.lab.sip-port={}", place.ports.sip));
        shell::quietly(&mut command).is_ok_and(|ids| !ids.trim().is_empty())
    }

    /// Starts the container in the background.
    ///
    /// # Errors
    /// When Compose fails.
    pub(crate) fn start(&self, place: &Place) -> Result<()> {
        shell::quietly(self.of(place, &["up", "-d", SERVICE])?.envs(place.ports.variables()))?;
        Ok(())
    }

    /// Stops and removes the container.
    ///
    /// # Errors
    /// When Compose fails.
    pub(crate) fn stop(&self, place: &Place) -> Result<()> {
        shell::quietly(self.of(place, &["rm", "-s", "-f", SERVICE])?.envs(place.ports.variables()))?;
        Ok(())
    }

    /// One Compose project for each place, so that labs on different ports are different
    /// containers.
    fn of(&self, place: &Place, arguments: &[&str]) -> Result<Command> {
        let project = format!("offhook-lab-{}", place.ports.sip);
        let mut words = vec!["-p", project.as_str()];
        words.extend(arguments);
        self.command(&words)
    }

    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut words = self.words.iter();
        let mut command = Command::new(words.next().copied().unwrap_or("docker"));
        command.args(words).args(arguments).current_dir(shell::repository()?);
        Ok(command)
    }
}
