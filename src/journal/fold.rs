//! What a view is to the journal.

use crate::event::Envelope;

/// Something that is made of events alone.
///
/// An attached fold runs inside `append`, under the journal's lock: it must be quick and must not touch the journal.
pub trait Fold: Send {
    /// Takes one more event; never fails, never acts.
    fn apply(&mut self, envelope: &Envelope);
}

impl<F: Fold + ?Sized> Fold for Box<F> {
    fn apply(&mut self, envelope: &Envelope) {
        (**self).apply(envelope);
    }
}
