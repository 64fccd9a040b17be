//! A CA that counts: tokens in buckets, by the published numbers.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

const HOUR: f64 = 3600.0;
const WEEK: f64 = 7.0 * 24.0 * HOUR;

/// Why an order was not made.
#[derive(Debug)]
pub(crate) enum Refusal {
    TooMany { said: String, wait: SignedDuration },
    Closed { wait: SignedDuration },
}

/// The CA and its books.
#[derive(Default)]
pub(crate) struct Ca {
    buckets: HashMap<(&'static str, String), (f64, Timestamp)>,
    /// Which certificates an order has replaced.
    replaced: HashSet<String>,
    pub(crate) revoked: HashSet<String>,
    pub(crate) closed_until: Option<Timestamp>,
    /// Orders that were made, by second.
    pub(crate) by_second: HashMap<i64, usize>,
    pub(crate) orders: usize,
    pub(crate) too_many: usize,
    pub(crate) first_refusal: Option<String>,
}

impl Ca {
    /// Asks for an order of one name.
    pub(crate) fn new_order(
        &mut self,
        account: &str,
        name: &str,
        replaces: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if self.closed_until.is_some_and(|until| now < until) {
            return Err(Refusal::Closed { wait: SignedDuration::from_mins(30) });
        }
        let exempt = replaces.is_some_and(|id| self.replaced.insert(id.to_owned()));
        if !exempt {
            let checks = [
                (
                    "orders",
                    account.to_owned(),
                    300.0,
                    3.0 * HOUR,
                    "too many new orders (300) from this account".to_owned(),
                ),
                (
                    "domain",
                    domain(name),
                    50.0,
                    WEEK,
                    format!("too many certificates (50) already issued for \"{}\"", domain(name)),
                ),
                (
                    "set",
                    name.to_owned(),
                    5.0,
                    WEEK,
                    "too many certificates (5) already issued for this exact set".to_owned(),
                ),
                ("failures", name.to_owned(), 5.0, HOUR, format!("too many failed authorizations (5) for \"{name}\"")),
            ];
            for (kind, of, count, period, said) in checks {
                let tokens = self.tokens(kind, &of, count, period, now);
                if tokens < 1.0 {
                    self.too_many += 1;
                    self.first_refusal.get_or_insert_with(|| format!("{now}: {said}: {name}"));
                    let wait = SignedDuration::from_secs(((1.0 - tokens) * period / count).ceil() as i64);
                    return Err(Refusal::TooMany { said, wait });
                }
            }
            self.take("orders", account, 300.0, 3.0 * HOUR, now);
        }
        self.orders += 1;
        *self.by_second.entry(now.as_second()).or_default() += 1;
        Ok(())
    }

    /// Issues a certificate for one name.
    pub(crate) fn issue(&mut self, name: &str, exempt: bool, now: Timestamp) {
        if !exempt {
            self.take("domain", &domain(name), 50.0, WEEK, now);
            self.take("set", name, 5.0, WEEK, now);
        }
    }

    /// A name was not proven.
    pub(crate) fn fail(&mut self, name: &str, now: Timestamp) {
        self.take("failures", name, 5.0, HOUR, now);
    }

    fn tokens(&self, kind: &'static str, of: &str, count: f64, period: f64, now: Timestamp) -> f64 {
        let Some((tokens, at)) = self.buckets.get(&(kind, of.to_owned())) else { return count };
        let passed = now.duration_since(*at).as_secs_f64().max(0.0);
        // Halves of a millionth are the arithmetic's.
        (tokens + passed * count / period + 1e-6).min(count)
    }

    fn take(&mut self, kind: &'static str, of: &str, count: f64, period: f64, now: Timestamp) {
        let tokens = self.tokens(kind, of, count, period, now) - 1.0;
        self.buckets.insert((kind, of.to_owned()), (tokens, now));
    }
}

/// The last two labels: all that the names of these tests need.
fn domain(name: &str) -> String {
    let labels: Vec<&str> = name.rsplit('.').take(2).collect();
    format!("{}.{}", labels[1], labels[0])
}
