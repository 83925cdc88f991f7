//! Which questions are asked, how often, and how long answers are kept; in virtual time.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use offhook_sip::next_hop::{Question, Record};
use tokio::time::{Instant, sleep, timeout};

use super::{
    Answer, LookupError, Names, Resolver,
    cache::{LONGEST, MOST_KEPT, MOST_RECORDS, PATIENCE},
};
use crate::net::BoxFuture;

/// Answers after a while, and counts how often it was asked.
#[derive(Clone)]
struct Counting {
    asked: Arc<AtomicUsize>,
    delay: Duration,
    answer: Result<Answer, LookupError>,
}

impl Counting {
    fn new(answer: Result<Answer, LookupError>) -> Self {
        Self { asked: Arc::default(), delay: Duration::from_millis(100), answer }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Resolver for Counting {
    fn own(&self, _host: &str) -> BoxFuture<'_, Vec<IpAddr>> {
        Box::pin(async { Vec::new() })
    }

    fn ask(&self, _question: &Question) -> BoxFuture<'_, Result<Answer, LookupError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Box::pin(async {
            sleep(self.delay).await;
            self.answer.clone()
        })
    }
}

fn one_address(ttl: u64) -> Result<Answer, LookupError> {
    let records = vec![Record::Address("192.0.2.1".parse().unwrap())];
    Ok(Answer { records, ttl: Duration::from_secs(ttl) })
}

fn host(name: &str) -> Question {
    Question::Address(name.to_owned())
}

#[tokio::test(start_paused = true)]
async fn who_asks_while_an_answer_is_under_way_waits_for_it() {
    let resolver = Counting::new(one_address(60));
    let names = Names::new(resolver.clone());
    let (question, shouted) = (host("pbx.example"), host("PBX.Example"));
    let (one, other) = tokio::join!(names.ask(&question), names.ask(&shouted));
    assert_eq!((one.answer, one.from_cache), (one_address(60), false));
    assert_eq!((other.answer, other.from_cache), (one_address(60), false));
    assert_eq!(resolver.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_until_its_time_is_over() {
    let resolver = Counting::new(one_address(60));
    let names = Names::new(resolver.clone());
    names.ask(&host("pbx.example")).await.answer.unwrap();
    sleep(Duration::from_secs(59)).await;
    let kept = names.ask(&host("pbx.example")).await;
    assert_eq!((kept.answer.unwrap().ttl, kept.from_cache), (Duration::from_secs(1), true));
    sleep(Duration::from_secs(1)).await;
    assert!(!names.ask(&host("pbx.example")).await.from_cache);
    assert_eq!(resolver.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn that_there_is_nothing_is_kept_for_a_minute_at_most() {
    let resolver = Counting::new(Ok(Answer { records: Vec::new(), ttl: Duration::from_secs(86_400) }));
    let names = Names::new(resolver.clone());
    names.ask(&host("no.example")).await.answer.unwrap();
    sleep(Duration::from_secs(59)).await;
    assert!(names.ask(&host("no.example")).await.from_cache);
    sleep(Duration::from_secs(2)).await;
    assert!(!names.ask(&host("no.example")).await.from_cache);
    assert_eq!(resolver.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn silence_is_waited_for_once_and_what_failed_is_asked_again_after_five_seconds() {
    let mut resolver = Counting::new(one_address(60));
    resolver.delay = Duration::from_secs(3_600);
    let names = Names::new(resolver.clone());
    let begun = Instant::now();
    let question = host("pbx.example");
    let (one, other) = tokio::join!(names.ask(&question), names.ask(&question));
    assert_eq!((one.answer, other.answer), (Err(LookupError::Silent), Err(LookupError::Silent)));
    assert_eq!((begun.elapsed(), resolver.asked()), (PATIENCE, 1));
    sleep(Duration::from_millis(4_900)).await;
    let again = names.ask(&question).await;
    assert_eq!((again.answer, again.from_cache), (Err(LookupError::Silent), true));
    sleep(Duration::from_millis(200)).await;
    assert!(!names.ask(&question).await.from_cache);
    assert_eq!(resolver.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_asker_that_gives_up_does_not_take_the_answer_with_it() {
    let resolver = Counting::new(one_address(60));
    let names = Names::new(resolver.clone());
    let question = host("pbx.example");
    let first = timeout(Duration::from_millis(50), names.ask(&question));
    let (first, second) = tokio::join!(first, names.ask(&question));
    assert!(first.is_err());
    assert_eq!(second.answer, one_address(60));
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_has_bounds() {
    let records = vec![Record::Address("192.0.2.1".parse().unwrap()); 10_000];
    let mut resolver = Counting::new(Ok(Answer { records, ttl: Duration::from_secs(u64::from(u32::MAX)) }));
    resolver.delay = Duration::ZERO;
    let names = Names::new(resolver.clone());
    for number in 0..MOST_KEPT + 50 {
        let answer = names.ask(&host(&format!("h{number}.example"))).await.answer.unwrap();
        assert_eq!((answer.records.len(), answer.ttl), (MOST_RECORDS, LONGEST));
    }
    assert_eq!(names.kept(), MOST_KEPT);
    // Questions that nobody waits for any more make room as well.
    resolver.delay = Duration::from_secs(1);
    let names = Names::new(resolver);
    for number in 0..MOST_KEPT + 50 {
        let question = host(&format!("h{number}.example"));
        assert!(timeout(Duration::from_millis(1), names.ask(&question)).await.is_err());
    }
    assert!(names.kept() <= MOST_KEPT);
}
