//! Contact: a list of addresses, or the star of an unregistration.
//!
//! RFC 3261 §20.10, §10.2.2.

use super::{HeaderFault, NameAddr};

/// The contacts of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// `*`: every binding of the address of record.
    Star,
    /// The contacts in order; empty if the message has none.
    List(Vec<NameAddr>),
}

impl Contacts {
    /// Reads the values of all Contact headers.
    ///
    /// # Errors
    /// If one cannot be read, or a star is not alone.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a str>) -> Result<Self, HeaderFault> {
        let mut list = Vec::new();
        let mut star = false;
        for value in values {
            if value == "*" {
                star = true;
            } else {
                list.push(value.parse()?);
            }
        }
        match (star, list.is_empty()) {
            (true, true) => Ok(Self::Star),
            (true, false) => Err(HeaderFault::Star),
            (false, _) => Ok(Self::List(list)),
        }
    }

    /// Returns the contacts; none for the star.
    #[must_use]
    pub fn list(&self) -> &[NameAddr] {
        match self {
            Self::Star => &[],
            Self::List(list) => list,
        }
    }

    /// Returns the first contact.
    #[must_use]
    pub fn first(&self) -> Option<&NameAddr> {
        self.list().first()
    }

    /// Returns whether this is the star.
    #[must_use]
    pub fn is_star(&self) -> bool {
        matches!(self, Self::Star)
    }
}
