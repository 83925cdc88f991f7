//! Ticks: one frame heard, one frame said, and packets that leave at their time.

use std::time::{Duration, Instant};

use super::media_session::MediaSession;
use super::output::{Fact, Output, RecordFrame};
use super::protect;
use crate::audio::{FRAME, Frame, mix};
use crate::dtmf::{DigitMethod, EventChange};
use crate::jitter::FrameKind;
use crate::negotiate::MediaPlan;

/// Frames made up for at once; a session that slept longer skips the rest.
const MAX_CATCH_UP: u32 = 10;

impl MediaSession {
    /// Does everything that is due by `now`, for a session outside conferences.
    pub fn handle_tick(&mut self, now: Instant) {
        while self.hear(now).is_some() {
            self.say(now, None);
        }
    }

    /// Hears the next frame that is due by `now`; [`Self::say`] answers it.
    ///
    /// `None` when all frames of this tick were heard; reports, statistics and time-outs are done by then.
    pub fn hear(&mut self, now: Instant) -> Option<&Frame> {
        if self.turn.is_some() {
            self.say(now, None);
        }
        let behind = self.caught_up >= MAX_CATCH_UP;
        while let Some(due) = self.next_tick.filter(|due| *due <= now) {
            self.next_tick = Some(due + FRAME);
            if !behind {
                self.caught_up += 1;
                self.turn = Some(due);
                self.hear_frame();
                return Some(&self.heard);
            }
            // Nobody needs this audio any more, but the RTP clock must not stand still.
            self.sender.advance(self.codec.units(FRAME));
            self.packetizer.clear();
            self.sender.pause();
        }
        self.caught_up = 0;
        self.release_packets(now, false);
        self.keep_up(now);
        None
    }

    /// Says what its source plays, and what `others` say in a conference; to be called after [`Self::hear`].
    pub fn say(&mut self, now: Instant, others: Option<&Frame>) {
        let Some(tick) = self.turn.take() else { return };
        let mut said = std::mem::take(&mut self.said);
        if self.player.fill(&self.heard, &mut said) {
            self.stop();
            self.fact(Fact::PlaybackFinished);
        }
        self.tones_out.fill(&mut said);
        if let Some(others) = others {
            let rate = said.rate();
            mix(&mut said, &self.others.convert(others, rate));
        }
        // Packets are spaced from the moment at which this session is driven, which may lie
        // anywhere between two ticks; what a late call makes up for is due at once.
        let leaves = if now < tick + FRAME { now } else { tick };
        let spoken = self.send_frame(leaves, &said);
        self.release_packets(now, false);
        if !spoken {
            said.fill(0);
        }
        if self.recording {
            let frame = RecordFrame { received: self.heard.clone(), sent: said.clone() };
            self.outputs.push_back(Output::RecordFrame(Box::new(frame)));
        }
        self.said = said;
        self.sender.advance(self.codec.units(FRAME));
        self.finish_digits();
    }

    fn hear_frame(&mut self) {
        let mut kind = self.playout.take(&mut self.heard);
        if self.plan.as_ref().is_some_and(|plan| !plan.direction.receives()) {
            // A held peer may still send; it is counted, not heard.
            self.heard.fill(0);
            kind = FrameKind::Silent;
        }
        let Self { outputs, limits, listener, heard, .. } = self;
        listener.frame(kind, heard, &mut |fact| {
            if limits.admit(&fact) {
                outputs.push_back(Output::Fact(fact));
            }
        });
    }

    /// Does what is due besides sound.
    fn keep_up(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        let ended = self.events_in.poll(now).map(EventChange::Ended).and_then(|end| self.listener.event(end));
        self.facts(ended);
        self.watch_reception(now);
        let withheld = self.limits.renew(now);
        self.facts(withheld);
        let strangers = self.peer.tell_strangers(now);
        self.facts(strangers);
        self.send_due_report(now);
        if let (Some(due), Some(interval)) = (self.statistics_due, self.config.statistics_interval)
            && due <= now
        {
            self.statistics_due = Some(now + interval);
            let stats = Box::new(self.stats());
            self.fact(Fact::Statistics(stats));
        }
    }

