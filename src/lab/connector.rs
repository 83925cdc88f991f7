//! The lab as a connector: every restart has the same address and the same users.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Lab, LabOptions, Users};
use crate::{
    config::PbxProfile,
    net::{BoxFuture, Network},
    pbx::{Connector, Link, StartFailure},
};

/// A lab that is restarted when it fails.
pub struct LabConnector {
    network: Arc<dyn Network>,
    state: Mutex<State>,
}

struct State {
    /// The options as given; from the first start on with the address and users of that start.
    options: LabOptions,
    profile: Option<PbxProfile>,
    #[cfg(test)]
    fail: Option<Arc<std::sync::atomic::AtomicBool>>,
}

impl LabConnector {
    /// Creates a connector; nothing runs yet.
    #[must_use]
    pub fn new(network: Arc<dyn Network>, options: LabOptions) -> Self {
        let state = State {
            options,
            profile: None,
            #[cfg(test)]
            fail: None,
        };
        Self { network, state: Mutex::new(state) }
    }

    /// Returns what a phone or a scenario must know to use the lab; `None` before its first start.
    #[must_use]
    pub fn profile(&self) -> Option<PbxProfile> {
        self.state().profile.clone()
    }

    /// Makes the lab's task panic at its next input.
    #[cfg(test)]
    pub(crate) fn fail(&self) {
        self.state().fail.as_ref().unwrap().store(true, std::sync::atomic::Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, options: LabOptions) -> Result<Box<dyn Link>, StartFailure> {
        let lab = Lab::start(Arc::clone(&self.network), options)?;
        let mut state = self.state();
        state.options.bind.set_port(lab.address().port());
        state.options.users = Users::Listed(lab.users().to_vec());
        state.profile = Some(lab.profile());
        #[cfg(test)]
        {
            state.fail = Some(lab.failure());
        }
        Ok(Box::new(LabLink { address: lab.address(), lab }))
    }
}

impl Connector for LabConnector {
    fn name(&self) -> &str {
        "lab"
    }

    fn system(&self) -> &str {
        "lab"
    }

    fn start(&self) -> BoxFuture<'_, Result<Box<dyn Link>, StartFailure>> {
        let options = self.state().options.clone();
        Box::pin(async move { self.begin(options) })
    }
}

struct LabLink {
    address: SocketAddr,
    lab: Lab,
}

impl Link for LabLink {
    fn address(&self) -> String {
        self.address.to_string()
    }

    fn failed(&self) -> BoxFuture<'static, String> {
        let ended = self.lab.ended();
        Box::pin(async move {
            ended.await;
            "the lab's task ended".to_owned()
        })
    }

    fn stop(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(self.lab.stop())
    }
}
