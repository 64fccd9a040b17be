//! Budgets as they are spent: whose turn it is, what waits and why, and what outlives a process.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::history::Spending;
use super::*;
use crate::acme::Identifier;

const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// An Order of `namespace` for `name`, made at `second`.
fn order(namespace: &str, name: &str, second: i64) -> Applicant {
    let names = [Identifier::Dns(name.to_owned())];
    let id = format!("{namespace}/{name}/{second}");
    Applicant::new(&id, namespace, DIRECTORY, "https://ca/account/1", &names, at(second))
}

fn due(applicant: Applicant) -> Applicant {
    Applicant { due: true, ..applicant }
}

fn budget(limits: serde_json::Value) -> Budget {
    let none = json!({ "newOrders": "none", "certificatesPerDomain": "none", "certificatesPerSet": "none",
        "failuresPerName": "none", "failuresInARow": "none", "newOrdersPerAddress": "none" });
    let book = Book::default().with(&json!({ DIRECTORY: none })).unwrap();
    Budget::new(book.with(&json!({ DIRECTORY: limits })).unwrap())
}

fn goes(budget: &mut Budget, applicant: &Applicant, second: i64) -> bool {
    budget.ask(applicant, at(second)) == Turn::Now
}

fn waits(budget: &mut Budget, applicant: &Applicant, second: i64) -> Wait {
    match budget.ask(applicant, at(second)) {
        Turn::Now => panic!("{} need not wait", applicant.id),
        Turn::Wait(wait) => *wait,
    }
}

fn called(budget: &mut Budget, second: i64) -> Vec<String> {
    let called = budget.called(at(second));
    called.iter().map(|id| id.split('/').take(2).collect::<Vec<_>>().join("/")).collect()
}

#[test]
fn the_published_limits_are_known_and_an_operator_has_the_last_word() {
    let book = Book::default();
    let limits = book.of(DIRECTORY).unwrap();
    assert_eq!(limits[&Kind::NewOrders].interval(), SignedDuration::from_secs(36));
    assert_eq!(limits[&Kind::CertificatesPerSet].count, 5);
    assert!(book.of("https://ca.example/dir").is_none());

    let said = json!({ DIRECTORY: { "newOrders": { "count": 1000, "period": "3h" }, "certificatesPerSet": "none" },
                       "https://ca.example/dir": { "failuresPerName": { "count": 2, "period": "1h30m" } } });
    let book = book.with(&said).unwrap();
    assert_eq!(book.of(DIRECTORY).unwrap()[&Kind::NewOrders].count, 1000);
    assert!(!book.of(DIRECTORY).unwrap().contains_key(&Kind::CertificatesPerSet));
    assert_eq!(book.of(DIRECTORY).unwrap()[&Kind::CertificatesPerDomain].count, 50);
    assert_eq!(book.of("https://ca.example/dir").unwrap().len(), 1);
}

#[test]
fn what_an_operator_says_wrong_is_told_by_its_field() {
    for (said, starts) in [
        (json!([]), "a mapping is expected"),
        (json!({ "ca": {} }), "ca: the address of a CA's directory is expected"),
        (
            json!({ "https://ca/": { "orders": 1 } }),
            "https://ca/: orders: there is no such limit; there are newOrders, ",
        ),
        (
            json!({ "https://ca/": { "newOrders": 5 } }),
            "https://ca/: newOrders: a mapping is expected, and this is 5; ",
        ),
        (json!({ "https://ca/": { "newOrders": { "count": 0, "period": "3h" } } }), "https://ca/: newOrders.count: "),
        (json!({ "https://ca/": { "newOrders": { "count": 1.5, "period": "3h" } } }), "https://ca/: newOrders.count: "),
        (
            json!({ "https://ca/": { "newOrders": { "count": 1 } } }),
            "https://ca/: newOrders.period: a duration such as 3h",
        ),
        (
            json!({ "https://ca/": { "newOrders": { "count": 1, "period": "7d" } } }),
            "https://ca/: newOrders.period: unknown",
        ),
        (
            json!({ "https://ca/": { "newOrders": { "count": 1, "period": "0s" } } }),
            "https://ca/: newOrders.period: from",
        ),
        (
            json!({ "https://ca/": { "newOrders": { "count": 1, "per": "3h" } } }),
            "https://ca/: newOrders.per: a limit has",
        ),
    ] {
        let error = Book::default().with(&said).unwrap_err();
        assert!(error.starts_with(starts), "{said}: {error}");
    }
}

