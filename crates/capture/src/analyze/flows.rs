//! Rows of RTP and RTCP by ports and payload type.

use std::collections::BTreeMap;

use super::analysis::{RtcpFlow, RtpFlow};
use super::names;

/// Most rows of each kind.
const MOST: usize = 4096;

/// Source port, target port, payload type.
type Key = (u16, u16, u8);

#[derive(Debug, Default)]
pub(super) struct Flows {
    rtp: BTreeMap<Key, Row>,
    rtcp: BTreeMap<Key, Row>,
    /// Packets without a row.
    pub(super) left_out: u64,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    count: u64,
    first_packet: u64,
}

impl Flows {
    /// Counts the RTP packet that is packet number `number` of the capture.
    pub(super) fn add_rtp(&mut self, key: Key, number: u64) {
        self.left_out += count(&mut self.rtp, key, number);
    }

    /// Counts an RTCP packet.
    pub(super) fn add_rtcp(&mut self, key: Key, number: u64) {
        self.left_out += count(&mut self.rtcp, key, number);
    }

    pub(super) fn rtp(&self) -> Vec<RtpFlow> {
        let row = |(&(src_port, dst_port, payload_type), row): (&Key, &Row)| RtpFlow {
            src_port,
            dst_port,
            payload_type,
            codec: names::codec(payload_type),
            count: row.count,
            first_packet: row.first_packet,
        };
        self.rtp.iter().map(row).collect()
    }

    pub(super) fn rtcp(&self) -> Vec<RtcpFlow> {
        let row = |(&(src_port, dst_port, payload_type), row): (&Key, &Row)| {
            let name = names::rtcp(payload_type)?;
            Some(RtcpFlow { src_port, dst_port, payload_type, name, count: row.count })
        };
        self.rtcp.iter().filter_map(row).collect()
    }
}

/// Counts a packet; returns one if there is no room for its row.
fn count(rows: &mut BTreeMap<Key, Row>, key: Key, number: u64) -> u64 {
    let is_full = rows.len() == MOST;
    match rows.get_mut(&key) {
        Some(row) => row.count += 1,
        None if is_full => return 1,
        None => {
            let _none = rows.insert(key, Row { count: 1, first_packet: number });
        }
    }
    0
}
