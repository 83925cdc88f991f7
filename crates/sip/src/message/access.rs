//! Typed access to the headers of a [`Message`].
//!
//! Headers that every message must have give `Result<T>`, all others `Result<Option<T>>`; lists are empty
//! when absent. RFC 3261 §8.1.1 names the mandatory ones.

use std::borrow::Cow;
use std::str::FromStr;

use super::header::{
    AuthParams, CSeq, Contacts, Event, HeaderError, HeaderFault, HeaderName, MediaType, MinSe, NameAddr,
    RAck, Reason, Replaces, RetryAfter, SessionExpires, SubscriptionState, Timestamp, Via, bounded_number,
};
use super::method::Method;
use super::scan;
use super::wire::Message;

type Typed<T> = Result<T, HeaderError>;

/// Finds a part of a header's value.
fn within<'a>(value: Cow<'a, str>, part: impl Fn(&str) -> Option<&str>) -> Option<Cow<'a, str>> {
    match value {
        Cow::Borrowed(text) => part(text).map(Cow::Borrowed),
        Cow::Owned(text) => part(&text).map(|part| Cow::Owned(part.to_owned())),
    }
}

/// Finds the value of a parameter in `;name=value;…`; an empty one counts as none.
fn parameter<'a>(params: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = scan::semicolons(params)
        .map(|member| scan::split_once(member, b'=').unwrap_or((member, "")))
        .find(|(known, _)| scan::trim(known).eq_ignore_ascii_case(name))?;
    Some(scan::trim(value)).filter(|value| !value.is_empty())
}

/// Finds the branch of a Via.
fn branch(via: &str) -> Option<&str> {
    parameter(via.get(scan::find(via, b';')?..)?, "branch")
}

/// Finds the tag of an address: what follows a URI without brackets belongs to the header (RFC 3261 §20).
fn tag(address: &str) -> Option<&str> {
    let params = match scan::find_outside(address, false, b'<') {
        Some(open) => address.get(open + scan::find(address.get(open..)?, b'>')? + 1..)?,
        None => address.get(scan::find(address, b';')?..)?,
    };
    parameter(params, "tag")
}

impl Message {
    fn optional<T>(
        &self,
        name: HeaderName,
        read: impl Fn(&str) -> Result<T, HeaderFault>,
    ) -> Typed<Option<T>> {
        match self.first(&name) {
            None => Ok(None),
            Some(value) => read(&value).map(Some).map_err(|cause| HeaderError::new(name, cause)),
        }
    }

    /// Reads the first value of `name`; `None` if there is no such header.
    ///
    /// # Errors
    /// If the value cannot be read as `T`.
    pub fn typed<T: FromStr<Err = HeaderFault>>(&self, name: HeaderName) -> Typed<Option<T>> {
        self.optional(name, str::parse)
    }

    fn mandatory<T: FromStr<Err = HeaderFault>>(&self, name: HeaderName) -> Typed<T> {
        match self.first(&name) {
            None => Err(HeaderError::new(name, HeaderFault::Missing)),
            Some(value) => value.parse().map_err(|cause| HeaderError::new(name, cause)),
        }
    }

    /// Reads every value of `name`, lists split.
    ///
    /// # Errors
    /// If one of the values cannot be read as `T`.
    pub fn typed_list<T: FromStr<Err = HeaderFault>>(&self, name: HeaderName) -> Typed<Vec<T>> {
        let values = self.values(name.clone());
        let read = values.iter().map(|value| value.parse());
        read.collect::<Result<_, _>>().map_err(|cause| HeaderError::new(name, cause))
    }

    fn tokens(&self, name: HeaderName) -> Vec<String> {
        self.values(name).into_iter().map(Cow::into_owned).collect()
    }

    fn methods(&self, name: HeaderName) -> Vec<Method> {
        self.values(name).iter().map(|value| Method::from_text(value)).collect()
    }

    /// Returns the topmost Via.
    ///
    /// # Errors
    /// If it is missing or cannot be read.
    pub fn top_via(&self) -> Typed<Via> {
        let fault = |cause| HeaderError::new(HeaderName::Via, cause);
        let value = self.first(&HeaderName::Via).ok_or_else(|| fault(HeaderFault::Missing))?;
        let first = scan::commas(&value).next().unwrap_or("");
        first.parse().map_err(fault)
    }

    /// Returns every Via, topmost first.
    ///
    /// # Errors
    /// If there is none or one cannot be read.
    pub fn vias(&self) -> Typed<Vec<Via>> {
        let vias: Vec<Via> = self.typed_list(HeaderName::Via)?;
        if vias.is_empty() { Err(HeaderError::new(HeaderName::Via, HeaderFault::Missing)) } else { Ok(vias) }
    }

    /// Returns From.
    ///
    /// # Errors
    /// If it is missing or cannot be read.
    pub fn from(&self) -> Typed<NameAddr> {
        self.mandatory(HeaderName::From)
    }

