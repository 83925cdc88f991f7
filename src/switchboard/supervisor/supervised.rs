//! What a supervisor must know about its children.

use std::{fmt::Display, future::Future};

use ractor::Actor;

use crate::{
    command::{Outcome, Rejection},
    event::Cause,
};

/// A kind of child: how it starts, what is journaled about it, and what it may leave behind.
pub(in crate::switchboard) trait Supervised: Send + Sync + Sized + 'static {
    /// The name of a child.
    type Id: Clone + Ord + Display + Send + Sync + 'static;
    /// What a child starts with.
    type Arguments: Clone + Send + Sync + 'static;
    /// The messages of a child.
    type Message: ractor::Message;
    /// The child's actor.
    type Actor: Actor<Arguments = Self::Arguments, Msg = Self::Message>;
    /// What may change in its arguments while it runs.
    type Change: Send + 'static;

    /// Whether a failed child is restarted.
    const COMES_BACK: bool;

    /// Creates the actor.
    fn actor() -> Self::Actor;

    /// Returns the message that asks a child to end.
    fn close(hang_up: bool, cause: Cause) -> Self::Message;

    /// Applies a change to the arguments of the next life.
    fn change(arguments: &mut Self::Arguments, change: Self::Change);

    /// Builds the arguments of the life that follows a failure.
    fn next_life(
        &self,
        id: &Self::Id,
        arguments: Self::Arguments,
    ) -> impl Future<Output = Self::Arguments> + Send;

    /// Builds the arguments of a life that only ends what an earlier one left.
    fn last_life(arguments: Self::Arguments) -> Self::Arguments;

    /// Returns whether the journal knows a child, running or not.
    fn is_known(&self, id: &Self::Id) -> bool;

    /// Returns whether a child that is not running has left something that must be ended outside
    /// this process.
    fn has_left_work(&self, id: &Self::Id) -> bool;

    /// The rejection when a child cannot be started.
    fn cannot_start(&self, id: &Self::Id, why: &str) -> Rejection;

    /// The rejection when a child does not exist.
    fn not_found(&self, id: &Self::Id) -> Rejection;

    /// Returns the reply to those who wait for a start or an end.
    fn outcome(&self) -> Outcome;

    /// Called when a child has failed: journals that, and notes what its next life must know.
    fn failed(&self, id: &Self::Id, arguments: &mut Self::Arguments, reason: &str);

    /// Called when a child has ended for good: in an orderly way, or because it `failed` for this
    /// reason.
    fn over(&self, id: &Self::Id, arguments: &Self::Arguments, failed: Option<&str>);

    /// Called when a child is about to be restarted.
    fn restarted(&self, id: &Self::Id, arguments: &Self::Arguments, attempt: u32);

    /// Called when a child that is not running was dropped, and so could not journal that itself.
    fn dropped(&self, id: &Self::Id, cause: &Cause);

    /// Called when nothing of a child runs and nothing will: ends in the journal what is left of
    /// it.
    fn forgotten(&self, id: &Self::Id, cause: &Cause);
}