#[test]
fn names_count_under_what_somebody_registered() {
    for (name, domain) in [
        ("example.com", "example.com"),
        ("*.a.b.example.com", "example.com"),
        ("shop.example.co.uk", "example.co.uk"),
        ("me.github.io", "me.github.io"),
        ("com", "com"),
        ("www.city.kawasaki.jp", "city.kawasaki.jp"),
    ] {
        assert_eq!(registered_domain(name), domain, "{name}");
    }
}

#[test]
fn one_tenant_does_not_get_the_last_tenth_and_the_rest_refills() {
    let mut budget = budget(json!({ "newOrders": { "count": 300, "period": "3h" } }));
    let taken = (0..5000).filter(|n| goes(&mut budget, &order("greedy", &format!("{n}.test"), *n), 0)).count();
    assert_eq!(taken, 270);
    assert!(goes(&mut budget, &order("modest", "a.test", 1), 1), "others find room at once");
    assert!(goes(&mut budget, &due(order("greedy", "renewal.test", 1)), 1), "and so do renewals");
    assert!(called(&mut budget, 35 + 72).is_empty(), "three have used the room that came with the time");
    assert_eq!(called(&mut budget, 36 * 3), ["greedy/270.test"]);
    assert_eq!(called(&mut budget, 36 * 6).len(), 3);
}

#[test]
fn renewals_go_first_then_namespaces_in_turn_and_in_each_the_oldest() {
    let mut budget = budget(json!({ "newOrders": { "count": 1, "period": "10s" } }));
    assert!(goes(&mut budget, &order("a", "first.test", 0), 0));
    for waiting in [
        order("a", "young.test", 3),
        order("a", "old.test", 2),
        order("b", "one.test", 4),
        order("c", "one.test", 5),
        due(order("a", "renewal.test", 6)),
    ] {
        waits(&mut budget, &waiting, 6);
    }
    let mut turns = Vec::new();
    for second in [10, 20, 30, 40, 50, 60] {
        turns.extend(called(&mut budget, second));
    }
    assert_eq!(turns, ["a/renewal.test", "b/one.test", "c/one.test", "a/old.test", "a/young.test"]);
}

#[test]
fn who_waits_for_one_limit_holds_up_nobody_who_waits_for_another() {
    let mut budget = budget(json!({
        "newOrders": { "count": 2, "period": "20s" }, "certificatesPerDomain": { "count": 1, "period": "1h" }
    }));
    assert!(goes(&mut budget, &order("a", "1.busy.test", 0), 0));
    assert!(goes(&mut budget, &order("a", "x.free.test", 0), 0));
    let busy = waits(&mut budget, &order("a", "2.busy.test", 1), 1);
    assert_eq!((busy.bucket.kind, busy.until), (Kind::CertificatesPerDomain, at(3600)));
    let other = waits(&mut budget, &order("a", "other.test", 2), 2);
    assert_eq!((other.bucket.kind, other.until), (Kind::NewOrders, at(10)));
    assert_eq!(called(&mut budget, 10), ["a/other.test"]);
    assert_eq!(budget.opens(), Some(at(3600)));
}

#[test]
fn certificates_are_counted_when_they_are_issued_and_failures_by_name() {
    let mut budget = budget(json!({
        "certificatesPerSet": { "count": 1, "period": "10h" }, "failuresPerName": { "count": 2, "period": "1h" }
    }));
    for second in [0, 1] {
        let order = order("a", "*.www.x.test", second);
        assert!(goes(&mut budget, &order, second), "nothing was issued yet");
        budget.ordered(&order, at(second));
        budget.settle(&order, &Outcome::Failed { name: Some("www.x.test".to_owned()) }, at(second));
        budget.settle(&order, &Outcome::Failed { name: Some("www.x.test".to_owned()) }, at(second));
    }
    let third = order("a", "*.www.x.test", 2);
    let wait = waits(&mut budget, &third, 2);
    assert_eq!((wait.bucket.kind, wait.until), (Kind::FailuresPerName, at(1800)));
    assert_eq!(called(&mut budget, 1800), ["a/*.www.x.test"]);
    budget.ordered(&third, at(1800));
    budget.settle(&third, &Outcome::Issued, at(1801));
    let fourth = waits(&mut budget, &order("b", "*.www.x.test", 4000), 4000);
    assert_eq!(fourth.bucket.kind, Kind::CertificatesPerSet);
}

