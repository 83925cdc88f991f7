//! URIs: their parts, and which of them are the same (RFC 3261 §19.1.3, §19.1.4).

use offhook_sip::message::{Host, Method, Scheme, Uri, UriError};

fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn every_part_of_a_sip_uri_is_found() {
    let all = uri(
        "sips:alice:secret;x@atlanta.example.com:5061;transport=TCP;lr;ttl=15;maddr=[2001:db8::1];method=REFER?to=a%40b&priority=urgent",
    );
    assert_eq!(all.scheme(), &Scheme::Sips);
    assert_eq!(all.user(), Some("alice"));
    assert_eq!(all.password(), Some("secret;x"));
    assert_eq!(all.host(), Some(&Host::Name("atlanta.example.com".into())));
    assert_eq!(all.port(), Some(5061));
    assert_eq!(all.transport(), Some("TCP"));
    assert!(all.lr());
    assert_eq!(all.ttl(), Some(15));
    assert_eq!(all.maddr(), Some(Host::V6("2001:db8::1".parse().unwrap())));
    assert_eq!(all.method(), Some(Method::Refer));
    assert_eq!(all.headers(), [("to".into(), "a@b".into()), ("priority".into(), "urgent".into())]);
}

#[test]
fn other_schemes_are_kept_as_they_are() {
    let tel = uri("tel:+1-201-555-0123;phone-context=example.com");
    assert_eq!((tel.scheme(), tel.opaque()), (&Scheme::Tel, "+1-201-555-0123"));
    assert_eq!(tel.param("phone-context"), Some("example.com"));
    assert_eq!((tel.user(), tel.host()), (None, None));
    assert_eq!(tel.user_decoded().unwrap(), "+1-201-555-0123");
    let urn = uri("urn:service:sos");
    assert_eq!((urn.scheme(), urn.opaque()), (&Scheme::Other("urn".into()), "service:sos"));
    assert_eq!(urn.to_string(), "urn:service:sos");
}

#[test]
fn what_is_no_uri_says_where_it_fails() {
    let cases = [
        ("", UriError::Empty),
        ("alice", UriError::Scheme),
        ("<sip:a@b>", UriError::Scheme),
        ("1sip:a@b", UriError::Scheme),
        ("sip:", UriError::Host),
        ("sip:a@", UriError::Host),
        ("sip:a@b c", UriError::Character),
        ("sip:a@b\r\nX: y", UriError::Character),
        ("sip:a@[::1", UriError::Host),
        ("sip:a@::1", UriError::Host),
        ("sip:a@b:65536", UriError::Port),
        ("sip:a@b:5o60", UriError::Port),
        ("sip:a@b!", UriError::Host),
    ];
    for (text, error) in cases {
        assert_eq!(Uri::parse(text), Err(error), "{text:?}");
    }
}

#[test]
fn the_equal_uris_of_the_rfc_are_equal() {
    let cases = [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
    ];
    for (left, right) in cases {
        assert!(uri(left).equivalent(&uri(right)), "{left} {right}");
        assert!(uri(right).equivalent(&uri(left)), "{right} {left}");
    }
}

#[test]
fn the_different_uris_of_the_rfc_differ() {
    let cases = [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:carol@chicago.com", "sips:carol@chicago.com"),
    ];
    for (left, right) in cases {
        assert!(!uri(left).equivalent(&uri(right)), "{left} {right}");
        assert!(!uri(right).equivalent(&uri(left)), "{right} {left}");
    }
}

#[test]
fn an_edited_copy_keeps_the_rest() {
    let base = uri("sip:bob@example.com:5070;transport=udp;ob?Subject=x");
    assert_eq!(
        base.with_param("transport", Some("tcp")).to_string(),
        "sip:bob@example.com:5070;transport=tcp;ob?Subject=x"
    );
    assert_eq!(base.without_param("TRANSPORT").to_string(), "sip:bob@example.com:5070;ob?Subject=x");
    assert_eq!(base.without_headers().to_string(), "sip:bob@example.com:5070;transport=udp;ob");
    assert_eq!(
        base.with_user("a b@c").to_string(),
        "sip:a%20b%40c@example.com:5070;transport=udp;ob?Subject=x"
    );
    assert_eq!(
        base.without_headers().with_header("Replaces", "a@b;to-tag=1;from-tag=2").to_string(),
        "sip:bob@example.com:5070;transport=udp;ob?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2"
    );
    let again = base.with_header("Require", "replaces");
    assert_eq!(again.header("require").as_deref(), Some("replaces"));
    assert_eq!(again.header("subject").as_deref(), Some("x"));
}

#[test]
fn a_built_uri_is_what_its_text_says() {
    let built = Uri::sip("alice smith", "2001:db8::1", Some(5070));
    assert_eq!(built, Err(UriError::Host));
    let built = Uri::from_parts(Scheme::Sips, "*70#", Host::V6("2001:db8::1".parse().unwrap()), Some(5070));
    assert_eq!(built.to_string(), "sips:*70%23@[2001:db8::1]:5070");
    assert_eq!(Uri::parse(built.as_str()).as_ref(), Ok(&built));
    assert_eq!(built.user_decoded().unwrap(), "*70#");
    let empty = Uri::sip("", "example.com", None).unwrap();
    assert_eq!((empty.to_string().as_str(), empty.user()), ("sip:example.com", None));
}
