//! Which stream belongs to which call, and what its payload types mean there.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::analysis::{Analysis, RtpStream, StreamCodec};
use super::calls::Progress;
use super::media::Media;
use super::names;
use super::rtp_streams::{Key, Stream};

/// How long after the end of a call its media may begin, on the way here.
const LINGER: Duration = Duration::from_secs(5);

/// A call that has announced an address.
#[derive(Debug, Clone, Copy)]
struct Claim {
    /// Place of the call.
    call: usize,
    from: Option<Duration>,
    until: Option<Duration>,
}

impl Claim {
    /// Returns whether a stream can be meant: some of it came after the address was announced, and
    /// its beginning not long after the end of the call. What has no time can.
    fn allows(&self, stream: &Stream) -> bool {
        let is_later = |early: Option<Duration>, late: Option<Duration>| {
            early.zip(late).is_none_or(|(early, late)| early <= late)
        };
        is_later(self.from, stream.last_at)
            && is_later(stream.first_at, self.until.map(|until| until.saturating_add(LINGER)))
    }
}

/// Puts calls and streams, both in their order, into the analysis.
pub(super) fn join(calls: Vec<Progress>, streams: Vec<(Key, Stream)>, analysis: &mut Analysis) {
    let mut claims: BTreeMap<SocketAddr, Vec<Claim>> = BTreeMap::new();
    for (call, progress) in calls.iter().enumerate() {
        analysis.left_out.media_addresses += progress.media.left_out;
        for (address, announced) in progress.media.addresses() {
            let claim = Claim { call, from: announced.at, until: progress.call.ended_at };
            claims.entry(address).or_default().push(claim);
        }
    }
    let mut calls: Vec<(super::Call, Media)> =
        calls.into_iter().map(|progress| (progress.call, progress.media)).collect();
    for (key, stream) in streams {
        let owner = owner(&claims, &key, &stream).and_then(|call| calls.get_mut(call));
        if let Some((call, media)) = owner {
            let name = |payload_type| media.name(key.from, key.to, payload_type).map(str::to_owned);
            call.streams.push(told(&key, &stream, name));
        } else if stream.numbering.is_confirmed() {
            analysis.other_streams.push(told(&key, &stream, |_| None));
        } else {
            analysis.left_out.doubtful_packets += stream.packets;
        }
    }
    analysis.calls = calls.into_iter().map(|(call, _)| call).collect();
}

/// Returns the call that wants the stream: by where it goes, else by where it comes from; of
/// several the one that was last to announce the address before the stream began.
fn owner(claims: &BTreeMap<SocketAddr, Vec<Claim>>, key: &Key, stream: &Stream) -> Option<usize> {
    [key.to, key.from].iter().find_map(|address| {
        let allowed = || claims.get(address).into_iter().flatten().filter(|claim| claim.allows(stream));
        let before = allowed().filter(|claim| claim.from <= stream.first_at).max_by_key(|claim| claim.from);
        before.or_else(|| allowed().min_by_key(|claim| claim.from)).map(|claim| claim.call)
    })
}

fn told(key: &Key, stream: &Stream, name: impl Fn(u8) -> Option<String>) -> RtpStream {
    let codec = |&(payload_type, packets): &(u8, u64)| StreamCodec {
        payload_type,
        name: name(payload_type).unwrap_or_else(|| names::codec(payload_type)),
        packets,
    };
    RtpStream {
        from: key.from,
        to: key.to,
        ssrc: key.ssrc,
        codecs: stream.payload_types.iter().map(codec).collect(),
        packets: stream.packets,
        lost: stream.numbering.lost(),
        duplicates: stream.numbering.duplicates,
        reordered: stream.numbering.reordered,
        stray: stream.numbering.stray,
        restarts: stream.numbering.restarts,
        first_at: stream.first_at,
        last_at: stream.last_at,
        longest_gap: stream.longest_gap,
    }
}
