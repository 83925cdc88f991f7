//! A condition being watched: events go in, and it says whether it is met, out of reach or still
//! open.

use super::{
    super::model::{Clause, ClauseKind, EventMatcher, Metric, Scope},
    reach::{Need, Reach},
    seen::{Captures, Fit, Seen},
    world::Names,
};
use crate::{
    event::{CallEvent, Comparison, Condition, EndCause, Event, MediaEvent, MediaStatistics, Party},
    id::{CallId, Seq},
};

/// Level of received audio above which it counts as sound, dBFS.
const AUDIBLE_DBFS: f64 = -60.0;

/// The state of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Neither met nor out of reach.
    Open,
    /// Met by this event.
    Met(Seq),
    /// Out of reach because of this event, for this reason.
    Lost(Seq, String),
}

/// A clause and what has been seen of it.
#[derive(Debug)]
pub(super) struct Watch {
    progress: Progress,
    near: Option<(Seq, String)>,
    call: Option<CallId>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Event { matcher: EventMatcher, count: Comparison, seen: u32 },
    Digits { scope: Scope, wanted: String, got: String },
    Tone { scope: Scope, hz: f64, tolerance: f64, sounding: Option<Seq> },
    Media { scope: Scope, audio: Option<bool>, bounds: Vec<(Metric, Comparison)> },
    Ended { scope: Scope, cause: Option<EndCause>, by: Option<Party>, status: Option<Condition> },
    All(Vec<Watch>),
    Any(Vec<Watch>),
    InOrder(Vec<Watch>),
}

/// How an event is shown to a watch.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) captures: &'a Captures,
    /// Whether the event is recent enough to meet a condition; older ones only give context.
    pub(super) counts: bool,
    /// Events already used by an earlier expectation with the same words.
    pub(super) used: &'a [Seq],
}

impl Watch {
    /// Starts a watch; clauses without a scope of their own use `fallback`.
    pub(super) fn new(clause: &Clause, names: &Names, fallback: &Scope) -> Result<Self, String> {
        let kind = match &clause.kind {
            ClauseKind::Event { matcher, count } => {
                Kind::Event { matcher: matcher.clone(), count: *count, seen: 0 }
            }
            ClauseKind::Digits { scope, digits } => Kind::Digits {
                scope: or(scope, fallback),
                wanted: names.fill(digits)?.to_ascii_uppercase(),
                got: String::new(),
            },
            ClauseKind::Tone { scope, hz, tolerance } => {
                Kind::Tone { scope: or(scope, fallback), hz: *hz, tolerance: *tolerance, sounding: None }
            }
            ClauseKind::Media { scope, audio, bounds } => {
                Kind::Media { scope: or(scope, fallback), audio: *audio, bounds: bounds.clone() }
            }
            ClauseKind::Ended { scope, cause, by, status } => {
                Kind::Ended { scope: or(scope, fallback), cause: *cause, by: *by, status: status.clone() }
            }
            ClauseKind::All(parts) => Kind::All(Self::each(parts, names, fallback)?),
            ClauseKind::Any(parts) => Kind::Any(Self::each(parts, names, fallback)?),
            ClauseKind::InOrder(parts) => Kind::InOrder(Self::each(parts, names, fallback)?),
        };
        Ok(Self { progress: Progress::Open, near: None, call: None, kind })
    }

