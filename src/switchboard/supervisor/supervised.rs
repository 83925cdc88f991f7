//! What a supervisor must know of its children.

use std::{fmt::Display, future::Future};

use ractor::Actor;

use crate::{
    command::{Outcome, Rejection},
    event::Cause,
};

/// A kind of child: how one starts, what is said of it, and what it may leave behind.
pub(in crate::switchboard) trait Supervised: Send + Sync + Sized + 'static {
    /// The name of a child.
    type Id: Clone + Ord + Display + Send + Sync + 'static;
    /// What a child starts with.
    type Arguments: Clone + Send + Sync + 'static;
    /// What a child can be told.
    type Message: ractor::Message;
    /// What runs.
    type Actor: Actor<Arguments = Self::Arguments, Msg = Self::Message>;
    /// What may change of its arguments while it runs.
    type Change: Send + 'static;

    /// Whether one that fails is started again.
    const COMES_BACK: bool;

    /// Returns what runs.
    fn actor() -> Self::Actor;

    /// Returns what asks a child to end itself.
    fn close(hang_up: bool, cause: Cause) -> Self::Message;

    /// Takes a change into the arguments of the next life.
    fn change(arguments: &mut Self::Arguments, change: Self::Change);

    /// Makes the arguments of the life that follows a failure.
    fn next_life(
        &self,
        id: &Self::Id,
        arguments: Self::Arguments,
    ) -> impl Future<Output = Self::Arguments> + Send;

    /// Makes the arguments of a life that only ends what an earlier one left.
    fn last_life(arguments: Self::Arguments) -> Self::Arguments;

    /// Tells whether the journal knows a child, whether or not it runs.
    fn is_known(&self, id: &Self::Id) -> bool;

    /// Tells whether a child that does not run has left something that must be ended outside this process.
    fn has_left_work(&self, id: &Self::Id) -> bool;

    /// Says that a child did not come about.
    fn cannot_start(&self, id: &Self::Id, why: &str) -> Rejection;

    /// Refuses what is asked of a child that is not there.
    fn not_found(&self, id: &Self::Id) -> Rejection;

    /// Returns the answer to those who wait for a start or an end.
    fn outcome(&self) -> Outcome;

    /// A child has failed: says so, and notes what its next life must know.
    fn failed(&self, id: &Self::Id, arguments: &mut Self::Arguments, reason: &str);

    /// A child has ended, and will not come back: in order, or `failed` for that reason.
    fn over(&self, id: &Self::Id, arguments: &Self::Arguments, failed: Option<&str>);

    /// A child is about to be started again.
    fn restarted(&self, id: &Self::Id, arguments: &Self::Arguments, attempt: u32);

    /// A child that does not run is gone, unless it said so itself.
    fn dropped(&self, id: &Self::Id, cause: &Cause);

    /// Nothing of a child runs and nothing will: what is left of it ends in the journal.
    fn forgotten(&self, id: &Self::Id, cause: &Cause);
}
