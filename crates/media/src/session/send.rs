//! Ticks: one frame heard, one frame said.

use std::time::Instant;

use super::media_session::{MediaSession, TICK};
use super::output::{Fact, Output, RecordFrame};
use crate::audio::{FRAME_SAMPLES, Frame};
use crate::dtmf::DigitMethod;
use crate::jitter::FrameKind;
use crate::negotiate::MediaPlan;

/// Ticks made up for at once; a session that slept longer skips the rest.
const MAX_CATCH_UP: u32 = 10;

impl MediaSession {
    /// Does all that is due by `now`: frames, reports, statistics, time-outs.
    pub fn handle_tick(&mut self, now: Instant) {
        let mut frames = 0;
        while let Some(due) = self.next_tick.filter(|due| *due <= now) {
            self.next_tick = Some(due + TICK);
            if frames < MAX_CATCH_UP {
                self.frame();
                frames += 1;
            } else {
                // Nobody needs this audio any more, but the RTP clock must not stand still.
                self.sender.advance(FRAME_SAMPLES as u32);
                self.pending.clear();
                self.sender.pause();
            }
        }
        if self.closed {
            return;
        }
        let ended = self.events_in.poll(now).and_then(|event| self.listener.event(event));
        self.facts(ended);
        self.watch_reception(now);
        self.send_due_report(now);
        if let (Some(due), Some(interval)) = (self.statistics_due, self.config.statistics_interval)
            && due <= now
        {
            self.statistics_due = Some(now + interval);
            let stats = Box::new(self.stats());
            self.fact(Fact::Statistics(stats));
        }
    }

    fn frame(&mut self) {
        let mut heard = [0; FRAME_SAMPLES];
        let mut kind = self.playout.take(&mut heard);
        if self.plan.as_ref().is_some_and(|plan| !plan.direction.receives()) {
            // A held peer may still send; it is counted, not heard.
            heard.fill(0);
            kind = FrameKind::Silent;
        }
        let mut facts = Vec::new();
        self.listener.frame(kind, &heard, &mut facts);
        let mut said = [0; FRAME_SAMPLES];
        if self.player.fill(&heard, &mut said) {
            self.stop();
            facts.push(Fact::PlaybackFinished);
        }
        self.tones_out.fill(&mut said);
        self.facts(facts);
        let spoken = self.send_frame(&said);
        if !spoken {
            said.fill(0);
        }
        self.sent_level.add(if spoken { &said } else { &[] });
        if self.recording {
            let frame = RecordFrame { received: heard, sent: said };
            self.outputs.push_back(Output::RecordFrame(Box::new(frame)));
        }
        self.sender.advance(FRAME_SAMPLES as u32);
        self.finish_digits();
    }

    /// Sends an event packet or audio; returns whether audio went out.
    fn send_frame(&mut self, said: &Frame) -> bool {
        let Some(plan) = self.plan.take() else { return false };
        let spoken = plan.direction.sends() && plan.remote.is_some() && self.send_planned(&plan, said);
        self.plan = Some(plan);
        spoken
    }

    fn send_planned(&mut self, plan: &MediaPlan, said: &Frame) -> bool {
        let Some(to) = plan.remote else { return false };
        let now = self.sender.timestamp();
        let event = plan.telephone_event.map(|events| events.send_payload_type);
        let packet = event.and_then(|_| self.events_out.tick(now, FRAME_SAMPLES as u32));
        if let (Some(payload_type), Some(packet)) = (event, packet) {
            self.pending.clear();
            self.sender.pause();
            let mut bytes = self.buffer();
            let payload = packet.payload.to_bytes();
            self.sender.write(payload_type, packet.marker, packet.timestamp, &payload, &mut bytes);
            self.outputs.push_back(Output::Packet { to, bytes });
            return false;
        }
        if self.pending.is_empty() {
            self.pending_from = now;
        }
        plan.codec.encode(said, &mut self.pending);
        // G.711: one byte a sample.
        let length = plan.packet_time.as_millis() as usize * 8;
        while length > 0 && self.pending.len() >= length {
            let mut bytes = self.buffer();
            let payload = self.pending.get(..length).unwrap_or_default();
            self.sender.write_audio(plan.send_payload_type, self.pending_from, payload, &mut bytes);
            self.pending.drain(..length);
            self.pending_from = self.pending_from.wrapping_add(length as u32);
            self.outputs.push_back(Output::Packet { to, bytes });
        }
        true
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
        let silent_for = now.saturating_duration_since(last);
        if receives && !self.reception_stopped && silent_for >= limit {
            self.reception_stopped = true;
            self.fact(Fact::ReceptionStopped { silent_for });
        }
    }
}
