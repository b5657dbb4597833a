// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Whether to post again, and when: pure, with the time passed in.

use std::time::{Duration, SystemTime};

/// A server cannot ask for more than this.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);
/// Back-off does not grow beyond this, unless it begins there.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Waits are shorter or longer by up to this share, so that many senders do not come back at once.
const JITTER: f64 = 0.25;

/// How often to try, and how long to wait in between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// Further attempts after the first.
    pub retries: u32,
    pub delay: Duration,
    pub backoff: f64,
}

impl Retry {
    /// How long to wait after so many attempts that failed. `random` is from 0 to 1.
    pub fn wait(&self, failed: u32, random: f64) -> Duration {
        if self.delay.is_zero() {
            return Duration::ZERO;
        }
        let first = self.delay.as_secs_f64();
        let exponent = i32::try_from(failed.saturating_sub(1)).unwrap_or(i32::MAX);
        let longest = first.max(LONGEST_WAIT.as_secs_f64());
        let wait = (first * self.backoff.powi(exponent)).min(longest);
        let factor = 1.0 - JITTER + 2.0 * JITTER * random.clamp(0.0, 1.0);
        Duration::try_from_secs_f64(wait * factor).unwrap_or(LONGEST_WAIT)
    }
}

/// What a status code means for a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    /// It may be accepted another time.
    Later,
    /// It may be accepted with other credentials.
    Unauthorised,
    /// It will never be accepted.
    Refused,
}

pub fn verdict(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Accepted,
        408 | 425 | 429 | 500..=599 => Verdict::Later,
        401 | 403 => Verdict::Unauthorised,
        _ => Verdict::Refused,
    }
}

/// What the header `Retry-After` asks for: seconds, or a date. `None` where it says neither.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let wait = match is_number {
        // More digits than a number has are a long time, too.
        true => Duration::from_secs(value.parse().unwrap_or(u64::MAX)),
        false => httpdate::parse_http_date(value)
            .ok()?
            .duration_since(now)
            .unwrap_or_default(),
    };
    Some(wait.min(LONGEST_ASKED))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RETRY: Retry = Retry {
        retries: 3,
        delay: Duration::from_secs(1),
        backoff: 2.0,
    };

    #[test]
    fn waits_grow_up_to_a_bound_and_vary_by_a_quarter() {
        let seconds = |failed, random| RETRY.wait(failed, random).as_secs_f64();
        assert_eq!(
            [1, 2, 3, 4].map(|failed| seconds(failed, 0.5)),
            [1.0, 2.0, 4.0, 8.0]
        );
        assert_eq!([seconds(2, 0.0), seconds(2, 1.0)], [1.5, 2.5]);
        assert_eq!([seconds(9, 0.5), seconds(u32::MAX, 0.5)], [60.0, 60.0]);
        let slow = Retry {
            delay: Duration::from_secs(600),
            ..RETRY
        };
        assert_eq!(slow.wait(5, 0.5), Duration::from_secs(600));
        let none = Retry {
            delay: Duration::ZERO,
            backoff: 100.0,
            ..RETRY
        };
        assert_eq!(none.wait(u32::MAX, 1.0), Duration::ZERO);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (status, expected) in [
            (200, Verdict::Accepted),
            (204, Verdict::Accepted),
            (304, Verdict::Refused),
            (307, Verdict::Refused),
            (400, Verdict::Refused),
            (401, Verdict::Unauthorised),
            (403, Verdict::Unauthorised),
            (404, Verdict::Refused),
            (408, Verdict::Later),
            (413, Verdict::Refused),
            (422, Verdict::Refused),
            (425, Verdict::Later),
            (429, Verdict::Later),
            (500, Verdict::Later),
            (503, Verdict::Later),
            (599, Verdict::Later),
            (600, Verdict::Refused),
        ] {
            assert_eq!(verdict(status), expected, "{status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2026 07:28:00 GMT").unwrap();
        let seconds = |value| retry_after(value, now).map(|wait| wait.as_secs());
        for (value, expected) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("3601", Some(3600)),
            ("99999999999999999999999", Some(3600)),
            ("Wed, 21 Oct 2026 07:28:30 GMT", Some(30)),
            ("Wednesday, 21-Oct-26 07:29:00 GMT", Some(60)),
            ("Wed, 21 Oct 2026 07:27:00 GMT", Some(0)),
            ("Thu, 21 Oct 2027 07:28:00 GMT", Some(3600)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("+1", None),
            ("soon", None),
        ] {
            assert_eq!(seconds(value), expected, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_asks_for_more_than_an_hour(text in ".*") {
            let wait = retry_after(&text, SystemTime::UNIX_EPOCH);
            prop_assert!(wait.is_none_or(|wait| wait <= LONGEST_ASKED));
        }

        #[test]
        fn every_date_is_understood(ahead in 0u64..7200) {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
            let date = httpdate::fmt_http_date(now + Duration::from_secs(ahead));
            prop_assert_eq!(retry_after(&date, now), Some(Duration::from_secs(ahead.min(3600))));
        }

        #[test]
        fn waits_are_bounded(failed: u32, random in -1.0f64..2.0, delay: u64, backoff in 1.0f64..100.0) {
            let retry = Retry { retries: 0, delay: Duration::from_nanos(delay), backoff };
            let longest = retry.delay.max(LONGEST_WAIT);
            prop_assert!(retry.wait(failed, random) <= longest.mul_f64(1.0 + JITTER));
        }
    }
}
