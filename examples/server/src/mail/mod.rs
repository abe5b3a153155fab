//! Mail to people: what it says, and how it leaves.
//!
//! Whoever has something to say gives a [`Mail`](gatewright_issuer::Mail) to the [`Mailer`], which never waits. A task of its own composes it, hands
//! it to an SMTP server or writes it into a folder, and tries again for as long as that does not work. What is told of it,
//! in logs and metrics, names neither addresses nor tokens.

mod carrier;
mod delivery;
mod folder;
mod letter;
mod smtp;

pub(crate) use delivery::{Delivery, MailStats, Mailer};
pub(crate) use folder::Folder;
pub(crate) use letter::Composer;
pub(crate) use smtp::{Smtp, SmtpUrl};
