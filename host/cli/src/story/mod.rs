//! The story of a Certificate: how it and all that stands behind it are, on one screen, and what
//! happens next. Pure: facts and a time go in, text comes out.

pub(crate) mod issuer;
mod next;
mod page;
mod parts;
mod progress;
mod proofs;
#[cfg(test)]
mod tests;
pub(crate) mod when;

use jiff::Timestamp;

use crate::gathered::Gathered;
use page::Page;

/// Tells it. The last line begins with `Next:`.
pub(crate) fn story(gathered: &Gathered, now: Timestamp) -> String {
    let mut page = Page::default();
    for part in parts::PARTS {
        part(&mut page, gathered, now);
    }
    page.part("Next:", &next::next(gathered, now));
    page.finish()
}