#[test]
fn renewals_that_say_what_they_replace_wait_for_no_limit() {
    let mut budget = budget(json!({ "newOrders": { "count": 1, "period": "1h" } }));
    let exempt = |n: i64| Applicant { exempt: true, ..order("a", "x.test", n) };
    assert!((0..100).all(|n| goes(&mut budget, &exempt(n), 0)));
    assert!(goes(&mut budget, &order("a", "y.test", 0), 0), "and take nothing from it");
}

#[test]
fn nobody_asks_faster_than_one_address_may() {
    let mut budget = budget(json!({ "newOrdersPerAddress": { "count": 300, "period": "1s" } }));
    let exempt = |n: i64| Applicant { exempt: true, ..order("a", &format!("{n}.test"), n) };
    assert_eq!((0..700).filter(|n| goes(&mut budget, &exempt(*n), 0)).count(), 300);
    assert_eq!([called(&mut budget, 1).len(), called(&mut budget, 2).len()], [300, 100]);
}

#[test]
fn what_a_ca_says_to_one_is_heard_by_all_whom_it_concerns_and_one_tries_again() {
    for (said, concerns) in [
        ("Service busy; retry later. (rateLimited)", [true, true, true]),
        ("too many certificates (5) already issued for this exact set of identifiers", [true, false, false]),
        ("too many certificates (50) already issued for \"x.test\" in the last 168h", [true, true, false]),
        ("too many failed authorizations (5) for \"a.x.test\" in the last 1h", [true, false, false]),
    ] {
        let mut budget = Budget::default();
        let other = |order: Applicant| Applicant { directory: "https://ca.example/dir".to_owned(), ..order };
        let first = other(order("n", "a.x.test", 0));
        assert!(goes(&mut budget, &first, 0));
        budget.learn(&first, said, at(100));
        let all = [other(order("n", "a.x.test", 1)), other(order("n", "b.x.test", 2)), other(order("m", "y.test", 3))];
        assert_eq!(all.each_ref().map(|other| !goes(&mut budget, other, 50)), concerns, "{said}");
        let exempt = Applicant { exempt: true, ..other(order("n", "a.x.test", 4)) };
        assert!(goes(&mut budget, &exempt, 50), "{said}");
    }

    let mut budget = Budget::default();
    let orders: Vec<_> = (0..3)
        .map(|n| Applicant { directory: "https://ca.example/dir".to_owned(), ..order("n", &format!("{n}.test"), n) })
        .collect();
    assert!(goes(&mut budget, &orders[0], 0));
    budget.learn(&orders[0], "wait", at(100));
    assert!(orders.iter().all(|order| !goes(&mut budget, order, 10)));
    assert_eq!(called(&mut budget, 100), ["n/0.test"], "one finds out");
    assert!(called(&mut budget, 101).is_empty());
    budget.ordered(&orders[0], at(102));
    assert_eq!(called(&mut budget, 102), ["n/1.test", "n/2.test"]);
}

