//! Header names.
//!
//! RFC 3261 §7.3.1 (case-insensitive), §7.3.3 and later RFCs (compact forms). Names the project does not
//! use by itself are kept as written in [`HeaderName::Other`].

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// How several values of one header may be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One value; a comma belongs to it.
    Single,
    /// A comma list (RFC 3261 §7.3.1).
    List,
}

macro_rules! header_names {
    ($($name:ident $text:literal $compact:literal $form:ident,)*) => {
        /// Names a header; equal without regard to case.
        #[derive(Clone, Debug)]
        pub enum HeaderName {
            $(
                #[doc = concat!("`", $text, "`")]
                $name,
            )*
            /// Any other name, as written.
            Other(Arc<str>),
        }

        /// One byte per known header, as the parser stores it.
        #[derive(Clone, Copy)]
        #[repr(u8)]
        enum Known { $($name,)* }

        /// Canonical text, compact form (0 if none) and form of every known header, in the order of `Known`.
        const KNOWN: &[(&str, u8, Form)] = &[$(($text, $compact, Form::$form),)*];

        impl HeaderName {
            fn known(&self) -> Option<u8> {
                match self {
                    $(Self::$name => Some(Known::$name as u8),)*
                    Self::Other(text) => NameId::of(text.as_bytes()).0,
                }
            }

            fn from_known(index: u8) -> Option<Self> {
                $(if index == Known::$name as u8 { return Some(Self::$name); })*
                None
            }
        }
    };
}

header_names! {
    Via "Via" b'v' List,
    From "From" b'f' Single,
    To "To" b't' Single,
    CallId "Call-ID" b'i' Single,
    CSeq "CSeq" 0 Single,
    Contact "Contact" b'm' List,
    MaxForwards "Max-Forwards" 0 Single,
    ContentLength "Content-Length" b'l' Single,
    ContentType "Content-Type" b'c' Single,
    Route "Route" 0 List,
    RecordRoute "Record-Route" 0 List,
    Authorization "Authorization" 0 Single,
    ProxyAuthorization "Proxy-Authorization" 0 Single,
    WwwAuthenticate "WWW-Authenticate" 0 Single,
    ProxyAuthenticate "Proxy-Authenticate" 0 Single,
    AuthenticationInfo "Authentication-Info" 0 Single,
    Allow "Allow" 0 List,
    Supported "Supported" b'k' List,
    Require "Require" 0 List,
    ProxyRequire "Proxy-Require" 0 List,
    Unsupported "Unsupported" 0 List,
    Expires "Expires" 0 Single,
    MinExpires "Min-Expires" 0 Single,
    UserAgent "User-Agent" 0 Single,
    Server "Server" 0 Single,
    Accept "Accept" 0 List,
    AcceptEncoding "Accept-Encoding" 0 List,
    AcceptLanguage "Accept-Language" 0 List,
    AcceptContact "Accept-Contact" b'a' List,
    RejectContact "Reject-Contact" b'j' List,
    RequestDisposition "Request-Disposition" b'd' List,
    AlertInfo "Alert-Info" 0 List,
    AllowEvents "Allow-Events" b'u' List,
    CallInfo "Call-Info" 0 List,
    ContentDisposition "Content-Disposition" 0 Single,
    ContentEncoding "Content-Encoding" b'e' List,
    ContentLanguage "Content-Language" 0 List,
    ContentId "Content-ID" 0 Single,
    Date "Date" 0 Single,
    Diversion "Diversion" 0 List,
    ErrorInfo "Error-Info" 0 List,
    Event "Event" b'o' Single,
    FlowTimer "Flow-Timer" 0 Single,
    HistoryInfo "History-Info" 0 List,
    Identity "Identity" b'y' Single,
    IdentityInfo "Identity-Info" b'n' Single,
    InfoPackage "Info-Package" 0 Single,
    InReplyTo "In-Reply-To" 0 List,
    Join "Join" 0 Single,
    MimeVersion "MIME-Version" 0 Single,
    MinSe "Min-SE" 0 Single,
    Organization "Organization" 0 Single,
    PAssertedIdentity "P-Asserted-Identity" 0 List,
    PAssociatedUri "P-Associated-URI" 0 List,
    PPreferredIdentity "P-Preferred-Identity" 0 List,
    Path "Path" 0 List,
    Priority "Priority" 0 Single,
    Privacy "Privacy" 0 Single,
    RAck "RAck" 0 Single,
    RSeq "RSeq" 0 Single,
    Reason "Reason" 0 List,
    RecvInfo "Recv-Info" 0 List,
    ReferSub "Refer-Sub" 0 Single,
    ReferTo "Refer-To" b'r' Single,
    ReferredBy "Referred-By" b'b' Single,
    RemotePartyId "Remote-Party-ID" 0 List,
    Replaces "Replaces" 0 Single,
    ReplyTo "Reply-To" 0 Single,
    RetryAfter "Retry-After" 0 Single,
    SecurityClient "Security-Client" 0 List,
    SecurityServer "Security-Server" 0 List,
    SecurityVerify "Security-Verify" 0 List,
    ServiceRoute "Service-Route" 0 List,
    SessionExpires "Session-Expires" b'x' Single,
    SipEtag "SIP-ETag" 0 Single,
    SipIfMatch "SIP-If-Match" 0 Single,
    Subject "Subject" b's' Single,
    SubscriptionState "Subscription-State" 0 Single,
    TargetDialog "Target-Dialog" 0 Single,
    Timestamp "Timestamp" 0 Single,
    Warning "Warning" 0 List,
}

