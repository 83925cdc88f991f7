//! The messages that several tests work on: the torture set and everyday traffic.

use crate::torture;

const SDP: &str = "v=0\r\no=- 3724394400 3724394405 IN IP4 192.0.2.11\r\ns=-\r\nc=IN IP4 192.0.2.11\r\nt=0 0\r\n\
m=audio 4002 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";

/// What softphones and exchanges send each other all day; `{sdp}` stands for type, length and description.
const EVERYDAY: [(&str, &str); 14] = [
    (
        "invite",
        "INVITE sip:1002@pbx.example.com SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.11:5060;rport;branch=z9hG4bKPj7cQ1v2nEo9\r\nMax-Forwards: 70\r\n\
From: \"Alice\" <sip:1001@pbx.example.com>;tag=Zk3e9c1\r\nTo: <sip:1002@pbx.example.com>\r\n\
Contact: <sip:1001@192.0.2.11:5060;ob>\r\nCall-ID: 9f1c2d7e-77aa-4c3b-a9de-0d5c8f0e1b22\r\nCSeq: 20001 INVITE\r\n\
Allow: PRACK, INVITE, ACK, BYE, CANCEL, UPDATE, INFO, SUBSCRIBE, NOTIFY, REFER, MESSAGE, OPTIONS\r\n\
Supported: replaces, 100rel, timer, norefersub\r\nSession-Expires: 1800\r\nMin-SE: 90\r\n\
User-Agent: phone/1.0\r\n{sdp}",
    ),
    (
        "ok",
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.11:5060;rport=5060;received=192.0.2.11;branch=z9hG4bKPj7cQ1v2nEo9\r\n\
Record-Route: <sip:192.0.2.1;lr>\r\nFrom: \"Alice\" <sip:1001@pbx.example.com>;tag=Zk3e9c1\r\n\
To: <sip:1002@pbx.example.com>;tag=as6d1e2f30\r\nCall-ID: 9f1c2d7e-77aa-4c3b-a9de-0d5c8f0e1b22\r\n\
CSeq: 20001 INVITE\r\nServer: exchange\r\nContact: <sip:1002@192.0.2.20:5060>\r\n\
Session-Expires: 1800;refresher=uac\r\nRequire: timer\r\n{sdp}",
    ),
    (
        "ringing",
        "SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 192.0.2.11:5060;rport;branch=z9hG4bK1\r\n\
From: <sip:1001@pbx.example.com>;tag=1\r\nTo: <sip:1002@pbx.example.com>;tag=2\r\nCall-ID: ring\r\n\
CSeq: 1 INVITE\r\nRSeq: 988789\r\nRequire: 100rel\r\nContact: <sip:1002@192.0.2.20>\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "register",
        "REGISTER sip:pbx.example.com SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.11:49152;branch=z9hG4bK7d1;rport;alias\r\n\
Max-Forwards: 70\r\nFrom: <sip:1001@pbx.example.com>;tag=r1\r\nTo: <sip:1001@pbx.example.com>\r\n\
Call-ID: reg-1@192.0.2.11\r\nCSeq: 2 REGISTER\r\n\
Contact: <sip:1001@192.0.2.11:49152;transport=tcp>;expires=300;q=0.5;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-aabbccddeeff>\"\r\n\
Authorization: Digest username=\"1001\", realm=\"pbx\", nonce=\"5f0c1\", uri=\"sip:pbx.example.com\", \
response=\"0123456789abcdef0123456789abcdef\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c0ffee\"\r\n\
Expires: 300\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "unauthorized",
        "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK7d1;received=192.0.2.11;rport=5060\r\n\
From: <sip:1001@pbx.example.com>;tag=r1\r\nTo: <sip:1001@pbx.example.com>;tag=s1\r\nCall-ID: reg-1@192.0.2.11\r\n\
CSeq: 1 REGISTER\r\nWWW-Authenticate: Digest realm=\"pbx, main\",nonce=\"1700000000/ab=\",opaque=\"\",algorithm=SHA-256,qop=\"auth,auth-int\"\r\n\
WWW-Authenticate: Digest realm=\"pbx\", nonce=\"17\", algorithm=md5, qop=\"auth\"\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "bye",
        "BYE sip:1002@192.0.2.20:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKbye\r\n\
Route: <sip:192.0.2.1;lr>, <sip:192.0.2.2;lr>\r\nMax-Forwards: 70\r\nFrom: <sip:1001@pbx.example.com>;tag=1\r\n\
To: <sip:1002@pbx.example.com>;tag=2\r\nCall-ID: bye\r\nCSeq: 3 BYE\r\n\
Reason: Q.850;cause=16;text=\"Normal call clearing\", SIP ;cause=200\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "refer",
        "REFER sip:1002@192.0.2.20 SIP/2.0\r\nv: SIP/2.0/TLS [2001:db8::1]:5061;branch=z9hG4bKref\r\nMax-Forwards: 70\r\n\
f: <sip:1001@pbx.example.com>;tag=1\r\nt: <sip:1002@pbx.example.com>;tag=2\r\ni: ref\r\nCSeq: 4 REFER\r\n\
m: <sips:1001@[2001:db8::1]:5061>\r\n\
r: <sip:1003@pbx.example.com?Replaces=abc%40host%3Bto-tag%3D1%3Bfrom-tag%3D2&Require=replaces>\r\n\
b: <sip:1001@pbx.example.com>\r\nl: 0\r\n\r\n",
    ),
    (
        "replaces",
        "INVITE sip:1003@192.0.2.30 SIP/2.0\r\nVia: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bKrep\r\n\
Max-Forwards: 69\r\nFrom: 1002 <sip:1002@pbx.example.com>;tag=9\r\nTo: <sip:1003@pbx.example.com>\r\nCall-ID: rep\r\n\
CSeq: 1 INVITE\r\nContact: <sip:1002@192.0.2.20>\r\nReplaces: abc@host;to-tag=1;from-tag=2;early-only\r\n\
P-Asserted-Identity: \"Bob, Smith\" <sip:1002@pbx.example.com>, <tel:+15551234567>\r\n{sdp}",
    ),
    (
        "notify",
        "NOTIFY sip:1001@192.0.2.11 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKn\r\nMax-Forwards: 70\r\n\
From: <sip:1001@pbx.example.com>;tag=n\r\nTo: <sip:1001@pbx.example.com>;tag=m\r\nCall-ID: sub\r\nCSeq: 102 NOTIFY\r\n\
Event: message-summary;id=7\r\nSubscription-State: active;expires=3599\r\nContact: <sip:192.0.2.1>\r\n\
Content-Type: application/simple-message-summary\r\nContent-Length: 23\r\n\r\nMessages-Waiting: yes\r\n",
    ),
    (
        "prack",
        "PRACK sip:1002@192.0.2.20 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.11;branch=z9hG4bKp\r\nMax-Forwards: 70\r\n\
From: <sip:1001@pbx.example.com>;tag=1\r\nTo: <sip:1002@pbx.example.com>;tag=2\r\nCall-ID: ring\r\nCSeq: 2 PRACK\r\n\
RAck: 988789 1 INVITE\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "options",
        "OPTIONS sip:1001@192.0.2.11;transport=UDP SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKo;rport\r\n\
Max-Forwards: 70\r\nFrom: \"asterisk\" <sip:asterisk@192.0.2.1>;tag=as1\r\nTo: <sip:1001@192.0.2.11>\r\n\
Contact: <sip:asterisk@192.0.2.1:5060>\r\nCall-ID: 5b2@192.0.2.1:5060\r\nCSeq: 102 OPTIONS\r\n\
Date: Fri, 20 Nov 2026 10:00:00 GMT\r\nTimestamp: 54.250\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "redirect",
        "SIP/2.0 302 Moved Temporarily\r\nVia: SIP/2.0/UDP 192.0.2.11;branch=z9hG4bKr\r\n\
From: <sip:1001@pbx.example.com>;tag=1\r\nTo: <sip:1002@pbx.example.com>;tag=2\r\nCall-ID: redir\r\nCSeq: 1 INVITE\r\n\
Contact: <sip:1004@pbx.example.com>;q=0.9, \"Mail, box\" <sip:vm@pbx.example.com>;q=0.1\r\n\
Diversion: <sip:1002@pbx.example.com>;reason=unconditional;privacy=off\r\nRetry-After: 120 (in a meeting);duration=60\r\n\
Warning: 399 pbx.example.com \"moved\"\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "mixed",
        "INVITE tel:+15551234567;phone-context=example.com SIP/2.0\r\nVia: SIP/2.0/UDP a.example.com;branch=z9hG4bKm\r\n\
Max-Forwards: 1\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <tel:+15551234567>\r\nCall-ID: m\r\nCSeq: 1 INVITE\r\n\
Contact: <sip:a@a.example.com>\r\nContent-Type: multipart/mixed;boundary=\"b 1\"\r\n\r\n\
preamble\r\n--b 1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b 1\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b 1--\r\n",
    ),
    (
        "linefeeds",
        "\r\n\r\nMESSAGE sip:b@example.com SIP/2.0\nVia: SIP/2.0/UDP a.example.com;branch=z9hG4bKlf\nMax-Forwards: 70\n\
From: <sip:a@example.com>;tag=1\nTo: <sip:b@example.com>\nCall-ID: lf\nCSeq: 1 MESSAGE\nContent-Type: text/plain\n\
Content-Length: 2\n\nhi",
    ),
];

/// Returns every message with its name.
pub(crate) fn all() -> Vec<(String, Vec<u8>)> {
    let sdp = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}", SDP.len());
    let everyday = EVERYDAY.iter().map(|(name, text)| {
        let text = text.replace("{sdp}", &sdp);
        ((*name).to_owned(), text.into_bytes())
    });
    everyday.chain(torture::names().map(|name| (name.to_owned(), torture::bytes(name)))).collect()
}
