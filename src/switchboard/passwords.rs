//! The passwords that survive a restart. A change is complete once it is on disk; no runtime thread
//! waits for that.

use std::sync::Arc;

use tokio::{
    sync::Mutex,
    task::{JoinError, spawn_blocking},
};

use crate::{
    config::{Credentials, CredentialsError},
    id::PhoneId,
    secret::Secret,
};

/// The password file; there is none without a data folder.
pub(super) struct Passwords {
    file: Option<Arc<Mutex<Credentials>>>,
}

/// A change did not reach the disk.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotKept {
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] CredentialsError),
    /// The process is about to end.
    #[error("nothing is written any more")]
    Ending(#[from] JoinError),
}

impl Passwords {
    pub(super) fn new(file: Option<Credentials>) -> Self {
        Self { file: file.map(|file| Arc::new(Mutex::new(file))) }
    }

    /// Returns the saved password of a phone.
    pub(super) async fn get(&self, phone: &PhoneId) -> Option<Secret<String>> {
        self.file.as_ref()?.lock().await.get(phone).cloned()
    }

    /// Saves a phone's password.
    pub(super) async fn set(&self, phone: PhoneId, password: Secret<String>) -> Result<(), NotKept> {
        self.change(move |file| file.set(phone, password)).await
    }

    /// Removes a phone's password.
    pub(super) async fn remove(&self, phone: PhoneId) -> Result<(), NotKept> {
        self.change(move |file| file.remove(&phone)).await
    }

    /// Checks that this password could be saved, by rewriting the file unchanged where a change
    /// would be written.
    pub(super) async fn try_out(&self, phone: PhoneId, password: Secret<String>) -> Result<(), NotKept> {
        self.change(move |file| if file.get(&phone) == Some(&password) { Ok(()) } else { file.rewrite() })
            .await
    }

    async fn change(
        &self,
        change: impl FnOnce(&mut Credentials) -> Result<(), CredentialsError> + Send + 'static,
    ) -> Result<(), NotKept> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut file = Arc::clone(file).lock_owned().await;
        Ok(spawn_blocking(move || change(&mut file)).await??)
    }
}