    /// Returns To.
    ///
    /// # Errors
    /// If it is missing or cannot be read.
    pub fn to(&self) -> Typed<NameAddr> {
        self.mandatory(HeaderName::To)
    }

    /// Returns the branch of the topmost Via without reading the rest of it.
    #[must_use]
    pub fn branch(&self) -> Option<Cow<'_, str>> {
        within(self.first(&HeaderName::Via)?, |value| branch(scan::commas(value).next()?))
    }

    /// Returns the branch of the only Via; `None` if there are several.
    pub(crate) fn only_branch(&self) -> Option<Cow<'_, str>> {
        let mut vias = self.values(HeaderName::Via);
        let via = vias.pop().filter(|_| vias.is_empty())?;
        within(via, branch)
    }

    /// Returns the branch of every Via that has one, topmost first.
    pub(crate) fn branches(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.values(HeaderName::Via).into_iter().filter_map(|value| within(value, branch))
    }

    /// Returns the tag of From without reading the address.
    #[must_use]
    pub fn from_tag(&self) -> Option<Cow<'_, str>> {
        within(self.first(&HeaderName::From)?, tag)
    }

    /// Returns the tag of To without reading the address.
    #[must_use]
    pub fn to_tag(&self) -> Option<Cow<'_, str>> {
        within(self.first(&HeaderName::To)?, tag)
    }

    /// Returns the Call-ID, which is compared byte by byte (RFC 3261 §20.8).
    ///
    /// # Errors
    /// If it is missing, empty or has white space inside.
    pub fn call_id(&self) -> Typed<String> {
        let name = HeaderName::CallId;
        let value = self.header(name.clone());
        let value = value.ok_or_else(|| HeaderError::new(name.clone(), HeaderFault::Missing))?;
        if value.is_empty() {
            return Err(HeaderError::new(name, HeaderFault::Empty));
        }
        if value.bytes().any(scan::is_space) {
            return Err(HeaderError::new(name, HeaderFault::Syntax));
        }
        Ok(value.into_owned())
    }

    /// Returns CSeq.
    ///
    /// # Errors
    /// If it is missing or cannot be read.
    pub fn cseq(&self) -> Typed<CSeq> {
        self.mandatory(HeaderName::CSeq)
    }

    /// Returns the contacts; an empty list if there are none.
    ///
    /// # Errors
    /// If one cannot be read or a star is not alone.
    pub fn contacts(&self) -> Typed<Contacts> {
        let values = self.values(HeaderName::Contact);
        Contacts::parse(values.iter().map(|value| &**value))
            .map_err(|cause| HeaderError::new(HeaderName::Contact, cause))
    }

    /// Returns the route set to visit.
    ///
    /// # Errors
    /// If a value cannot be read.
    pub fn routes(&self) -> Typed<Vec<NameAddr>> {
        self.typed_list(HeaderName::Route)
    }

    /// Returns the proxies that stay in the dialog, topmost first.
    ///
    /// # Errors
    /// If a value cannot be read.
    pub fn record_routes(&self) -> Typed<Vec<NameAddr>> {
        self.typed_list(HeaderName::RecordRoute)
    }

    /// Returns Path (RFC 3327).
    ///
    /// # Errors
    /// If a value cannot be read.
    pub fn path(&self) -> Typed<Vec<NameAddr>> {
        self.typed_list(HeaderName::Path)
    }

    /// Returns Service-Route (RFC 3608).
    ///
    /// # Errors
    /// If a value cannot be read.
    pub fn service_route(&self) -> Typed<Vec<NameAddr>> {
        self.typed_list(HeaderName::ServiceRoute)
    }

    /// Returns P-Asserted-Identity (RFC 3325).
    ///
    /// # Errors
    /// If a value cannot be read.
    pub fn p_asserted_identity(&self) -> Typed<Vec<NameAddr>> {
        self.typed_list(HeaderName::PAssertedIdentity)
    }

    /// Returns Diversion (RFC 5806).
    ///
    /// # Errors
    /// If a value cannot be read.
    pub fn diversion(&self) -> Typed<Vec<NameAddr>> {
        self.typed_list(HeaderName::Diversion)
    }

    /// Returns Max-Forwards.
    ///
    /// # Errors
    /// If it is not a number up to 255.
    pub fn max_forwards(&self) -> Typed<Option<u8>> {
        self.optional(HeaderName::MaxForwards, bounded_number)
    }

    /// Returns Expires in seconds.
    ///
    /// # Errors
    /// If it is not a number below 2^32.
    pub fn expires(&self) -> Typed<Option<u32>> {
        self.optional(HeaderName::Expires, bounded_number)
    }

    /// Returns Min-Expires in seconds.
    ///
    /// # Errors
    /// If it is not a number below 2^32.
    pub fn min_expires(&self) -> Typed<Option<u32>> {
        self.optional(HeaderName::MinExpires, bounded_number)
    }

    /// Returns Content-Length as it stands; [`Message::body`] applies it.
    ///
    /// # Errors
    /// If it is not a number below 2^32.
    pub fn content_length(&self) -> Typed<Option<u32>> {
        self.optional(HeaderName::ContentLength, bounded_number)
    }

    /// Returns Content-Type.
    ///
    /// # Errors
    /// If it is not a media type.
    pub fn content_type(&self) -> Typed<Option<MediaType>> {
        self.typed(HeaderName::ContentType)
    }

    /// Returns every challenge in WWW-Authenticate or Proxy-Authenticate.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn challenges(&self, name: HeaderName) -> Typed<Vec<AuthParams>> {
        let mut all = Vec::new();
        for value in self.values(name.clone()) {
            let some =
                AuthParams::parse_all(&value).map_err(|cause| HeaderError::new(name.clone(), cause))?;
            all.extend(some);
        }
        Ok(all)
    }

    /// Returns the credentials in Authorization.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn authorization(&self) -> Typed<Vec<AuthParams>> {
        self.challenges(HeaderName::Authorization)
    }

    /// Returns the credentials in Proxy-Authorization.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn proxy_authorization(&self) -> Typed<Vec<AuthParams>> {
        self.challenges(HeaderName::ProxyAuthorization)
    }

    /// Returns the parameters of Authentication-Info.
    #[must_use]
    pub fn authentication_info(&self) -> Option<AuthParams> {
        self.header(HeaderName::AuthenticationInfo).map(|value| AuthParams::parse_info(&value))
    }

    /// Returns the option tags in Supported.
    #[must_use]
    pub fn supported(&self) -> Vec<String> {
        self.tokens(HeaderName::Supported)
    }

    /// Returns the option tags in Require.
    #[must_use]
    pub fn require(&self) -> Vec<String> {
        self.tokens(HeaderName::Require)
    }

    /// Returns the option tags in Proxy-Require.
    #[must_use]
    pub fn proxy_require(&self) -> Vec<String> {
        self.tokens(HeaderName::ProxyRequire)
    }

    /// Returns the option tags in Unsupported.
    #[must_use]
    pub fn unsupported(&self) -> Vec<String> {
        self.tokens(HeaderName::Unsupported)
    }

    /// Returns whether an option tag stands in Supported or Require.
    #[must_use]
    pub fn supports(&self, option: &str) -> bool {
        self.supported().iter().chain(&self.require()).any(|tag| tag.eq_ignore_ascii_case(option))
    }

    /// Returns the methods in Allow.
    #[must_use]
    pub fn allow(&self) -> Vec<Method> {
        self.methods(HeaderName::Allow)
    }

    /// Returns the event packages in Allow-Events.
    #[must_use]
    pub fn allow_events(&self) -> Vec<String> {
        self.tokens(HeaderName::AllowEvents)
    }

    /// Returns Refer-To (RFC 3515).
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn refer_to(&self) -> Typed<Option<NameAddr>> {
        self.typed(HeaderName::ReferTo)
    }

    /// Returns Referred-By (RFC 3892).
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn referred_by(&self) -> Typed<Option<NameAddr>> {
        self.typed(HeaderName::ReferredBy)
    }

    /// Returns Replaces (RFC 3891).
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn replaces(&self) -> Typed<Option<Replaces>> {
        self.typed(HeaderName::Replaces)
    }

    /// Returns Event (RFC 6665).
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn event(&self) -> Typed<Option<Event>> {
        self.typed(HeaderName::Event)
    }

    /// Returns Subscription-State (RFC 6665).
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn subscription_state(&self) -> Typed<Option<SubscriptionState>> {
        self.typed(HeaderName::SubscriptionState)
    }

    /// Returns Session-Expires (RFC 4028).
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn session_expires(&self) -> Typed<Option<SessionExpires>> {
        self.typed(HeaderName::SessionExpires)
    }

    /// Returns Min-SE in seconds (RFC 4028).
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn min_se(&self) -> Typed<Option<u32>> {
        Ok(self.typed::<MinSe>(HeaderName::MinSe)?.map(|MinSe(seconds)| seconds))
    }

    /// Returns every Reason (RFC 3326); [`Message::reason`] is the phrase of a status line.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn reason_header(&self) -> Typed<Vec<Reason>> {
        self.typed_list(HeaderName::Reason)
    }

    /// Returns Timestamp.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn timestamp(&self) -> Typed<Option<Timestamp>> {
        self.typed(HeaderName::Timestamp)
    }

    /// Returns RSeq (RFC 3262).
    ///
    /// # Errors
    /// If it is not a number below 2^32.
    pub fn rseq(&self) -> Typed<Option<u32>> {
        self.optional(HeaderName::RSeq, bounded_number)
    }

    /// Returns RAck (RFC 3262).
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn rack(&self) -> Typed<Option<RAck>> {
        self.typed(HeaderName::RAck)
    }

    /// Returns Retry-After.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn retry_after(&self) -> Typed<Option<RetryAfter>> {
        self.typed(HeaderName::RetryAfter)
    }
}
