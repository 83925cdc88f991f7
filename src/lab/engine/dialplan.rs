//! Where each number leads; the numbers are the same as on the lab Asterisk.

use std::time::Duration;

use offhook_sip::message::StatusCode;

use super::robot::Script;
use crate::lab::{options::Timing, users::UserTable};

/// Where a number leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To a phone, which rings this long.
    Phone { user: String, limit: Duration },
    /// To a voice of our own.
    Robot(Script),
    /// Nowhere.
    Refused(StatusCode),
}

/// Test numbers by name, for people and profiles.
pub(in crate::lab) const NUMBERS: &[(&str, &str)] = &[
    ("echo", "600"),
    ("tone", "601"),
    ("announcement", "602"),
    ("read_back", "603"),
    ("early_media", "604"),
    ("no_answer", "605"),
    ("busy", "606"),
    ("unavailable", "607"),
    ("slow_answer", "608"),
    ("conference", "609"),
];

/// Returns where `number` leads.
pub(super) fn route(number: &str, users: &UserTable, timing: &Timing) -> Route {
    let phone =
        |user: &str, limit| users.get(user).map(|user| Route::Phone { user: user.username.clone(), limit });
    if let Some(route) = phone(number, timing.ring_limit) {
        return route;
    }
    match number {
        "600" => Route::Robot(Script::Echo),
        "601" => Route::Robot(Script::Tone),
        "602" => Route::Robot(Script::Announcement),
        "603" => Route::Robot(Script::ReadBack),
        "604" => Route::Robot(Script::EarlyMedia),
        "605" => Route::Robot(Script::NoAnswer),
        "606" => Route::Refused(StatusCode::BUSY_HERE),
        "607" => Route::Refused(StatusCode::SERVICE_UNAVAILABLE),
        "608" => Route::Robot(Script::SlowAnswer),
        "609" => Route::Robot(Script::Conference),
        other => other
            .strip_prefix('9')
            .and_then(|user| phone(user, timing.short_ring_limit))
            .unwrap_or(Route::Refused(StatusCode::NOT_FOUND)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::users::{Passwords, Users};

    #[test]
    fn users_come_first_then_test_numbers_then_nothing() {
        let users = UserTable::load(&Users::Generated { count: 1, passwords: Passwords::Lab }).unwrap();
        let timing = Timing::default();
        let to = |number| route(number, &users, &timing);
        assert_eq!(to("6001"), Route::Phone { user: "6001".to_owned(), limit: timing.ring_limit });
        assert_eq!(to("96001"), Route::Phone { user: "6001".to_owned(), limit: timing.short_ring_limit });
        assert_eq!(to("606"), Route::Refused(StatusCode::BUSY_HERE));
        assert_eq!(to("6002"), Route::Refused(StatusCode::NOT_FOUND));
        assert_eq!(to(""), Route::Refused(StatusCode::NOT_FOUND));
        assert_eq!(to("9"), Route::Refused(StatusCode::NOT_FOUND));
        for (name, number) in NUMBERS {
            assert_ne!(to(number), Route::Refused(StatusCode::NOT_FOUND), "{name}");
        }
    }
}