const SLOTS: usize = 512;
const EMPTY: u8 = u8::MAX;
/// Open-addressed table from the hash of a name to its index in `KNOWN`.
const TABLE: [u8; SLOTS] = build_table();

const fn slot(len: usize, first: u8, middle: u8, last: u8) -> usize {
    let mixed =
        len * 31 + (first | 0x20) as usize * 7 + (middle | 0x20) as usize * 131 + (last | 0x20) as usize * 57;
    mixed % SLOTS
}

#[expect(clippy::indexing_slicing, reason = "runs at compile time, where a wrong index stops the build")]
const fn build_table() -> [u8; SLOTS] {
    let mut table = [EMPTY; SLOTS];
    let mut nth = 0;
    while nth < KNOWN.len() {
        let text = KNOWN[nth].0.as_bytes();
        let mut at = slot(text.len(), text[0], text[text.len() / 2], text[text.len() - 1]);
        while table[at] != EMPTY {
            at = (at + 1) % SLOTS;
        }
        table[at] = nth as u8;
        nth += 1;
    }
    table
}

/// Every known name has a bit in [`NameId::bit`].
const _: () = assert!(KNOWN.len() <= 128);

/// The index of a known header name, or none for any other; what the parser keeps per field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameId(Option<u8>);

impl NameId {
    pub(crate) const CONTENT_LENGTH: Self = Self(Some(Known::ContentLength as u8));

    /// Returns whether the name is in the table, and so a token.
    pub(crate) const fn is_known(self) -> bool {
        self.0.is_some()
    }

    /// Returns a distinct bit for a known name, zero for any other.
    pub(crate) const fn bit(self) -> u128 {
        match self.0 {
            Some(index) => 1 << index,
            None => 0,
        }
    }

    /// Looks `name` up without regard to case, compact forms included.
    pub(crate) fn of(name: &[u8]) -> Self {
        let ([first, ..], [.., last]) = (name, name) else { return Self(None) };
        if name.len() == 1 {
            let compact = first.to_ascii_lowercase();
            let position = KNOWN.iter().position(|(_, short, _)| *short == compact);
            return Self(position.and_then(|nth| u8::try_from(nth).ok()));
        }
        let middle = name.get(name.len() / 2).copied().unwrap_or(0);
        let mut at = slot(name.len(), *first, middle, *last);
        while let Some(index) = TABLE.get(at).copied().filter(|index| *index != EMPTY) {
            let text = KNOWN.get(usize::from(index)).map_or("", |(text, ..)| text);
            // Nearly every stack writes the usual letters, and comparing those is cheaper.
            if text.as_bytes() == name || text.as_bytes().eq_ignore_ascii_case(name) {
                return Self(Some(index));
            }
            at = (at + 1) % SLOTS;
        }
        Self(None)
    }

    /// Returns the full name; `raw` is what stood in the message.
    pub(crate) fn name(self, raw: &[u8]) -> HeaderName {
        let known = self.0.and_then(HeaderName::from_known);
        known.unwrap_or_else(|| HeaderName::Other(String::from_utf8_lossy(raw).into()))
    }
}

impl HeaderName {
    /// Returns the header that `text` names, in long or compact form.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        NameId::of(text.as_bytes()).name(text.as_bytes())
    }

    /// Returns the name as it is usually written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self.entry() {
            Some((text, ..)) => text,
            None => self.other_text(),
        }
    }

    /// Returns the one-letter form, if the header has one.
    #[must_use]
    pub fn compact(&self) -> Option<char> {
        self.entry().filter(|(_, short, _)| *short != 0).map(|(_, short, _)| char::from(*short))
    }

    /// Returns whether several values may share a line, separated by commas.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.entry().is_some_and(|(_, _, form)| *form == Form::List)
    }

    fn entry(&self) -> Option<&'static (&'static str, u8, Form)> {
        KNOWN.get(usize::from(self.known()?))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the eighty known names have no text of their own")]
    fn other_text(&self) -> &str {
        match self {
            Self::Other(text) => text,
            _ => "",
        }
    }

    pub(crate) fn id(&self) -> NameId {
        NameId(self.known())
    }

    /// Returns whether a field with this id and raw name has this name, whose own id is `wanted`.
    pub(crate) fn names(&self, wanted: NameId, id: NameId, raw: &[u8]) -> bool {
        // Without an id, only the text can tell.
        id == wanted && (id.0.is_some() || raw.eq_ignore_ascii_case(self.other_text().as_bytes()))
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        match (self.known(), other.known()) {
            (None, None) => self.other_text().eq_ignore_ascii_case(other.other_text()),
            (left, right) => left == right,
        }
    }
}

impl Eq for HeaderName {}

impl Hash for HeaderName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.known() {
            Some(index) => index.hash(state),
            None => self.other_text().to_ascii_lowercase().hash(state),
        }
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<&str> for HeaderName {
    fn from(text: &str) -> Self {
        Self::from_text(text)
    }
}
