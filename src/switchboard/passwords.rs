//! The passwords that survive a restart. A change is complete once the disk has it; no runtime thread waits for that.

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

/// The file of passwords; without a data folder there is none.
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

    /// Returns the password that is kept for a phone.
    pub(super) async fn get(&self, phone: &PhoneId) -> Option<Secret<String>> {
        self.file.as_ref()?.lock().await.get(phone).cloned()
    }

    /// Keeps a phone's password.
    pub(super) async fn set(&self, phone: PhoneId, password: Secret<String>) -> Result<(), NotKept> {
        self.change(move |file| file.set(phone, password)).await
    }

    /// Forgets a phone's password.
    pub(super) async fn remove(&self, phone: PhoneId) -> Result<(), NotKept> {
        self.change(move |file| file.remove(&phone)).await
    }

    /// Finds out whether this password could be kept, by writing the file as it is where a change would write it.
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