#[test]
fn a_process_finds_what_the_one_before_it_left() {
    let limits =
        json!({ "newOrders": { "count": 4, "period": "4h" }, "certificatesPerSet": { "count": 1, "period": "9h" } });
    let mut first = budget(limits.clone());
    let orders: Vec<_> = (0..3).map(|n| order("a", &format!("{n}.test"), n)).collect();
    for (order, second) in orders.iter().zip(0..) {
        assert!(goes(&mut first, order, second));
        first.ordered(order, at(second));
        first.settle(order, &Outcome::Issued, at(second));
    }
    assert_eq!(first.ledger(at(10)), "", "what objects show is not written down");
    first.gone(&orders[0].id, at(10));
    let ledger = first.ledger(at(10));
    assert_eq!(ledger.split(' ').count(), 3, "the account, the set, and the namespace's part of it: {ledger}");

    let shown = orders[1..].iter().zip(1..).map(|(order, second)| Spending {
        applicant: order.clone(),
        at: at(second),
        ended: Some((at(second), Outcome::Issued)),
    });
    let book = Book::default().with(&json!({ DIRECTORY: limits })).unwrap();
    let mut second = Budget::after(book, shown.collect());
    second.inherit(&format!("nonsense x=y {ledger}"));
    assert_eq!(waits(&mut second, &order("b", "0.test", 20), 20).bucket.kind, Kind::CertificatesPerSet);
    assert!(goes(&mut second, &order("b", "3.test", 20), 20));
    assert_eq!(waits(&mut second, &order("b", "4.test", 20), 20).bucket.kind, Kind::NewOrders);
    assert_eq!(second.ledger(at(11 * 3600)), "", "and it ends");
}

#[test]
fn an_order_that_was_not_made_costs_nothing() {
    let mut budget = budget(json!({ "newOrders": { "count": 1, "period": "1h" } }));
    let first = order("a", "x.test", 0);
    assert!(goes(&mut budget, &first, 0));
    waits(&mut budget, &order("b", "y.test", 1), 1);
    budget.refused(&first);
    assert_eq!(called(&mut budget, 2), ["b/y.test"]);
    budget.gone(&first.id, at(3));
    assert_eq!(budget.ledger(at(3)), "");
}

#[test]
fn why_it_waits_is_told_with_what_can_be_done() {
    let mut budget = Budget::new(Book::default());
    for n in 0..5 {
        let order = order("a", "www.x.test", n);
        assert!(goes(&mut budget, &order, n));
        budget.settle(&order, &Outcome::Issued, at(n));
    }
    let waiting = order("a", "www.x.test", 5);
    waits(&mut budget, &waiting, 5);
    let wait = waits(&mut budget, &order("a", "www.x.test", 6), 6);
    let told = wait.to_string();
    assert_eq!(
        told,
        "Waiting for room: the CA issues 5 certificates for exactly these names in 7 d, and 5 are used; there is room \
         for one more at 2027-01-16T17:36:00Z at the earliest, and another Order waits too. Signet goes on by itself; \
         find out what has them issued so often, for a certificate that is there needs no other"
    );
    let later = waits(&mut budget, &waiting, 4000);
    assert!(later.is_told(&told), "the same wait is told once");
    budget.learn(&waiting, "wait.", at(999_999));
    let other = waits(&mut budget, &order("a", "other.test", 7), 4001).to_string();
    assert!(other.starts_with("Waiting as the CA asks until 2027-01-26T"), "{other}");
    assert!(other.contains("which it said to another Order: wait. Signet asks again"), "{other}");
}

#[test]
fn the_report_says_what_is_used_and_by_whom() {
    let spent = |order: Applicant, second: i64, outcome: Outcome| Spending {
        applicant: order,
        at: at(second),
        ended: Some((at(second), outcome)),
    };
    let spendings = [
        spent(order("a", "1.x.test", 0), 0, Outcome::Issued),
        spent(order("a", "2.x.test", 1), 1, Outcome::Issued),
        spent(order("b", "3.x.test", 2), 2, Outcome::Failed { name: Some("3.x.test".to_owned()) }),
        spent(Applicant { exempt: true, ..order("b", "4.x.test", 3) }, 3, Outcome::Issued),
    ];
    let lines = report(&Book::default(), &spendings, "", at(10));
    let lines: Vec<_> =
        lines.iter().map(|line| format!("{:?} {} {} {:?}", line.kind, line.of, line.used, line.by)).collect();
    assert_eq!(
        lines,
        [
            "CertificatesPerSet 1.x.test 1 {\"a\": 1}",
            "CertificatesPerSet 2.x.test 1 {\"a\": 1}",
            "FailuresPerName 3.x.test 1 {\"b\": 1}",
            "CertificatesPerDomain x.test 2 {\"a\": 2}",
            "NewOrders https://ca/account/1 3 {\"a\": 2, \"b\": 1}",
            "FailuresInARow 3.x.test 1 {\"b\": 1}",
        ]
    );
}