    /// Sends an event packet, or keeps sound for packets; returns whether the sound goes out.
    fn send_frame(&mut self, now: Instant, said: &Frame) -> bool {
        let Some(plan) = self.plan.take() else { return false };
        let spoken = plan.direction.sends() && plan.remote.is_some() && self.send_planned(now, &plan, said);
        self.plan = Some(plan);
        spoken
    }

    fn send_planned(&mut self, now: Instant, plan: &MediaPlan, said: &Frame) -> bool {
        let timestamp = self.sender.timestamp();
        let event = plan.telephone_event.map(|events| events.send_payload_type);
        let packet = event.and_then(|_| self.events_out.tick(timestamp, self.codec.units(FRAME)));
        if let (Some(payload_type), Some(packet)) = (event, packet) {
            // The event takes the place of the sound that does not fill a packet; full ones go before it.
            self.release(plan, now, true);
            self.packetizer.clear();
            self.sender.pause();
            let mut bytes = self.buffer();
            let payload = packet.payload.to_bytes();
            self.sender.write(payload_type, packet.marker, packet.timestamp, &payload, &mut bytes);
            self.send(plan, bytes);
            return false;
        }
        self.packetizer.push(now, timestamp, said, packet_samples(plan));
        true
    }

    /// Sends the packets that are due, and all full ones if `pressed`.
    pub(super) fn release_packets(&mut self, now: Instant, pressed: bool) {
        if let Some(plan) = self.plan.take() {
            self.release(&plan, now, pressed);
            self.plan = Some(plan);
        }
    }

    fn release(&mut self, plan: &MediaPlan, now: Instant, pressed: bool) {
        let length = packet_samples(plan);
        while self.packetizer.due(length).is_some_and(|due| pressed || due <= now) {
            let mut bytes = self.buffer();
            let mut payload = std::mem::take(&mut self.payload);
            payload.clear();
            if let Some((timestamp, samples)) = self.packetizer.front(length) {
                self.encoder.encode(samples, &mut payload);
                self.sender.write_audio(plan.send_payload_type, timestamp, &payload, &mut bytes);
            }
            self.payload = payload;
            self.packetizer.left(plan.codec, length, plan.packet_time);
            self.send(plan, bytes);
        }
    }

    fn send(&mut self, plan: &MediaPlan, mut bytes: Vec<u8>) {
        if let Some(to) = plan.remote {
            protect::seal(Some(plan), &mut bytes);
            self.outputs.push_back(Output::Packet { to, bytes });
        }
    }

    /// Returns when the next packet leaves, if one waits for its time: those of 10 and 30 ms do, between ticks.
    #[must_use]
    pub fn packet_due(&self) -> Option<Instant> {
        self.plan.as_ref().and_then(|plan| self.packetizer.due(packet_samples(plan)))
    }

    fn finish_digits(&mut self) {
        if self.batches.is_empty() {
            return;
        }
        let events = self.events_out.is_idle().then_some(DigitMethod::Rfc4733);
        let tones = self.tones_out.is_idle().then_some(DigitMethod::InBand);
        for method in [events, tones].into_iter().flatten() {
            let facts = self.batches.finished(method);
            self.facts(facts);
        }
    }

    fn watch_reception(&mut self, now: Instant) {
        let receives = self.plan.as_ref().is_some_and(|plan| plan.direction.receives());
        let (Some(limit), Some(last)) = (self.config.reception_timeout, self.receiver.last_arrival()) else {
            return;
        };
        let silent_for: Duration = now.saturating_duration_since(last);
        if receives && !self.reception_stopped && silent_for >= limit {
            self.reception_stopped = true;
            self.fact(Fact::ReceptionStopped { silent_for });
        }
    }
}

fn packet_samples(plan: &MediaPlan) -> usize {
    plan.codec.samples(plan.packet_time)
}
