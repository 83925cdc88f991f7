//! The decoded packet that is being played, and the decoders that remember the ones before.

use super::queue::Packet;
use crate::audio::Converter;
use crate::codec::{Codec, Decode};

/// Decoders of a stream, and what the last of them gave.
#[derive(Debug, Default)]
pub(super) struct Voice {
    decoders: Vec<(Codec, Box<dyn Decode>)>,
    /// Codec of the last packet decoded.
    codec: Option<Codec>,
    /// Timestamp of the first sample.
    from: u32,
    samples: Vec<i16>,
    /// The output of a decoder whose rate is not that of the frames.
    other_rate: Vec<i16>,
    converter: Converter,
}

impl Voice {
    /// Returns how many samples a payload holds.
    pub(super) fn samples(&mut self, codec: Codec, payload: &[u8]) -> usize {
        self.decoder(codec).samples(payload)
    }

    /// Decodes the packet that is played next, as sound of `rate`.
    pub(super) fn decode(&mut self, packet: &Packet, rate: u32) {
        self.from = packet.timestamp;
        self.samples.clear();
        if self.codec.replace(packet.codec).is_some_and(|before| before != packet.codec) {
            // Who comes back to a codec begins anew with it.
            self.decoders.retain(|(codec, _)| *codec != packet.codec);
        }
        let mut samples = std::mem::take(&mut self.samples);
        if packet.codec.rate == rate {
            self.decoder(packet.codec).decode(&packet.payload, &mut samples);
        } else {
            let mut decoded = std::mem::take(&mut self.other_rate);
            decoded.clear();
            self.decoder(packet.codec).decode(&packet.payload, &mut decoded);
            self.converter.append(&decoded, packet.codec.rate, rate, &mut samples);
            self.other_rate = decoded;
        }
        self.samples = samples;
    }

    /// Returns what is left of the packet from a timestamp on, if that lies inside.
    pub(super) fn rest(&self, timestamp: u32, clock: u32, rate: u32) -> &[i16] {
        let behind = timestamp.wrapping_sub(self.from);
        // A timestamp before the packet is a very large distance.
        let skipped = u64::from(behind) * u64::from(rate) / u64::from(clock.max(1));
        usize::try_from(skipped).ok().and_then(|skipped| self.samples.get(skipped..)).unwrap_or_default()
    }

    /// Forgets the packet.
    pub(super) fn silence(&mut self) {
        self.samples.clear();
    }

    /// Forgets what the decoders remember: another stream begins.
    pub(super) fn forget(&mut self) {
        self.silence();
        self.decoders.clear();
        self.converter = Converter::default();
    }

    fn decoder(&mut self, codec: Codec) -> &mut dyn Decode {
        let place = self.decoders.iter().position(|(known, _)| *known == codec);
        let place = place.unwrap_or_else(|| {
            self.decoders.push((codec, (codec.decoder)()));
            self.decoders.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "the place was found or made above")]
        &mut *self.decoders[place].1
    }
}