    fn each(parts: &[Clause], names: &Names, fallback: &Scope) -> Result<Vec<Self>, String> {
        parts.iter().map(|part| Self::new(part, names, fallback)).collect()
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Returns the call of the event that met the condition.
    pub(super) fn call(&self) -> Option<CallId> {
        self.call
    }

    /// Returns whether events of this one's kind can bear on the condition.
    pub(super) fn looks_at(&self, sample: &Seen) -> bool {
        let event = &sample.envelope.event;
        match &self.kind {
            Kind::Event { matcher, .. } => matcher.events.iter().any(|pattern| sample.may_be_named(pattern)),
            Kind::Digits { .. } => matches!(event, Event::Media(MediaEvent::DigitReceived { .. })),
            Kind::Tone { .. } => matches!(
                event,
                Event::Media(
                    MediaEvent::ToneStarted { .. }
                        | MediaEvent::ToneEnded { .. }
                        | MediaEvent::Stopped { .. }
                )
            ),
            Kind::Media { .. } => matches!(event, Event::Media(_)),
            Kind::Ended { .. } => matches!(event, Event::Call(CallEvent::Ended { .. })),
            Kind::All(parts) | Kind::Any(parts) | Kind::InOrder(parts) => {
                parts.iter().any(|part| part.looks_at(sample))
            }
        }
    }

    /// Shows one event.
    pub(super) fn see(&mut self, seen: &Seen, look: Look<'_>) {
        if self.progress != Progress::Open {
            return;
        }
        let seq = seen.seq();
        match &mut self.kind {
            Kind::All(parts) => {
                for part in parts.iter_mut() {
                    part.see(seen, look);
                }
            }
            Kind::Any(parts) => {
                for part in parts.iter_mut() {
                    part.see(seen, look);
                }
            }
            Kind::InOrder(parts) => {
                // One event advances one place at most: the next must come after it.
                if let Some(part) = parts.iter_mut().find(|part| part.progress == Progress::Open) {
                    part.see(seen, look);
                }
            }
            Kind::Event { .. } | Kind::Digits { .. } | Kind::Tone { .. } => self.see_simple(seen, look),
            Kind::Media { .. } | Kind::Ended { .. } => self.see_figures(seen, look),
        }
        self.join();
        if matches!(self.progress, Progress::Met(by) if by == seq) {
            self.call = self.call.or(seen.envelope.subject.call);
        }
    }

    fn see_simple(&mut self, seen: &Seen, look: Look<'_>) {
        let seq = seen.seq();
        match &mut self.kind {
            Kind::Event { matcher, count, seen: times } => match seen.fit(matcher, look.captures) {
                Fit::Full if look.counts && !look.used.contains(&seq) => {
                    *times = times.saturating_add(1);
                    let times = f64::from(*times);
                    if count.only_grows_true() && count.holds(times) {
                        self.progress = Progress::Met(seq);
                    } else if count.ceiling().is_some_and(|most| times > most) {
                        self.progress = Progress::Lost(seq, format!("it came {times} times"));
                    } else {
                        self.near = Some((seq, format!("it came {times} times")));
                    }
                }
                Fit::Near => self.near = Some((seq, seen.words())),
                Fit::Full | Fit::No => {}
            },
            Kind::Digits { scope, wanted, got } => {
                if let Event::Media(MediaEvent::DigitReceived { digit, .. }) = &seen.envelope.event
                    && look.counts
                    && seen.is_of(scope, look.captures)
                {
                    got.push(digit.to_ascii_uppercase());
                    if got == wanted {
                        self.progress = Progress::Met(seq);
                    } else if !wanted.starts_with(got.as_str()) {
                        self.progress = Progress::Lost(seq, format!("the digits {got} came"));
                    } else {
                        self.near = Some((seq, format!("only the digits {got} came")));
                    }
                }
            }
            Kind::Tone { scope, hz, tolerance, sounding } => match &seen.envelope.event {
                Event::Media(MediaEvent::ToneStarted { hz: heard, .. })
                    if seen.is_of(scope, look.captures) =>
                {
                    if (*heard - *hz).abs() > *tolerance {
                        self.near = Some((seq, seen.words()));
                    } else if look.counts {
                        self.progress = Progress::Met(seq);
                    } else {
                        *sounding = Some(seq);
                    }
                }
                Event::Media(MediaEvent::ToneEnded { .. } | MediaEvent::Stopped { .. })
                    if seen.is_of(scope, look.captures) =>
                {
                    *sounding = None;
                }
                Event::Phone(_)
                | Event::Call(_)
                | Event::Media(_)
                | Event::Capture(_)
                | Event::Sip(_)
                | Event::Run(_)
                | Event::System(_) => {}
            },
            Kind::Media { .. } | Kind::Ended { .. } | Kind::All(_) | Kind::Any(_) | Kind::InOrder(_) => {}
        }
    }

    fn see_figures(&mut self, seen: &Seen, look: Look<'_>) {
        let seq = seen.seq();
        match &self.kind {
            Kind::Media { scope, audio, bounds } if look.counts && seen.is_of(scope, look.captures) => {
                match judge_media(&seen.envelope.event, *audio, bounds) {
                    Some(Ok(())) => self.progress = Progress::Met(seq),
                    Some(Err(instead)) => self.near = Some((seq, instead)),
                    None => {}
                }
            }
            Kind::Ended { scope, cause, by, status } if seen.is_of(scope, look.captures) => {
                let Event::Call(CallEvent::Ended { by: ended_by, cause: why, status: code, .. }) =
                    &seen.envelope.event
                else {
                    return;
                };
                // A call ends only once, so the end of a named call counts whenever it was; of any
                // other call, only a recent one does.
                if scope.call.is_none() && !look.counts {
                    return;
                }
                let code = code.map(serde_json::Value::from);
                let fits = cause.is_none_or(|cause| cause == *why)
                    && by.is_none_or(|by| by == *ended_by)
                    && status.as_ref().is_none_or(|status| status.holds(code.as_ref()));
                if fits {
                    self.progress = Progress::Met(seq);
                } else if scope.call.is_some() {
                    self.progress = Progress::Lost(seq, seen.words());
                } else {
                    self.near = Some((seq, seen.words()));
                }
            }
            Kind::Media { .. } | Kind::Ended { .. } | Kind::Event { .. } | Kind::Digits { .. } => {}
            Kind::Tone { .. } | Kind::All(_) | Kind::Any(_) | Kind::InOrder(_) => {}
        }
    }

    fn lost(parts: &[Self]) -> Option<&Self> {
        parts.iter().find(|part| matches!(part.progress, Progress::Lost(..)))
    }

    /// Derives a group's result from its parts.
    fn join(&mut self) {
        let last = |parts: &[Self]| {
            let met = parts.iter().filter_map(|part| match part.progress {
                Progress::Met(by) => Some(by),
                Progress::Open | Progress::Lost(..) => None,
            });
            met.max().unwrap_or_default()
        };
        let is_met = |part: &Self| matches!(part.progress, Progress::Met(_));
        let (progress, call) = match &self.kind {
            Kind::All(parts) | Kind::InOrder(parts) if parts.iter().all(is_met) => {
                (Progress::Met(last(parts)), parts.iter().rev().find_map(|part| part.call))
            }
            Kind::All(parts) | Kind::InOrder(parts) => match Self::lost(parts) {
                Some(part) => (part.progress.clone(), None),
                None => return,
            },
            Kind::Any(parts) => match parts.iter().find(|part| is_met(part)) {
                Some(part) => (part.progress.clone(), part.call),
                None if parts.iter().all(|part| matches!(part.progress, Progress::Lost(..))) => {
                    match Self::lost(parts) {
                        Some(part) => (part.progress.clone(), None),
                        None => return,
                    }
                }
                None => return,
            },
            Kind::Event { .. }
            | Kind::Digits { .. }
            | Kind::Tone { .. }
            | Kind::Media { .. }
            | Kind::Ended { .. } => return,
        };
        self.progress = progress;
        self.call = call;
    }

    /// Settles what past events alone decide: a tone that began earlier and still sounds is heard.
    pub(super) fn past_is_over(&mut self) {
        if self.progress != Progress::Open {
            return;
        }
        match &mut self.kind {
            Kind::Tone { sounding: Some(seq), .. } => self.progress = Progress::Met(*seq),
            Kind::All(parts) | Kind::Any(parts) => parts.iter_mut().for_each(Self::past_is_over),
            Kind::InOrder(parts) => {
                if let Some(part) = parts.iter_mut().find(|part| part.progress == Progress::Open) {
                    part.past_is_over();
                }
            }
            Kind::Tone { .. }
            | Kind::Event { .. }
            | Kind::Digits { .. }
            | Kind::Media { .. }
            | Kind::Ended { .. } => {}
        }
        self.join();
    }

    /// Settles what cannot happen any more.
    pub(super) fn give_up(&mut self, reach: &Reach<'_>) {
        if self.progress != Progress::Open {
            return;
        }
        let lost = match &mut self.kind {
            Kind::All(parts) | Kind::Any(parts) | Kind::InOrder(parts) => {
                parts.iter_mut().for_each(|part| part.give_up(reach));
                None
            }
            // How often it happened is judged when the time is over.
            Kind::Event { count, seen, .. } if count.holds(f64::from(*seen)) => None,
            Kind::Event { matcher, .. } => Need::of(matcher).and_then(|need| {
                reach.lost(need, &Scope { phone: matcher.phone.clone(), call: matcher.call.clone() })
            }),
            Kind::Digits { scope, .. } | Kind::Tone { scope, .. } => reach.lost(Need::Media, scope),
            Kind::Media { scope, .. } | Kind::Ended { scope, .. } => reach.lost(Need::Phone, scope),
        };
        if let Some((seq, words)) = lost {
            self.progress = Progress::Lost(seq, words);
        }
        self.join();
    }

    /// Settles what only the end of the time decides: how often something happened.
    pub(super) fn time_is_over(&mut self, now_at: Seq) {
        if self.progress != Progress::Open {
            return;
        }
        match &mut self.kind {
            Kind::Event { count, seen, .. } if count.holds(f64::from(*seen)) => {
                self.progress = Progress::Met(self.near.as_ref().map_or(now_at, |(seq, _)| *seq));
            }
            Kind::All(parts) | Kind::Any(parts) | Kind::InOrder(parts) => {
                parts.iter_mut().for_each(|part| part.time_is_over(now_at));
            }
            Kind::Event { .. }
            | Kind::Digits { .. }
            | Kind::Tone { .. }
            | Kind::Media { .. }
            | Kind::Ended { .. } => {}
        }
        self.join();
    }

    /// Describes what happened instead, with the event.
    pub(super) fn instead(&self) -> Option<(Seq, String)> {
        if let Progress::Lost(seq, words) = &self.progress {
            return Some((*seq, words.clone()));
        }
        let parts = match &self.kind {
            Kind::All(parts) | Kind::Any(parts) | Kind::InOrder(parts) => parts.as_slice(),
            Kind::Event { .. }
            | Kind::Digits { .. }
            | Kind::Tone { .. }
            | Kind::Media { .. }
            | Kind::Ended { .. } => &[],
        };
        let open = parts.iter().filter(|part| !matches!(part.progress, Progress::Met(_)));
        open.filter_map(Self::instead).max_by_key(|(seq, _)| *seq).or_else(|| self.near.clone())
    }

    /// Returns whether an event could bear on the condition, for "what came instead".
    pub(super) fn concerns(&self, seen: &Seen, captures: &Captures) -> bool {
        match &self.kind {
            Kind::Event { matcher, .. } => {
                let scope = Scope { phone: matcher.phone.clone(), call: matcher.call.clone() };
                seen.is_of(&scope, captures)
            }
            Kind::Digits { scope, .. }
            | Kind::Tone { scope, .. }
            | Kind::Media { scope, .. }
            | Kind::Ended { scope, .. } => seen.is_of(scope, captures),
            Kind::All(parts) | Kind::Any(parts) | Kind::InOrder(parts) => {
                parts.iter().any(|part| part.concerns(seen, captures))
            }
        }
    }
}

fn or(scope: &Scope, fallback: &Scope) -> Scope {
    if *scope == Scope::default() { fallback.clone() } else { scope.clone() }
}

/// Judges one media event; `None` if it does not bear on the question.
fn judge_media(
    event: &Event,
    audio: Option<bool>,
    bounds: &[(Metric, Comparison)],
) -> Option<Result<(), String>> {
    let Event::Media(event) = event else { return None };
    if bounds.is_empty() {
        let sound = matches!(event, MediaEvent::ToneStarted { .. } | MediaEvent::SilenceEnded { .. });
        if sound && let Some(wanted) = audio {
            return Some(if wanted { Ok(()) } else { Err("sound was heard".to_owned()) });
        }
        if matches!(event, MediaEvent::SilenceStarted { .. }) && audio == Some(false) {
            return Some(Ok(()));
        }
    }
    let (MediaEvent::Statistics { statistics, .. } | MediaEvent::Stopped { statistics, .. }) = event else {
        return None;
    };
    let mut wrong = Vec::new();
    if let Some(wanted) = audio {
        let level = statistics.level_dbfs.unwrap_or(f64::NEG_INFINITY);
        let present = statistics.received_packets > 0 && level > AUDIBLE_DBFS;
        if present != wanted {
            let level =
                statistics.level_dbfs.map_or_else(|| "no level".to_owned(), |l| format!("{l:.1} dBFS"));
            wrong.push(format!("{} packets received at {level}", statistics.received_packets));
        }
    }
    for (metric, bound) in bounds {
        match figure(*metric, statistics) {
            Some(value) if bound.holds(value) => {}
            Some(value) => wrong.push(format!("{} was {value:.1}", metric.key())),
            None => {
                let because = statistics.mos_absent_because.as_deref().filter(|_| *metric == Metric::Mos);
                let because = because.map(|why| format!(" ({why})")).unwrap_or_default();
                wrong.push(format!("{} was not measured{because}", metric.key()));
            }
        }
    }
    Some(if wrong.is_empty() { Ok(()) } else { Err(wrong.join(", ")) })
}

#[expect(clippy::cast_precision_loss, reason = "packet counts stay far below 2^52")]
fn figure(metric: Metric, statistics: &MediaStatistics) -> Option<f64> {
    match metric {
        Metric::Packets => Some(statistics.received_packets as f64),
        Metric::SentPackets => Some(statistics.sent_packets as f64),
        Metric::Lost => Some(statistics.lost as f64),
        Metric::Jitter => Some(statistics.jitter_ms),
        Metric::RoundTrip => statistics.rtt_ms,
        Metric::Level => statistics.level_dbfs,
        Metric::Mos => statistics.mos,
    }
}
